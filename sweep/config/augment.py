"""What a user can set for what happens to training slices before the network sees them."""

from dataclasses import dataclass

from artifacts_sim import LEVELS
from sweep.config.base import Settings, require

MOST_CHAINS = 10  # of AugMix: each costs as much as all artifacts of a batch


@dataclass(frozen=True, kw_only=True)
class AugmentSettings(Settings):
    """Training slices as they might have been; none of it by default.

    Every draw is keyed by the trial's seed, the epoch and the slice, and those of artifacts by its
    scan: docs/training.md says in which order all of it happens.

    Attributes:
        artifacts: Names to draw from, with equal weight; as in ``stress.artifacts``. When to change
            it: models are to be trained for what they will meet; hold some artifacts out to see
            what that is worth.
        levels: Levels to draw from, with equal weight; as of the stress test, those alone that the
            artifact reaches. When to change it: training should see mild damage alone.
        probability: Chance of a slice to get artifacts. When to change it: scores on clean images
            fall (less), or robustness is all that counts (more).
        chain: The most artifacts on a slice that gets any: 1 to this many different ones, each
            number as likely, in one chain in the scanner's order. 1: exactly one. When to change
            it: images of your scanner have several faults at once.
        holdout: Whether ``artifacts`` may have some of the held-out family; the stress test on that
            family is then no longer one on artifacts that no training has seen. When to change it:
            no claim is to be made on unseen artifacts.
        augmix: Chains of artifacts that are mixed into one image, in AugMix (arXiv 1912.02781),
            which used 3; 0: off. Every slice is mixed, so ``probability`` and ``chain`` do not
            count. A chain has 1 to 3 of ``artifacts`` at ``levels``. When to change it: time allows
            it: a step costs several times as much.
        augmix_consistency: Weight of the Jensen-Shannon divergence between the predictions for
            the slice without artifacts and for two mixes of it (arXiv 1912.02781, which used 12);
            the loss of the labels is then of the first. 0: off.
        flip_horizontal: Chance of a slice to be mirrored left to right. When to change it: left and
            right mean the same for your labels.
        flip_vertical: Chance of a slice to be mirrored top to bottom.
        rotate: Largest angle in degrees, either way, uniform. When to change it: patients lie
            differently in your scanners.
        translate: Largest shift along rows and along columns, either way, uniform; as a fraction
            of the size.
        scale: Largest relative change of the size: a factor, uniform in 1 - scale to 1 + scale.
        crop: Least share of the area that a crop keeps, which is then shown at full size; uniform
            from there to 1, of an aspect of up to 4/3 (arXiv 1409.4842, which used 0.08). 1: off.
        randconv: Chance of a slice's network input to be mixed with a random convolution of it
            (arXiv 2007.13003, which used 0.5).

    """

    artifacts: tuple[str, ...] = ()
    levels: tuple[int, ...] = LEVELS
    probability: float = 0.5
    chain: int = 1
    holdout: bool = False
    augmix: int = 0
    augmix_consistency: float = 0.0
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    rotate: float = 0.0
    translate: float = 0.0
    scale: float = 0.0
    crop: float = 1.0
    randconv: float = 0.0

    def __post_init__(self) -> None:
        for name in ("probability", "flip_horizontal", "flip_vertical", "randconv"):
            chance = getattr(self, name)
            require(0 <= chance <= 1, name, "a number from 0 to 1", chance)
        require(bool(self.levels), "levels", "at least one level", self.levels)
        require(self.chain >= 1, "chain", "1 or more", self.chain)
        rule = f"0 to {MOST_CHAINS}; the paper took 3"
        require(0 <= self.augmix <= MOST_CHAINS, "augmix", rule, self.augmix)
        require(
            not self.augmix or bool(self.artifacts),
            "augmix",
            "0, or name the artifacts to mix in train.augment.artifacts",
            self.augmix,
        )
        weight = self.augmix_consistency
        require(0 <= weight < float("inf"), "augmix_consistency", "a number of 0 or more", weight)
        require(
            not weight or bool(self.augmix),
            "augmix_consistency",
            "0, or set train.augment.augmix to a number of chains, such as 3",
            weight,
        )
        require(0 <= self.rotate <= 180, "rotate", "degrees from 0 to 180", self.rotate)
        for name in ("translate", "scale"):
            share = getattr(self, name)
            require(0 <= share < 1, name, "a number from 0 to below 1", share)
        require(0 < self.crop <= 1, "crop", "a number above 0, up to 1", self.crop)
