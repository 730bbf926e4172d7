"""Whether a value is what its annotation says: what was read from a file may be anything.

Python holds nobody to an annotation. What JSON or a pickle gave is therefore compared with the
class that was made of it, down to the last value, before anybody takes it for what it calls itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sweep.core.text import ACTED_ON

LATEST_MS = 253_402_300_799_999  # the end of the year 9999, which calendars still have
MOST = 2**64  # beyond every number that is counted here, and every seed
DEEP = 50  # more levels than anything that is kept has

_PART = re.compile(r"\w[\w.+-]*")

Wrong = tuple[str, str]  # the place in a value, and what is wrong there
Check = Callable[[Any], "Wrong | None"]


def require_kind(kind: Any, value: Any) -> None:
    """Raise ``ValueError``, which says where and what, unless a value is of a kind.

    Args:
        kind: An annotation: a class of values, or a class made of such. Fields that end in ``_ms``
            are Unix times.
        value: The value.

    """
    _refuse(_check(kind)(value))


def require_part(name: object) -> None:
    """Raise ``ValueError`` unless a name can be part of a path and leads nowhere else."""
    if not isinstance(name, str) or not _PART.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r:.80} is no name of a file of the sweep")


@lru_cache(maxsize=4096)  # as the metrics of ten thousand trials have the same names
def is_kept(text: str) -> bool:
    """Whether a record may have a text in it; another one is refused when the record is read."""
    return ACTED_ON.search(text) is None


def _refuse(found: Wrong | None) -> None:
    if found is not None:
        place, wrong = found
        raise ValueError(f"{place}: {wrong}" if place else wrong)


@cache
def _check(kind: Any) -> Check:
    origin, args = get_origin(kind), get_args(kind)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if origin is Literal:
        return _one_of(args)
    if origin in (Union, UnionType):
        return _either(tuple(map(_check, args)))
    if origin is tuple and args[1:] == (...,):
        return _each(tuple, _check(args[0]))
    if origin is tuple:
        return _row(tuple(map(_check, args)))
    if origin is list:
        return _each(list, _check(args[0]))
    if origin is dict or origin is Mapping:
        return _table(*map(_check, args))
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return _fields(kind)
    raise TypeError(f"there is no check of the kind {kind!r}")


def _text(value: Any) -> Wrong | None:
    if type(value) is str and is_kept(value):
        return None
    return _is(value, "a text that no name is" if type(value) is str else "no text")


def _whole(value: Any) -> Wrong | None:
    fits = type(value) is int and -MOST <= value < MOST
    return None if fits else _is(value, "no whole number")


def _number(value: Any) -> Wrong | None:
    if type(value) is float or _whole(value) is None:
        return None
    return _is(value, "no number")


def _truth(value: Any) -> Wrong | None:
    return None if type(value) is bool else _is(value, "neither true nor false")


def _none(value: Any) -> Wrong | None:
    return None if value is None else _is(value, "not null")


def _time(value: Any) -> Wrong | None:
    fits = type(value) is int and 0 <= value <= LATEST_MS
    return None if fits else _is(value, "no Unix time in ms")


def _plain(value: Any) -> Wrong | None:
    """Any value as JSON has it; what is shared is looked at once."""
    seen: set[int] = set()
    level = [value]
    for _ in range(DEEP):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict | list | tuple):
                if id(one) not in seen:
                    seen.add(id(one))
                    inner += [*one.keys(), *one.values()] if isinstance(one, dict) else one
            elif one is not None and type(one) not in (bool, float):
                wrong = _text(one) if isinstance(one, str) else _whole(one)
                if wrong is not None:
                    return wrong
        if not inner:
            return None
        level = inner
    return "", f"it has more than {DEEP} levels"


def _is(value: Any, what: str) -> Wrong:
    return "", f"{value!r:.80} is {what}"


_SIMPLE: dict[Any, Check] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    None: _none,
    NoneType: _none,
    Any: _plain,
    object: _plain,
}


def _one_of(values: tuple[Any, ...]) -> Check:
    known = {(type(one), one) for one in values}
    what = f"none of {', '.join(map(repr, values))}"

    def check(value: Any) -> Wrong | None:
        plain = isinstance(value, str | int | float)
        return None if plain and (type(value), value) in known else _is(value, what)

    return check


def _either(checks: tuple[Check, ...]) -> Check:
    def check(value: Any) -> Wrong | None:
        found = [one(value) for one in checks]
        return None if None in found else found[0]

    return check


def _each(kind: type[Sequence[Any]], of: Check) -> Check:
    def check(value: Any) -> Wrong | None:
        if type(value) is not kind:
            return _is(value, "no list")
        for at, one in enumerate(value):
            if (wrong := of(one)) is not None:
                return _at(at, wrong)
        return None

    return check


def _row(checks: tuple[Check, ...]) -> Check:
    def check(value: Any) -> Wrong | None:
        if type(value) is not tuple or len(value) != len(checks):
            return _is(value, f"no list of {len(checks)}")
        for at, (one, item) in enumerate(zip(checks, value, strict=True)):
            if (wrong := one(item)) is not None:
                return _at(at, wrong)
        return None

    return check


def _table(name: Check, of: Check) -> Check:
    def check(value: Any) -> Wrong | None:
        if type(value) is not dict:
            return _is(value, "no dictionary")
        for key, one in value.items():
            if (wrong := name(key) or of(one)) is not None:
                return _at(key, wrong)
        return None

    return check


def _fields(kind: Any) -> Check:
    """Of a dataclass or a named tuple."""
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)] if is_dataclass(kind) else list(kind._fields)
    checks = [(name, _field(name, hints[name])) for name in names]

    def check(value: Any) -> Wrong | None:
        if not isinstance(value, kind):
            return _is(value, f"no {kind.__name__}")
        for name, one in checks:
            if (wrong := one(getattr(value, name))) is not None:
                return _at(name, wrong)
        return None

    return check


def _field(name: str, kind: Any) -> Check:
    if not name.endswith("_ms"):
        return _check(kind)
    return _either((_none, _time)) if NoneType in get_args(kind) else _time


def _at(place: object, found: Wrong) -> Wrong:
    within, what = found
    return (f"{place}.{within}" if within else str(place)), what
