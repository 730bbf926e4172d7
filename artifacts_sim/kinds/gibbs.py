"""Truncation: too few samples of k-space, and edges ring (Gibbs)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import Factor, line_offsets
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_option
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Gibbs(Artifact):
    """F(k) is kept for |k| <= K and set to 0 beyond, K = (1 - c) N / 2 to the nearest sample.

    The image is interpolated to the matrix it had (zero filling), and an edge overshoots by 9 % of
    its height. Centred on DC: the sample k = -N / 2 of an even N, which has no partner, is kept
    with all others or not at all, so that a real image stays real. Samples are kept whole, so the
    damage rises in steps, one for every 2 / N of the knob. Source: Wood and Henkelman, Magn Reson
    Med 2:517 (1985). There is nothing to draw.

    Attributes:
        axes: Which of the readout and the phase-encode axis is truncated: 'both', 'ro', 'pe'.

    """

    name: ClassVar[str] = "gibbs"
    knob: ClassVar[Knob] = Knob(
        name="cut_fraction",
        meaning="fraction of the samples that is cut off, along each axis; of a matrix of 320, "
        "256, 192, 160, 128 and 64 are left at the physical levels",
        physical=(0.2, 0.4, 0.5, 0.6, 0.8),
        limit=0.95,
    )
    stage: ClassVar[Stage] = Stage.LINES

    axes: Literal["both", "ro", "pe"] = "both"

    def __post_init__(self) -> None:
        known = ("both", "ro", "pe")
        check_option("axes", self.axes, "'both', 'ro' or 'pe'", self.axes in known)

    def operator(self, draws: Draws, knob: float, frame: Frame) -> Mask:
        """Truncate the encoded matrix."""
        batch, (n_ro, n_pe) = len(draws["nothing"]), frame.encoded
        pe = np.ones((batch, n_pe)) if self.axes == "ro" else _window(batch, n_pe, knob)
        return Mask(pe, None if self.axes == "pe" else _window(batch, n_ro, knob))


def _window(batch: int, size: int, cut_fraction: float) -> Factor:
    """1 for the samples that are kept, else 0: (B, N)."""
    kept = np.abs(line_offsets(size)) <= round((1 - cut_fraction) * size / 2)
    return np.tile(kept.astype(np.float64), (batch, 1))
