"""Tissue contrast: tissues are as bright to each other as under another weighting."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import DirectPixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds.curves import bright, by_slice, nodes, picked, piece
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_NODES = 4


@dataclass(frozen=True)
class TissueContrast(Artifact):
    """y = x exp(knob h(|x| / s)), h a random smooth curve, s the brightness of the slice.

    h runs from -1/2 to 1/2 over the foreground, from a quarter of s upwards: four random values at
    s / 4, s / 2, 3 s / 4 and s, with a range of 1 and their middle at 0, joined by 3 u^2 - 2 u^3.
    Above s it stays what it is there; below s / 4 it goes to 0 in the same way, so that an empty
    background stays what it was: the logarithm of the gain is at most knob / 2 everywhere, and at
    most knob / 40 below s / 30. Where h falls faster than the logarithm of |x| rises, two tissues
    change places, which no curve of a display does. Where h is steep, noise of the tissue is
    amplified with its contrast, up to e^(knob / 2) (1 + 5.3 knob) times.

    It is no Bloch simulation: a tissue is known by its brightness alone. Two tissues of one
    brightness stay alike, one that is shaded is taken for several, and the edge between two passes
    through what lies between them. What it keeps of another echo time or weighting is that
    contrast between tissues grows, shrinks and turns round, with no global gain.

    s is the 99th percentile of the clean slice's foreground: see `curves.bright`. |x| is the root
    sum of squares over the coils, which all get the same gain; the phase stays. All slices of a
    scan get the same h.
    """

    name: ClassVar[str] = "tissue_contrast"
    knob: ClassVar[Knob] = Knob(
        name="log_gain_range",
        meaning="peak-to-peak natural logarithm of the gain over the foreground's brightness; from "
        "0.3 on, tissues can change places",
        physical=(0.15, 0.3, 0.5, 0.75, 1.0),
        limit=1.5,
    )
    stage: ClassVar[Stage] = Stage.OBJECT
    place: ClassVar[int] = 10
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Log gains of a scan's curve at its nodes, in units of the knob: (B, 4)."""
        return {"unit_log_gain": nodes(source.scan, _NODES)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Gain":
        """Weigh every coil alike."""
        return _Gain(knob[:, None] * as_tensors(draws)["unit_log_gain"])


@dataclass(frozen=True, eq=False)
class _Gain(DirectPixelOperator):
    log_gain: Tensor  # (B, nodes)

    def on_planes(self, planes: Tensor, signal: Signal, out: Tensor | None = None) -> Tensor:
        log2_gain = pad(self.log_gain * math.log2(math.e), (1, 0)).to(planes)
        pieces = self.log_gain.shape[1]
        per_piece = bright(signal.scene.shown)[:, None, None] / pieces
        number, u = piece((signal.magnitude() / per_piece).clamp_max(pieces), pieces)
        eased = u * u * (3 - 2 * u)
        begin, rise = picked(log2_gain[:, :-1], number), picked(log2_gain.diff(dim=1), number)
        gain = by_slice(torch.exp2, torch.addcmul(begin, rise, eased))
        return torch.mul(gain[:, None], planes, out=out)
