"""Partial Fourier: the lines at one end of k-space are not measured, and stay zero."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

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
        "6/8, 11/16 and 5/8 at the physical levels; no scanner leaves out more",
        physical=(1 / 8, 3 / 16, 2 / 8, 5 / 16, 3 / 8),
        limit=3 / 8,
    )
    stage: ClassVar[Stage] = Stage.LINES

    def draw(self, source: Source) -> Draws:
        """Which end of k-space is lost: -1, the first lines; 1, the last."""
        return {"side": np.where(source.scan.uniform(1)[:, 0] < 0.5, -1, 1)}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Mask:
        """Zero the outermost of the acquired lines."""
        k = line_offsets(frame.encoded[1]).numpy()
        count = np.rint(knob.numpy() * frame.acquired.sum())[:, None]
        first = (k < 0) & _first(frame.acquired, count)
        last = (k > 0) & _first(frame.acquired[::-1], count)[:, ::-1]
        return Mask.keep(~np.where(draws["side"][:, None] < 0, first, last))


def _first(acquired: NDArray[np.bool_], count: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the first few of the acquired lines: (B, PE)."""
    marked: NDArray[np.bool_] = acquired & (acquired.cumsum() <= count)
    return marked
