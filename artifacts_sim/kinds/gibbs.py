"""Truncation: too few samples of k-space, and edges ring (Gibbs)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame, Lines
from artifacts_sim.acquisition.lines import line_offsets
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_option
from artifacts_sim.params import Draws


@dataclass(frozen=True)
class Gibbs(Artifact):
    """F(k) is kept for |k| <= K and set to 0 beyond, K = (1 - c) N / 2 to the nearest sample.

    N counts the samples that are measured: along phase encode, of the acquired lines, twice those
    from DC to the farther end.

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
        super().__post_init__()
        known = ("both", "ro", "pe")
        check_option("axes", self.axes, "'both', 'ro' or 'pe'", self.axes in known)

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Mask:
        """Truncate the measured part of the encoded matrix."""
        n_ro, n_pe = frame.encoded
        every_line = np.ones((len(knob), n_pe), dtype=np.bool_)
        lines = every_line if self.axes == "ro" else _window(knob.numpy(), frame.acquired)
        samples = _window(knob.numpy(), np.ones(n_ro, dtype=np.bool_))
        return Mask.keep(lines, None if self.axes == "pe" else samples)


def _window(cut_fraction: NDArray[np.float64], measured: Lines) -> Lines:
    """Whether a sample is kept, (B, N); what was not measured does not count."""
    k = line_offsets(len(measured)).numpy()
    reach = np.abs(k[measured]).max() if not measured.all() else len(measured) / 2
    kept: Lines = np.abs(k) <= np.rint((1 - cut_fraction) * reach)[:, None]
    return kept
