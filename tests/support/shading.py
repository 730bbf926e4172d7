"""An artifact of a user's own: a shade that falls on one side, without calibrated levels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from artifacts_sim import Artifact, Knob
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, PixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.keyed import Source
from artifacts_sim.params import Draws, as_tensors


@dataclass(frozen=True)
class Shading(Artifact):
    """y(r, p) = x(r, p) (1 - k u p / P): darker towards the end of phase encode, u in [0.5, 1)."""

    name: ClassVar[str] = "shading"
    knob: ClassVar[Knob] = Knob(
        name="depth",
        meaning="part of the signal that is lost at the darker end, at most",
        physical=(0.1, 0.2, 0.3, 0.4, 0.5),
        limit=0.9,
    )
    stage: ClassVar[Stage] = Stage.FIELD
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """How deep it is, relative to the knob."""
        return {"share": 0.5 + source.uniform(1)[:, 0] / 2}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Operator:
        """A product in the image."""
        return _Shade(knob * as_tensors(draws)["share"])


@dataclass(frozen=True, eq=False)
class _Shade(PixelOperator):
    depth: Tensor  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        ramp = torch.linspace(0, 1, planes.shape[-1], dtype=torch.float64)
        gain = 1 - self.depth[:, None, None, None] * ramp
        return planes * gain.to(planes)
