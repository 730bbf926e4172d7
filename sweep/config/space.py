"""The search space as a user writes it: ``train.lr: {log: [1.0e-4, 1.0e-2]}``."""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from sweep.core.errors import UserError, nearest

Kind = Literal["choice", "uniform", "log", "int", "int_log"]
KINDS = get_args(Kind)


@dataclass(frozen=True)
class Dimension:
    """One searched setting.

    Attributes:
        kind: ``choice`` of listed values; ``uniform`` or ``log``-uniform real number; ``int`` or
            ``int_log``-uniform whole number, both ends included.
        values: The choices, or the two ends.

    """

    kind: Kind
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, name: str, written: object) -> "Dimension":
        """Read ``{kind: values}``.

        Raises:
            UserError: Not one known kind, no values, ends that are not two ordered numbers.

        """
        if not isinstance(written, dict) or len(written) != 1:
            raise UserError(
                f"search.space.{name} is not one kind with its values",
                f"{written!r}",
                "write it for example as {log: [1.0e-4, 1.0e-2]}",
            )
        kind, values = next(iter(written.items()))
        if kind not in KINDS:
            raise UserError(
                f"search.space.{name} has an unknown kind", f"{kind!r}", nearest(str(kind), KINDS)
            )
        if not isinstance(values, list | tuple) or not values:
            raise UserError(
                f"search.space.{name}.{kind} is not a list of values",
                f"{values!r}",
                "list at least one",
            )
        read = tuple(values) if kind == "choice" else _ends(name, kind, values)
        if len(set(map(repr, read))) != len(read):
            raise UserError(
                f"search.space.{name}.{kind} lists a value twice", list(read), "drop one"
            )
        return cls(cast(Kind, kind), read)


def _ends(name: str, kind: str, values: list[Any] | tuple[Any, ...]) -> tuple[float | int, ...]:
    whole = kind.startswith("int")
    try:
        low, high = (float(value) for value in values)
        if not all(math.isfinite(end) and (not whole or end.is_integer()) for end in (low, high)):
            raise ValueError
    except (TypeError, ValueError):
        raise UserError(
            f"search.space.{name}.{kind} is not two {'whole' if whole else 'finite'} numbers",
            f"{values!r}",
            "write it as [low, high]",
        ) from None
    if low >= high or ("log" in kind and low <= 0):
        rule = "0 < low < high" if "log" in kind else "low < high"
        raise UserError(
            f"search.space.{name}.{kind} is not {rule}", f"[{low}, {high}]", "correct the two ends"
        )
    return (int(low), int(high)) if whole else (low, high)
