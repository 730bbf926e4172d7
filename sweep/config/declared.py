"""What settings are declared as: in words, and at a path into a section."""

import re
import types
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from sweep.config.base import Settings, key_of
from sweep.core.text import as_written

_PLURAL = {"text": "texts", "integer": "integers", "number": "numbers", "section": "sections"}
_WORDS = {bool: "true or false", int: "integer", float: "number", str: "text", Any: "value"}
_ARTICLES = {"integer": "an ", "number": "a ", "text": "a ", "section": "a "}


class Place(NamedTuple):
    """A setting, or a part of one.

    Attributes:
        name: As users write it, such as ``stress.levels[1]``.
        declared: What it is declared as; ``Any`` where nobody has said.

    """

    name: str
    declared: Any


def place_at(path: Sequence[str | int], whole: type[Settings]) -> Place:
    """The setting at a path into a section, as pydantic says where a fault is.

    Where a setting may be one of several kinds, pydantic names the kind as well, and what is wrong
    with the value as that: such a path ends at the setting.

    Args:
        path: Keys, places in lists, and kinds.
        whole: The section.

    """
    name, declared = "", whole
    for part in path:
        kinds = [one for one in alternatives(declared) if one is not type(None)]
        if len(kinds) > 1:
            break
        declared = _inside(kinds[0], part)
        dot = "." if name else ""
        name += f"[{part}]" if isinstance(part, int) else f"{dot}{part}"
    return Place(name, declared)


def _inside(declared: Any, key: str | int) -> Any:
    if is_section(declared):
        hints = get_type_hints(declared)
        return next((hints[one.name] for one in fields(declared) if key_of(one.name) == key), Any)
    if get_origin(declared) is tuple:
        return get_args(declared)[0]
    return get_args(declared)[1] if get_origin(declared) is dict else Any


def is_section(declared: Any) -> bool:
    """Whether it is a section of its own, and not one that may be null."""
    return isinstance(declared, type) and issubclass(declared, Settings)


def alternatives(declared: Any) -> tuple[Any, ...]:
    """The kinds that a value may be, null among them."""
    is_union = get_origin(declared) in (Union, types.UnionType)
    return get_args(declared) if is_union else (declared,)


def without_null(declared: Any) -> Any:
    """The one kind that a value may be beside null; of several, all of them."""
    kinds = [one for one in alternatives(declared) if one is not type(None)]
    return kinds[0] if len(kinds) == 1 else declared


def in_words(declared: Any) -> str:
    """What a setting takes, such as ``list of integers or null``."""
    kinds = alternatives(declared)
    if len(kinds) > 1:
        return " or ".join(map(in_words, kinds))
    (kind,) = kinds
    if kind is type(None):
        return "null"
    if get_origin(kind) is Literal:
        *others, last = (str(one) for one in get_args(kind))
        return f"{', '.join(others)} or {last}" if others else last
    if get_origin(kind) is tuple:
        items = in_words(get_args(kind)[0])
        return f"list of {_PLURAL.get(items, items)}"
    if get_origin(kind) is dict:
        return "keys with values"
    return "section" if is_section(kind) else _WORDS[kind]


def asked(declared: Any, received: object) -> str:
    """What is to be given in the place of what was received, such as ``give an integer``."""
    kinds = alternatives(declared)
    text = f"give {' or '.join(map(_with_article, kinds))}"
    lists = [one for one in kinds if get_origin(one) is tuple]
    if lists:
        return f"{text}, such as {_as_list(received, get_args(lists[0])[0] is int)}"
    if str in kinds and isinstance(received, int | float):
        return f"{text}; in quotes, {str(received)!r}, it is one"
    return text


def _as_list(received: object, of_integers: bool) -> str:
    """What was received as the list that it may have been meant as."""
    if isinstance(received, str):
        parts = re.findall(r"\d+", received) if of_integers else re.split(r"\s*,\s*", received)
        return as_written([int(one) if one.isdecimal() else one for one in parts or ["1", "2"]])
    return as_written([received]) if isinstance(received, int | float) else "[a, b]"


def _with_article(kind: Any) -> str:
    words = in_words(kind)
    return f"a {words}" if words.startswith("list of ") else f"{_ARTICLES.get(words, '')}{words}"
