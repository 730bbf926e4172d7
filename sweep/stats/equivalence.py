"""What a difference and its intervals say against a margin that was stated before."""

from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "no worse", "undecided"]
Ends = tuple[float, float]


def verdict(narrow: Ends, wide: Ends, margin: float) -> Verdict:
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


def in_words(
    word: Verdict, first: str, second: str, narrow: Ends, wide: Ends, margin: float
) -> str:
    """A verdict as a sentence, with the interval that it stands on.

    Args:
        word: The verdict on the first.
        first: What was compared.
        second: With what.
        narrow: The 90 % interval of the difference, the first less the second.
        wide: The 95 % interval.
        margin: The largest difference that does not matter.

    """
    by_90 = f"90 % interval {narrow[0]:+.3f} to {narrow[1]:+.3f}"
    by_95 = f"95 % interval {wide[0]:+.3f} to {wide[1]:+.3f}"
    if word in ("better", "worse"):
        return f"{first} is {word} than {second} ({by_95})."
    if word == "equivalent":
        none = wide[0] <= 0 <= wide[1]
        found = "" if none else f"; there is a difference ({by_95}), which does not matter"
        return (
            f"{first} and {second} are equivalent: they differ by less than {margin:g} "
            f"({by_90}){found}."
        )
    if word == "no worse":
        return (
            f"{first} is not worse than {second} by {margin:g} or more ({by_90}); whether it is "
            "better is not known."
        )
    if wide[0] != wide[0]:
        return f"Nothing is known of how {first} and {second} differ."
    return (
        f"Whether {first} and {second} differ is not known: both no difference and one of "
        f"{margin:g} or more are possible ({by_95})."
    )
