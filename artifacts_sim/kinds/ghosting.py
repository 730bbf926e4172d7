"""Periodic ghosting: a quantity that pulsates during the scan modulates the lines."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import line_offsets
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws, as_tensors

_PERIODS = (2.5, 7.5)  # lines per cycle: replicas 0.40 to 0.13 of the field of view away


@dataclass(frozen=True)
class Ghosting(Artifact):
    """Line k is multiplied by M(k) = 1 + s e^{i phi} cos(2 pi k / n + psi).

    Two replicas appear along the phase encode axis, N / n pixels to either side and wrapped, of
    amplitude s / 2 each; N is the encoded matrix, and n need not be an integer, nor divide N.
    Source: Wood and Henkelman, Med Phys 12:143 (1985), for one sinusoid.
    """

    name: ClassVar[str] = "ghosting"
    knob: ClassVar[Knob] = Knob(
        name="modulation_fraction",
        meaning="modulation of the k-space lines, at most all of them; the two replicas have half "
        "of it each",
        physical=(0.1, 0.25, 0.45, 0.7, 1.0),
        limit=1.0,
    )
    stage: ClassVar[Stage] = Stage.LINES
    smooth: ClassVar[bool] = True

    def draw(self, source: Source) -> Draws:
        """Period and phase of the modulation, of a scan; phase of the cycle, of each slice."""
        low, high = _PERIODS
        u = source.scan.uniform(2)
        return {
            "period_lines": low + (high - low) * u[:, 0],
            "cycle_phase_rad": 2 * np.pi * source.uniform(1)[:, 0],
            "modulation_phase_rad": 2 * np.pi * u[:, 1],
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Mask:
        """Modulate the encoded lines."""
        drawn = as_tensors(draws)
        cycle = torch.outer(2 * np.pi / drawn["period_lines"], line_offsets(frame.encoded[1]))
        wave = torch.cos(cycle + drawn["cycle_phase_rad"][:, None])
        factor = torch.polar(knob, drawn["modulation_phase_rad"])
        return Mask(1 + factor[:, None] * wave)
