"""Severity: every artifact's one physical knob, its unit, and the values of levels 1 to 5.

Level 1 is barely visible, level 5 severe with the anatomy still recognisable. The values are
hand-set and physical. As guidance, the mean SSIM they reach (Gaussian window of 1.5 pixels,
11 x 11, data range = the slice's maximum, averaged over the foreground: pixels above 0.1 of the
99th percentile) was measured on 48 T1-weighted brain slices, resampled to 96 x 96 and to
256 x 256 pixels, averaged over three seeds:

    =========  =====================  =====================
    artifact   96 x 96, levels 1-5    256 x 256, levels 1-5
    =========  =====================  =====================
    rician     .97 .90 .80 .71 .59    .94 .82 .67 .56 .43
    motion     .97 .91 .80 .68 .60    .93 .84 .74 .70 .67
    ghosting   .97 .92 .84 .74 .61    .97 .93 .86 .77 .65
    spike      .95 .86 .77 .66 .55    .92 .79 .67 .54 .43
    bias       .98 .92 .85 .75 .67    .98 .93 .87 .79 .71
    =========  =====================  =====================

SSIM depends on the anatomy and on the matrix, and equal SSIM is not equal diagnostic damage: a
level is a point of one artifact's physical scale, not a currency between artifacts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from artifacts_sim.errors import ArtifactError


@dataclass(frozen=True)
class Knob:
    """The physical scale of one artifact.

    Attributes:
        name: what the number is.
        unit: its unit, in words.
        levels: its values at levels 1, 2, ...; rising.
        limit: the largest value accepted; beyond it the artifact has no physical meaning.

    """

    name: str
    unit: str
    levels: tuple[float, ...]
    limit: float

    def resolve(self, level: int | None, knob: float | None) -> float:
        """Return the knob value meant by exactly one of a level (0 = identity) and a knob value.

        Raises:
            ArtifactError: both or neither given, an unknown level, a value outside [0, limit].

        """
        if (level is None) == (knob is None):
            raise ArtifactError(
                "a severity is either a level or a knob value: "
                f"received level={level!r} and knob={knob!r}; pass exactly one of them"
            )
        return self._at_level(level) if knob is None else self._checked(knob)

    def _at_level(self, level: int | None) -> float:
        values = dict(enumerate((0.0, *self.levels)))
        if level is None or level not in values:
            raise ArtifactError(
                f"levels are the integers 0 (identity) to {len(self.levels)}: received {level!r}; "
                f"for a severity in between pass knob={self.name} ({self.unit})"
            )
        return values[level]

    def _checked(self, knob: float) -> float:
        if not (math.isfinite(knob) and 0 <= knob <= self.limit):
            raise ArtifactError(
                f"the knob {self.name} is a finite number from 0 (identity) to {self.limit:g} "
                f"({self.unit}): received {knob!r}; levels 1 to {len(self.levels)} are "
                + ", ".join(f"{value:g}" for value in self.levels)
            )
        return float(knob)


LEVELS: Mapping[str, Knob] = MappingProxyType(
    {
        "rician": Knob(
            name="sigma",
            unit="noise sigma as a fraction of the slice's maximum; 1 / sigma is the peak SNR",
            levels=(0.015, 0.03, 0.05, 0.07, 0.1),
            limit=1.0,
        ),
        "motion": Knob(
            name="degrees",
            unit="largest rotation in degrees; each degree brings up to 0.25 % of the field of "
            "view of translation",
            levels=(1.0, 2.0, 4.0, 7.0, 12.0),
            limit=45.0,
        ),
        "ghosting": Knob(
            name="amplitude",
            unit="modulation of the k-space lines; the two replicas have half of it each",
            levels=(0.25, 0.45, 0.7, 1.0, 1.4),
            limit=2.0,
        ),
        "spike": Knob(
            name="ratio",
            unit="spike magnitude as a fraction of the largest k-space magnitude",
            levels=(0.15, 0.3, 0.45, 0.65, 0.9),
            limit=10.0,
        ),
        "bias": Knob(
            name="log_gain",
            unit="peak-to-peak natural logarithm of the gain over the foreground",
            levels=(0.7, 1.3, 2.0, 2.8, 3.6),
            limit=6.0,
        ),
    }
)
