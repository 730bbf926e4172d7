"""How many groups the channels of a layer make: the rule, and the setting that goes before it."""

from dataclasses import dataclass

from mrimodels.errors import ModelError

MAX_GROUPS = 32


def group_count(channels: int) -> int:
    """Return the largest divisor of `channels` that is at most 32 and leaves 2 channels a group.

    This is group norm with the paper's default of 32 groups (Wu & He, arXiv 1803.08494) where
    they fit (64 -> 32) and fewer in narrow layers (16 -> 8). One channel a group is excluded
    because it would be instance norm under another name. A prime count has only one group left,
    which is layer norm: give even widths to compare the two.

    Raises:
        ModelError: Fewer than 2 channels.

    """
    if channels < 2:
        raise ModelError(
            "the layer has too few channels: group norm needs at least 2 channels, "
            "so that a group is not a single channel",
            channels,
            "use a wider layer",
        )
    most = min(MAX_GROUPS, channels // 2)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


@dataclass(frozen=True)
class Groups:
    """The groups of every layer of a network, said in one of two ways, or left to `group_count`.

    Attributes:
        number: Groups in every layer (1 is layer norm), or None.
        channels: Channels in every group (1 is instance norm), or None.

    Raises:
        ModelError: Both are given, or one is no count.

    """

    number: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        for setting, count in (
            ("norm_groups", self.number),
            ("norm_group_channels", self.channels),
        ):
            if count is not None and (type(count) is not int or count < 1):
                raise ModelError(
                    f"{setting} is not an integer of at least 1",
                    repr(count),
                    "give a plain int, or None for the common rule",
                )
        if self.number is not None and self.channels is not None:
            raise ModelError(
                "the groups are given twice",
                f"norm_groups={self.number} and norm_group_channels={self.channels}",
                "drop one of them",
            )

    def of(self, channels: int) -> int:
        """Return how many groups a layer of `channels` channels has.

        Raises:
            ModelError: The setting does not divide the channels, or they are too few for the rule.

        """
        if self.number is None and self.channels is None:
            return group_count(channels)
        setting = "norm_groups" if self.channels is None else "norm_group_channels"
        divisor = self.number or self.channels or 1
        if channels % divisor:
            divisors = [str(n) for n in range(1, channels + 1) if channels % n == 0]
            raise ModelError(
                f"{setting} does not divide the {channels} channels of a layer",
                divisor,
                f"take one of {', '.join(divisors)}, or another width",
            )
        return divisor if self.channels is None else channels // divisor
