"""A condition that rows of a ranking are asked for: ``clean/auroc>=0.9``, ``train.lr<1e-3``.

It is on a metric, on a searched setting by its dotted name, or on what else tells a trial from
others, such as its norm or its status.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sweep.config.reading import NOT_YAML, load_yaml
from sweep.core.conditions import SIZES
from sweep.core.errors import UserError, nearest
from sweep.core.records import is_missing
from sweep.core.states import OF_TRIALS
from sweep.core.text import listed

if TYPE_CHECKING:
    from sweep.results.ranking import Ranked

FIELDS = ("trial", "norm", "seed", "epoch", "status", "mode")  # of a row, beside its two tables
_ABSENT = object()


@dataclass(frozen=True)
class Where:
    """``name sign value``.

    Attributes:
        name: A metric, a searched setting by its dotted name, or one of ``FIELDS``.
        sign: ``==``, ``!=``, or of numbers ``>=``, ``<=``, ``>``, ``<``.
        value: What it is compared with, as YAML has it.

    """

    name: str
    sign: str
    value: Any

    _FORM: ClassVar[re.Pattern[str]] = re.compile(
        r"\s*([^<>=!\s]+)\s*(>=|<=|==|!=|=|>|<)\s*(.*?)\s*", re.DOTALL
    )

    @classmethod
    def parse(cls, text: str) -> "Where":
        """Read ``NAME>=VALUE``, with or without spaces.

        Raises:
            UserError: A text that is none, that compares the size of what is no number, or that
                names a status that no trial can have.

        """
        remedy = "give NAME>=VALUE, such as 'clean/auroc>=0.9', 'train.lr<1e-3' or 'norm==group'"
        match = cls._FORM.fullmatch(text)
        try:
            value = load_yaml(match[3]) if match and match[3] else _ABSENT
        except NOT_YAML:
            value = _ABSENT
        if match is None or value is _ABSENT:
            raise UserError("--where cannot be read", f"{text!r}", remedy)
        sign = "==" if match[2] == "=" else match[2]
        if match[1] == "status" and value not in OF_TRIALS:
            raise UserError(
                "there is no such status of a trial",
                f"{match[3]!r} in {text!r}",
                nearest(str(value), OF_TRIALS),
            )
        if sign in SIZES and not _is_number(value):
            raise UserError(
                "--where compares with something that is not a number",
                f"{match[3]!r} in {text!r}",
                f"{remedy}; of texts == and != alone",
            )
        return cls(match[1], sign, value)

    def holds(self, row: "Ranked") -> bool:
        """Whether it holds; what a row lacks, such as a missing score, fulfils no condition."""
        value = self.value_in(row)
        if value is _ABSENT:
            return False
        if self.sign in SIZES:
            return _is_number(value) and SIZES[self.sign](value, self.value)
        same = value == self.value or str(value) == str(self.value)
        return same == (self.sign == "==")

    def value_in(self, row: "Ranked") -> Any:
        """What of a row is compared; ``_ABSENT`` where it lacks that, or its score is missing."""
        value = (
            getattr(row, self.name)
            if self.name in FIELDS
            else row.metrics.get(self.name, row.params.get(self.name, _ABSENT))
        )
        return _ABSENT if isinstance(value, float) and is_missing(value) else value

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.value}"


def nearest_miss(condition: Where, rows: Iterable["Ranked"]) -> str | None:
    """What comes nearest to a condition that no row fulfils; None where one does or has nothing.

    Returns:
        Of numbers the nearest with its trial, else the values that there are.

    """
    rows = list(rows)
    if any(map(condition.holds, rows)):
        return None
    values = [(value, row) for row in rows if (value := condition.value_in(row)) is not _ABSENT]
    numbers = [(value, row) for value, row in values if _is_number(value)]
    if _is_number(condition.value) and numbers:
        value, row = min(numbers, key=lambda pair: abs(pair[0] - condition.value))
        return f"nearest to {condition}: {value:.4g}, of {row.trial}"
    found = sorted({str(value) for value, _ in values})
    return f"none has {condition}; there are {listed(found)}" if found else None


def names_in(rows: Iterable["Ranked"]) -> set[str]:
    """All that a condition on some of these rows may name."""
    return {*FIELDS, *(name for row in rows for name in (*row.metrics, *row.params))}


def require_names(conditions: Iterable[Where], rows: Iterable["Ranked"]) -> None:
    """Raise ``UserError`` for a condition on what none of the rows has."""
    conditions = list(conditions)
    known = names_in(rows) if conditions else set()
    for one in conditions:
        if one.name not in known:
            raise UserError(
                "no trial has this metric or searched setting",
                f"{one.name!r}",
                nearest(one.name, known),
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
