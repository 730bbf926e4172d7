"""An artifact of a user's own: a shade that falls on one side, without calibrated levels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim import Artifact, Knob
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, PixelOperator, Stage
from artifacts_sim.keyed import Source
from artifacts_sim.params import Draws


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

    def draw(self, source: Source) -> Draws:
        """How deep it is, relative to the knob."""
        return {"share": 0.5 + source.uniform(1)[:, 0] / 2}

    def operator(self, draws: Draws, knob: float, frame: Frame) -> Operator:
        """A product in the image."""
        return _Shade(knob * draws["share"])


@dataclass(frozen=True, eq=False)
class _Shade(PixelOperator):
    depth: NDArray[np.float64]

    def on_planes(self, planes: Tensor, frame: Frame) -> Tensor:
        ramp = torch.linspace(0, 1, planes.shape[-1], dtype=torch.float64)
        gain = 1 - torch.from_numpy(self.depth)[:, None, None, None] * ramp
        return planes * gain.float().to(planes.device)
