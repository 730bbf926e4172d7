"""How a report writes numbers."""

from collections.abc import Sequence

from sweep.core.records import is_missing
from sweep.core.text import MISSING

NONE = MISSING


def value(number: float | None, form: str = ".3f") -> str:
    """A score; a dash where it is missing."""
    return NONE if number is None or is_missing(number) else format(number, form)


def spread(number: float | None, sd: float | None) -> str:
    """A mean and its standard deviation; the mean alone where there is none."""
    if sd is None or is_missing(sd):
        return value(number)
    return f"{value(number)} ± {value(sd)}"


def between(ends: Sequence[float], form: str = ".3f") -> str:
    """An interval."""
    return NONE if is_missing(ends[0]) else f"{ends[0]:{form}} to {ends[1]:{form}}"


def inside(ends: tuple[float, float]) -> tuple[float, float]:
    """An interval, cut off where no score lies; those of our metrics lie from 0 to 1."""
    return ends if is_missing(ends[0]) else (max(0.0, ends[0]), min(1.0, ends[1]))


def chance(p: float) -> str:
    """A P value."""
    if is_missing(p):
        return NONE
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 0.9995 else "1"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
