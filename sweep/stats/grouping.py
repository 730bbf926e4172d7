"""Which group a slice is in: by the text that a column has of it, or by the band of a number."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sweep.core.errors import UserError, refuse
from sweep.core.text import one_line

UNKNOWN = "unknown"  # the group of slices of which a column says nothing
MOST_NUMBERS = 12  # values of a column of numbers that are groups by themselves
MOST_TEXTS = 50  # values of any other: more tell slices apart, and make no groups


def edges_of(bands: str) -> tuple[float, ...]:
    """Where bands begin, of a text such as ``40,60``; raise ``UserError`` for what is none."""
    try:
        return tuple(float(part) for part in bands.split(","))
    except ValueError:
        raise UserError(
            "bands are no numbers", f"{bands!r}", "give where each begins, such as 40,60"
        ) from None


def require_min(patients: int | None) -> int | None:
    """So many patients a group has to have; raise ``UserError`` for less than one."""
    if patients is not None and patients < 1:
        raise UserError("--min-patients is below 1", patients, "give 1 or more")
    return patients


@dataclass(frozen=True)
class Grouping:
    """How slices are told apart.

    Attributes:
        column: The column of the store whose values are groups.
        bands: Where bands of a column of numbers begin, ascending: 40 and 60 make ``<40``, ``40 to
            <60`` and ``>=60``. A band has the number that it begins with, and not the one that it
            ends with. None: each value is a group.

    Raises:
        UserError: Bands that do not ascend, are no finite numbers, or without one.

    """

    column: str
    bands: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        ascending = all(one < other for one, other in pairwise(self.bands))
        if not ascending or not all(map(math.isfinite, self.bands)):
            raise UserError(
                "bands do not ascend",
                ", ".join(f"{edge:g}" for edge in self.bands),
                "give numbers where a band begins, each above the one before, such as 40,60",
            )

    @classmethod
    def with_bands(cls, column: str, values: Iterable[str], bands: Sequence[float]) -> "Grouping":
        """With bands where the column is one of numbers, and else without.

        Args:
            column: See the class.
            values: What the column has; empty: nothing is known.
            bands: See the class.

        Raises:
            UserError: See the class.

        """
        known = [value for value in values if value]
        of_numbers = bool(known) and all(_number(value) is not None for value in known)
        return cls(column, tuple(bands) if of_numbers else ())

    @classmethod
    def parse(cls, column: str, bands: str | None) -> "Grouping":
        """Of texts, as a command gets them.

        Args:
            column: See the class.
            bands: Numbers with commas between, such as ``40,60``; None: none.

        Raises:
            UserError: No numbers; or see the class.

        """
        return cls(column, () if bands is None else edges_of(bands))

    def of(self, values: Sequence[str]) -> list[str]:
        """The group of each slice.

        Args:
            values: (N,) what the column has of each; empty: nothing is known.

        Returns:
            (N,) names of groups; ``unknown`` where nothing is known.

        Raises:
            UserError: Bands of what are no numbers, or too many values for a group each.

        """
        known = sorted({value for value in values if value})
        if self.bands:
            names = {value: self._band(number) for value, number in self._numbers(known).items()}
        else:
            self._refuse_many(known)
            names = {value: one_line(value) or UNKNOWN for value in known}
        return [names[value] if value else UNKNOWN for value in values]

    def ordered(self, groups: Iterable[str]) -> list[str]:
        """The groups that there are: bands and numbers ascending, else by name, unknown last."""
        there = set(groups)
        if self.bands:
            return [name for name in (*self._bands(), UNKNOWN) if name in there]
        return sorted(there, key=lambda name: (name == UNKNOWN, *_place(name)))

    def _numbers(self, known: Iterable[str]) -> dict[str, float]:
        numbers = {value: _number(value) for value in known}
        refuse(
            f"column {self.column!r} has values that are no numbers, of which there are no bands",
            [repr(value) for value, number in numbers.items() if number is None],
            "leave the bands out, or correct the column and ingest again",
        )
        return {value: number for value, number in numbers.items() if number is not None}

    def _bands(self) -> list[str]:
        edges = [_edge(edge) for edge in self.bands]
        between = [f"{low} to <{high}" for low, high in pairwise(edges)]
        return [f"<{edges[0]}", *between, f">={edges[-1]}"]

    def _band(self, number: float) -> str:
        return self._bands()[bisect_right(self.bands, number)]

    def _refuse_many(self, known: Sequence[str]) -> None:
        of_numbers = bool(known) and all(_number(value) is not None for value in known)
        most = MOST_NUMBERS if of_numbers else MOST_TEXTS
        if len(known) <= most:
            return
        shown = f"{self.column!r} with {len(known)}, such as {known[0]!r}"
        if of_numbers:
            raise UserError(
                f"a column of numbers has more than {most} values, too many for a group each",
                shown,
                "say where bands begin, such as --bands 40,60",
            )
        raise UserError(
            f"a column has more than {most} values, too many for a group each",
            shown,
            "take a column that many patients share a value of, such as site",
        )


def _edge(number: float) -> str:
    """A number with all of its digits, so that no two bands have one name, as those of dates."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number).removesuffix(".0")


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _place(name: str) -> tuple[bool, float, str]:
    number = _number(name)
    return number is None, number or 0.0, name
