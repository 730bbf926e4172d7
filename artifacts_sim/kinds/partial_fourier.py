"""Partial Fourier: the lines at one end of k-space are not measured, and stay zero."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import line_offsets
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class PartialFourier(Artifact):
    """The first or the last (1 - pf) N of the N acquired lines are set to 0, and stay 0.

    Zero-filled, with neither homodyne nor conjugate synthesis: the image is blurred along phase
    encode, and a real object gets an imaginary part at its edges. Whole lines, to the nearest
    number; DC and the lines on its other side are never lost. Source: Feinberg et al., Radiology
    161:527 (1986); zero filling beside other reconstructions: McGibney et al., Magn Reson Med
    30:51 (1993).

    Lines that were never acquired do not count, and are left as they are.
    """

    name: ClassVar[str] = "partial_fourier"
    knob: ClassVar[Knob] = Knob(
        name="skipped_fraction",
        meaning="1 - pf, the fraction of the acquired lines that is skipped; pf is 7/8, 13/16, "
        "6/8, 11/16 and 5/8 at the physical levels",
        physical=(1 / 8, 3 / 16, 2 / 8, 5 / 16, 3 / 8),
        limit=0.45,
    )
    stage: ClassVar[Stage] = Stage.LINES

    def draw(self, source: Source) -> Draws:
        """Which end of k-space is lost: -1, the first lines; 1, the last."""
        return {"side": np.where(source.uniform(1)[:, 0] < 0.5, -1, 1)}

    def operator(self, draws: Draws, knob: float, frame: Frame) -> Mask:
        """Zero the outermost of the acquired lines."""
        k = line_offsets(frame.encoded[1])
        count = round(knob * int(frame.acquired.sum()))
        first = (k < 0) & _first(frame.acquired, count)
        last = (k > 0) & _first(frame.acquired[::-1], count)[::-1]
        lost = np.where(draws["side"][:, None] < 0, first, last)
        return Mask(1.0 - lost)


def _first(acquired: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Mark the first few of the acquired lines: (PE,)."""
    marked: NDArray[np.bool_] = acquired & (acquired.cumsum() <= count)
    return marked
