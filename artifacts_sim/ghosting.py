"""Periodic ghosting: a quantity that pulsates during the scan modulates the lines."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.base import Artifact
from artifacts_sim.keyed import uniform
from artifacts_sim.levels import LEVELS, Knob
from artifacts_sim.lines import add_lines, line_offsets
from artifacts_sim.params import Draws

_PERIODS = (2.5, 7.5)  # lines per cycle: replicas 0.40 to 0.13 of the field of view away


class Ghosting(Artifact):
    """Line k is multiplied by M(k) = 1 + s e^{i phi} cos(2 pi k / n + psi).

    Two replicas appear along the phase encode axis, N / n pixels to either side and wrapped, of
    amplitude s / 2 each; n need not be an integer, nor divide N. Source: Wood and Henkelman,
    Med Phys 12:143 (1985), for one sinusoid.
    """

    name: ClassVar[str] = "ghosting"
    knob: ClassVar[Knob] = LEVELS["ghosting"]
    n_words: ClassVar[int] = 3

    def _draw(self, bits: NDArray[np.uint64]) -> Draws:
        u = uniform(bits)
        low, high = _PERIODS
        return {
            "period_lines": low + (high - low) * u[:, 0],
            "cycle_phase_rad": 2 * np.pi * u[:, 1],
            "modulation_phase_rad": 2 * np.pi * u[:, 2],
        }

    def _render(self, x: Tensor, draws: Draws, knob: float) -> Tensor:
        cycle = np.outer(2 * np.pi / draws["period_lines"], line_offsets(x.shape[-1]))
        wave = np.cos(cycle + draws["cycle_phase_rad"][:, None])
        factor = knob * np.exp(1j * draws["modulation_phase_rad"])
        return add_lines(x, [(x, factor[:, None] * wave)])
