"""What a difference and its intervals say against a margin that was stated before."""

from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "no worse", "undecided"]


def verdict(narrow: tuple[float, float], wide: tuple[float, float], margin: float) -> Verdict:
    """One word on the first of two, by two one-sided tests (Schuirmann 1987).

    ``equivalent``: the 90 % interval lies within the margin on both sides. ``better`` and
    ``worse``: the 95 % interval does not hold 0. ``no worse``: the 90 % interval lies above minus
    the margin. That two intervals overlap, or that a P value is large, shows none of these.

    Args:
        narrow: The 90 % interval of the difference, the first less the second.
        wide: The 95 % interval.
        margin: The largest difference that does not matter, above 0.

    """
    if narrow[0] > -margin and narrow[1] < margin:
        return "equivalent"
    if wide[0] > 0:
        return "better"
    if wide[1] < 0:
        return "worse"
    if narrow[0] > -margin:
        return "no worse"
    return "undecided"
