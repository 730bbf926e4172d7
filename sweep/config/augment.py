"""What a user can set for what happens to training slices before the network sees them."""

from dataclasses import dataclass

from artifacts_sim import LEVELS
from sweep.config.base import Settings, require


@dataclass(frozen=True, kw_only=True)
class AugmentSettings(Settings):
    """MR artifacts drawn on training slices; none by default (the study trains on clean images).

    Attributes:
        artifacts: Names to draw from, with equal weight; see ``StressSettings``.
        levels: Levels to draw from, with equal weight; as of the stress test, those alone that
            the artifact reaches.
        probability: Chance of a slice to get one artifact.

    """

    artifacts: tuple[str, ...] = ()
    levels: tuple[int, ...] = LEVELS
    probability: float = 0.5

    def __post_init__(self) -> None:
        require(0 <= self.probability <= 1, "probability", "a number from 0 to 1", self.probability)
        require(bool(self.levels), "levels", "at least one level", self.levels)
