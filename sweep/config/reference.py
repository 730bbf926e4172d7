"""Every setting of a sweep with its type, range, default and meaning, as its class says them.

The class is the one source: its fields have types and defaults, its docstring says what each does,
and the rules that a value is held to are those that its errors name.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from sweep.config.base import Settings, heard_rules, key_of
from sweep.config.declared import alternatives, in_words, is_section, without_null
from sweep.config.finalists import ExternalSettings, PrimarySettings
from sweep.config.notify import NotifySettings
from sweep.config.settings import DataSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, nearest
from sweep.core.text import as_written

GIVEN = "must be given"  # in the place of a default
WHEN = "When to change it: "  # before the last part of what is said of a setting

# What is made of each class to hear its rules, where settings have no default.
_EXAMPLES: dict[type[Settings], dict[str, Any]] = {
    DataSettings: {"store": "store.h5", "train": ("train",), "validation": ("validation",)},
    SweepConfig: {"name": "a", "data": DataSettings(store="a", train=("a",), validation=("b",))},
    ExternalSettings: {"name": "elsewhere", "store": "store.h5"},
    PrimarySettings: {"between": ("group", "batch")},
    NotifySettings: {"command": ("true",)},
}


@dataclass(frozen=True)
class Setting:
    """One of them.

    Attributes:
        name: Its dotted name.
        kind: What it takes, such as ``integer or null``.
        rule: Which of these; empty: any.
        default: As in YAML; ``must be given`` where there is none; of a section empty, as those of
            its settings are its own.
        text: What it does.
        when: When to change it; empty where its meaning says that.

    """

    name: str
    kind: str
    rule: str
    default: str
    text: str
    when: str


@dataclass(frozen=True)
class Section:
    """Settings that stand together.

    Attributes:
        name: The dotted name, of a section in a list with ``[]``; empty: the file itself.
        text: What it is of.
        settings: Those in it, sections among them.

    """

    name: str
    text: str
    settings: tuple[Setting, ...]


@cache
def sections() -> tuple[Section, ...]:
    """All, each before those within it."""
    return tuple(_sections(SweepConfig, ""))


def described(name: str) -> Section:
    """What is to be said of a section, or of one setting, by its dotted name.

    Raises:
        UserError: There is none of this name.

    """
    wanted = name.strip().strip(".")
    for section in sections():
        if section.name and section.name.removesuffix("[]") == wanted:
            return section
    for section in sections():
        for one in section.settings:
            if one.name == wanted:
                return Section(section.name, section.text, (one,))
    known = {one.name for section in sections() for one in section.settings}
    raise UserError("there is no such setting", f"{name!r}", nearest(wanted, known))


def _sections(kind: type[Settings], name: str) -> Iterator[Section]:
    said, rules, hints = _said(kind), _rules(kind), get_type_hints(kind)
    before = f"{name}." if name else ""
    settings, within = [], []
    for field in fields(kind):
        key = key_of(field.name)
        text, _, when = said.get(field.name, "").partition(WHEN)
        declared = hints[field.name]
        settings.append(
            Setting(
                f"{before}{key}",
                in_words(declared),
                rules.get(field.name, rules.get(key, "")),
                _default(field),
                text.strip(),
                when.strip(),
            )
        )
        if inner := _section_in(declared):
            listed = "[]" if get_origin(without_null(declared)) is tuple else ""
            within.append((inner, f"{before}{key}{listed}"))
    yield Section(name, _paragraphs(kind), tuple(settings))
    for inner, inner_name in within:
        yield from _sections(inner, inner_name)


def _rules(kind: type[Settings]) -> dict[str, str]:
    """What the settings of a section are held to, by name; not what those within it are."""
    made = kind(**_EXAMPLES.get(kind, {}))
    with heard_rules() as heard:
        made.__post_init__()
    rules: dict[str, dict[str, None]] = {}
    for name, rule in heard:
        rules.setdefault(name, {})[rule] = None
    return {name: "; ".join(each) for name, each in rules.items()}


def _said(kind: type) -> dict[str, str]:
    """What the docstring of a class says of each of its attributes."""
    block = _docstring(kind).partition("Attributes:\n")[2]
    block = re.split(r"\n(?=\S)", block)[0]  # another heading ends it
    found = re.findall(r"^    (\w+): (.*(?:\n      .*|\n(?=\n      ))*)", block, re.MULTILINE)
    return {name: re.sub(r"``?", "`", " ".join(text.split())) for name, text in found}


def _paragraphs(kind: type) -> str:
    """What the docstring of a class says before its attributes."""
    return re.sub(r"``?", "`", _docstring(kind).partition("\n\nAttributes:")[0])


def _docstring(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _default(field: "Field[Any]") -> str:
    if field.default_factory is not MISSING:
        value = field.default_factory()
        return "" if isinstance(value, Settings) else as_written(value, quoted=False)
    return GIVEN if field.default is MISSING else as_written(field.default, quoted=False)


def _section_in(declared: Any) -> type[Settings] | None:
    """The class of the section, or of those in the list, that a setting is."""
    for one in alternatives(declared):
        for kind in (one, *get_args(one)):
            if is_section(kind):
                found: type[Settings] = kind
                return found
    return None
