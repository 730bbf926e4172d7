"""The search space as a user writes it: ``train.lr: {log: [1.0e-4, 1.0e-2]}``."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, cast, get_args

from sweep.core.errors import UserError, nearest
from sweep.core.text import as_written

Kind = Literal["choice", "uniform", "log", "int", "int_log"]
KINDS = get_args(Kind)
WHEN = "when"
_OF_WHOLE = {"uniform": "int", "log": "int_log"}  # a range of real numbers: that of whole ones
SHORT = 32  # whole numbers of a range that are all tried


@dataclass(frozen=True)
class Dimension:
    """One searched setting.

    Attributes:
        kind: ``choice`` of listed values; ``uniform`` or ``log``-uniform real number; ``int`` or
            ``int_log``-uniform whole number, both ends included.
        values: The choices, or the two ends.
        when: Other searched choices -> the values with which this one is searched; with others its
            setting stays as it is set. Empty: it is always searched.

    """

    kind: Kind
    values: tuple[Any, ...]
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, written: object) -> "Dimension":
        """Read ``{kind: values}``, or ``{kind: values, when: {other: value or values}}``.

        Raises:
            UserError: Not one known kind, no values, ends that are not two ordered numbers, a
                condition that is none.

        """
        kinds = dict(written) if isinstance(written, dict) else {}
        conditions = kinds.pop(WHEN, {})
        if len(kinds) != 1:
            raise UserError(
                f"search.space.{name} is not one kind with its values",
                as_written(written),
                "write it for example as {log: [1.0e-4, 1.0e-2]}",
            )
        kind, values = next(iter(kinds.items()))
        if kind not in KINDS:
            raise UserError(
                f"search.space.{name} has an unknown kind", f"{kind!r}", nearest(str(kind), KINDS)
            )
        if not isinstance(values, list | tuple) or not values:
            raise UserError(
                f"search.space.{name}.{kind} is not a list of values",
                as_written(values),
                "list at least one",
            )
        read = tuple(values) if kind == "choice" else _ends(name, kind, values)
        if len(set(map(repr, read))) != len(read):
            raise UserError(
                f"search.space.{name}.{kind} lists a value twice", list(read), "drop one"
            )
        return cls(cast(Kind, kind), read, _when(name, conditions))

    def applies(self, params: Mapping[str, Any]) -> bool:
        """Whether it is searched beside these values of the others."""
        return all(other in params and params[other] in of for other, of in self.when.items())

    def samples(self) -> tuple[Any, ...]:
        """Values that stand for all, the ends among them: what a setting refuses, it refuses now.

        All choices, and all whole numbers of a short range; of a real number one that is no whole
        number, too.
        """
        if self.kind == "choice":
            return self.values
        low, high = self.values
        if not self.kind.startswith("int"):
            inner = math.sqrt(low * high) if self.kind == "log" else low + (high - low) / math.e
            return (low, inner, high)
        step = max(1, math.ceil((high - low) / SHORT))
        return (*range(low, high, step), high)

    def require_whole(self, name: str) -> None:
        """Refuse a range of real numbers for a setting that takes whole ones.

        Raises:
            UserError: It is one; the remedy writes the range of whole numbers within.

        """
        if self.kind not in _OF_WHOLE:
            return
        low, high = math.ceil(self.values[0]), math.floor(self.values[1])
        kind = _OF_WHOLE[self.kind]
        raise UserError(
            f"search.space.{name} takes whole numbers, and {self.kind} draws others",
            f"{{{self.kind}: {as_written(list(self.values))}}}",
            f"write {{{kind}: [{low}, {high}]}}" if low < high else "list them: {choice: [a, b]}",
        )

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it."""
        if self.kind == "choice":
            return value in self.values
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = not self.kind.startswith("int") or (number and float(value).is_integer())
        return bool(number and whole and self.values[0] <= value <= self.values[1])


def in_order(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """The same, none before those that it depends on.

    Raises:
        UserError: One depends on what is not searched, is no choice or has no such value, or on
            itself by way of others.

    """
    for name, dimension in dimensions.items():
        for other, values in dimension.when.items():
            parent = dimensions.get(other)
            if parent is None or parent.kind != "choice":
                choices = [one for one, d in dimensions.items() if d.kind == "choice"]
                raise UserError(
                    f"search.space.{name} is searched when a setting has a value that is itself "
                    "no choice of search.space",
                    f"{other!r}",
                    nearest(other, set(choices) - {name}),
                )
            for value in values:
                if value not in parent.values:
                    raise UserError(
                        f"search.space.{name} is searched when {other} has a value that "
                        "search.space does not offer",
                        as_written(value),
                        f"take of {as_written(parent.values)}",
                    )
    try:
        sorter = TopologicalSorter({name: list(one.when) for name, one in dimensions.items()})
        return {name: dimensions[name] for name in sorter.static_order()}
    except CycleError as error:
        raise UserError(
            "settings of search.space depend on each other",
            " -> ".join(error.args[1]),
            "drop the `when` of one of them",
        ) from None


def combinations(
    dimensions: Mapping[str, Dimension], names: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """The values that choices, and those that they depend on, may have together.

    Args:
        dimensions: The search space, none before those that it depends on.
        names: The choices; those that are not searched are left out.

    """
    wanted = [name for name in names if name in dimensions]
    for name in wanted:
        wanted += [other for other in dimensions[name].when if other not in wanted]
    ordered = [name for name in dimensions if name in wanted]
    seen: list[dict[str, Any]] = []
    for values in itertools.product(*(dimensions[name].values for name in ordered)):
        params: dict[str, Any] = {}
        for name, value in zip(ordered, values, strict=True):
            if dimensions[name].applies(params):
                params[name] = value
        if params not in seen:
            seen.append(params)
            yield params


def applying(dimensions: Mapping[str, Dimension], values: Mapping[str, Any]) -> dict[str, Any]:
    """Of values for all of a search space those that are searched beside the others."""
    params: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        if dimension.applies(params):
            params[name] = values[name]
    return params


def _when(name: str, written: object) -> dict[str, tuple[Any, ...]]:
    if not isinstance(written, dict) or not all(isinstance(one, str) for one in written):
        raise UserError(
            f"search.space.{name}.when does not say which setting has which value",
            as_written(written),
            "write it for example as {model.norm: group}, or {model.norm: [group, layer]}",
        )
    return {
        other: tuple(values) if isinstance(values, list | tuple) else (values,)
        for other, values in written.items()
    }


def _ends(name: str, kind: str, values: list[Any] | tuple[Any, ...]) -> tuple[float | int, ...]:
    whole = kind.startswith("int")
    try:
        low, high = (float(value) for value in values)
        if not all(math.isfinite(end) and (not whole or end.is_integer()) for end in (low, high)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):  # the last of a whole number beyond all floats
        raise UserError(
            f"search.space.{name}.{kind} is not two {'whole' if whole else 'finite'} numbers",
            as_written(values),
            "write it as [low, high]",
        ) from None
    if low >= high or ("log" in kind and low <= 0):
        rule = "0 < low < high" if "log" in kind else "low < high"
        raise UserError(
            f"search.space.{name}.{kind} is not {rule}", f"[{low}, {high}]", "correct the two ends"
        )
    return (int(low), int(high)) if whole else (low, high)
