"""Wrap-around: a field of view that is too small folds the object onto itself."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from artifacts_sim.base import Artifact
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Wrap(Artifact):
    """y(r) = |sum_j x(r + j P)| along phase encode, x = 0 outside of its N encoded pixels.

    P = (1 - f) N is the reduced field of view, rounded to whole pixels (halves to even) and at
    least 1. It is what regular sampling of k-space at multiples of 1 / P shows (Poisson's
    summation formula), so y has period P: the N pixels show the reduced field of view and, beside
    it, its replicas. Half the field of view gives x(r) + x(r + N / 2), cyclically. Complex pixels
    add with their phases, and cancel where these oppose. Source: Nishimura, Principles of
    Magnetic Resonance Imaging (1996).

    Nothing is drawn. An object that the reduced field of view still holds is not folded.
    """

    name: ClassVar[str] = "wrap"
    knob: ClassVar[Knob] = Knob(
        name="fov_reduction_fraction",
        meaning="part of the phase-encode field of view that is cut away",
        physical=(0.1, 0.2, 0.3, 0.4, 0.5),
        limit=0.75,
    )
    stage: ClassVar[Stage] = Stage.LINES

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Fold":
        """Fold at the reduced field of view."""
        return _Fold(period=max(1, round((1 - knob) * frame.encoded[1])))


@dataclass(frozen=True, eq=False)
class _Fold(PixelOperator):
    period: int

    def on_planes(self, planes: Tensor, frame: Frame) -> Tensor:
        y = torch.empty_like(planes)
        first, *others = torch.split(planes, self.period, dim=-1)
        folded, *replicas = torch.split(y, self.period, dim=-1)
        folded.copy_(first)
        for other in others:
            folded[..., : other.shape[-1]].add_(other)
        for replica in replicas:
            replica.copy_(folded[..., : replica.shape[-1]])
        return y
