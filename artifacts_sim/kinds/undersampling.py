"""Undersampling: an accelerated scan skips lines, and the gaps stay zero."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Stage
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, stream
from artifacts_sim.kinds import sampling
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_option
from artifacts_sim.params import Draws

_KINDS = ("fastmri_random", "fastmri_equispaced", "random", "regular")


@dataclass(frozen=True)
class Undersampling(Artifact):
    """Line k is multiplied by M(k): 1 where it is measured, 0 where it is skipped.

    Zero-filled, y = |F^-1 M F x|, without density compensation. Regular gaps fold N / R apart,
    (1 / R) sum_j e^{2 pi i j a / R} x(r - j N / R) for lines a + j R; random gaps spread the same
    energy like noise. Source of the fastMRI kinds: Zbontar et al., arXiv:1811.08839.

    Lines that were never acquired are left as they are. They do not count where the number of
    lines is exact; in fastMRI's kinds they do, as in fastMRI, which blanks them afterwards.

    Attributes:
        kind: How the lines outside of the centre are chosen. The default is the mask of the
            fastMRI knee challenge, on which published reconstructions of such data rest.
            'fastmri_random': each by chance; N / R lines with the centre on average.
            'fastmri_equispaced': almost evenly; N / R lines with the centre.
            'random': at random; exactly N / R lines with the centre.
            'regular': every R-th exactly, as in parallel imaging; the centre comes in addition.
        centre_fraction: The centre fraction of the lines, fully sampled around DC. fastMRI pairs
            0.08 with R = 4 and 0.04 with R = 8; here it stays the same at all R.

    """

    name: ClassVar[str] = "undersampling"
    knob: ClassVar[Knob] = Knob(
        name="skipped_fraction",
        meaning="1 - 1 / R, R the acceleration: 2, 3, 4, 6 and 8 at the physical levels",
        physical=(1 / 2, 2 / 3, 3 / 4, 5 / 6, 7 / 8),
        limit=0.9,
    )
    stage: ClassVar[Stage] = Stage.LINES

    kind: Literal["fastmri_random", "fastmri_equispaced", "random", "regular"] = "fastmri_random"
    centre_fraction: float = 0.08

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("kind", self.kind, f"one of {', '.join(_KINDS)}", self.kind in _KINDS)
        fraction = self.centre_fraction
        check_option("centre_fraction", fraction, "a number from 0 to below 1", 0 <= fraction < 1)

    def draw(self, source: Source) -> Draws:
        """Of a scan: seed of the lines' random numbers, or the offset of the first line."""
        if self.kind in ("random", "fastmri_random"):
            return {"lines_seed": source.scan.seed()}
        return {"offset": source.scan.uniform(1)[:, 0]}

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Mask:
        """Keep the measured lines of the encoded matrix."""
        kept = []
        for place, value in enumerate(knob.tolist()):
            acceleration = round(1 / (1 - value), 9)  # 3, where 1 - 2 / 3 is not quite 1 / 3
            own = {name: array[place : place + 1] for name, array in draws.items()}
            kept.append(self._kept(own, acceleration, frame.acquired).reshape(1, -1))
        return Mask.keep(np.concatenate(kept) | ~frame.acquired)

    def _kept(self, draws: Draws, acceleration: float, acquired: sampling.Lines) -> sampling.Lines:
        fastmri = self.kind.startswith("fastmri")
        n_lines = len(acquired)
        n_counted = n_lines if fastmri else int(acquired.sum())
        n_centre = round(self.centre_fraction * n_counted)
        centre = sampling.centre(n_lines, n_centre)
        if self.kind == "regular":
            return centre | sampling.regular(draws["offset"], n_lines, acceleration)
        if self.kind == "fastmri_equispaced":
            offset = draws["offset"]
            return centre | sampling.fastmri_equispaced(offset, n_lines, n_centre, acceleration)
        words = np.stack([stream(seed, n_lines) for seed in draws["lines_seed"]])
        if self.kind == "fastmri_random":
            return centre | sampling.fastmri_random(words, n_centre, acceleration)
        count = max(1, n_centre, round(n_counted / acceleration))
        return sampling.random_count(words, centre & acquired, acquired, count)
