"""What a user writes, as nested plain data: the YAML of a file, and ``key=value`` texts.

Nothing here needs torch, so that a question to a sweep's record is answered at once.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from sweep.config.presets import presets
from sweep.core.errors import UserError, nearest, told
from sweep.core.text import one_line, without_passwords

# What PyYAML raises of a text; beside its own errors, those of a date or a number that cannot be.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


class _Loader(yaml.SafeLoader):
    """YAML in which no key of a mapping is there twice, as the first would be lost in silence.

    And 1e-3 is a number, as in YAML 1.2; PyYAML reads it as a text, by YAML 1.1.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name != "<<" and name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} is there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_file(path: Path) -> dict[str, Any]:
    """The keys and values of a sweep file.

    Raises:
        UserError: No such file, or not YAML with keys and values.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            "there is no such sweep file",
            f"{str(path)!r}",
            f"correct the path, or name a preset; {nearest(str(path), presets())}",
        ) from None
    except IsADirectoryError:
        raise UserError(
            "the sweep file is a folder", f"{str(path)!r}", "give a YAML file, or name a preset"
        ) from None
    except (OSError, ValueError) as error:  # the second is of bytes that are no text, or a NUL
        raise UserError(
            "the sweep file cannot be read",
            f"{str(path)!r} ({one_line(error)})",
            "give a text file in UTF-8 that you may read",
        ) from None
    try:
        raw = yaml.load(text, Loader=_Loader)
    except NOT_YAML as error:
        raise UserError(
            "the sweep file is not YAML", f"{str(path)!r} ({_told(error)})", "correct it there"
        ) from None
    if not isinstance(raw, dict):
        raise UserError(
            "the sweep file does not hold keys with values",
            f"{str(path)!r}",
            "begin it with name: and data:, as deploy/sweeps/demo.yaml does",
        )
    return raw


def _told(error: BaseException) -> str:
    """What is wrong with a text, and where; without the text, which may have a password in it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
        return without_passwords(one_line(f"{error.problem}, line {line}, column {column}"))
    return told(error)


def override(
    raw: dict[str, Any],
    assignments: Iterable[str],
    flag: str = "--set",
    remedy: str = "give key=value, such as train.epochs=2",
) -> dict[str, Any]:
    """Apply ``key=value`` texts, values read as YAML, to nested data.

    Args:
        raw: The data, which are changed.
        assignments: The texts.
        flag: What they were given by, for messages.
        remedy: What to do where a text is none of these.

    Raises:
        UserError: No ``=``, or a value that is not YAML.

    """
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UserError(f"{flag} cannot be read", f"{text!r}", remedy)
        try:
            read = yaml.load(value, Loader=_Loader)
        except NOT_YAML as error:
            raise UserError(
                f"the value of {flag} {name} is not YAML",
                f"{value!r} ({_told(error)})",
                "correct it, or quote it",
            ) from None
        set_dotted(raw, name.strip(), read)
    return raw


def set_dotted(raw: dict[str, Any], name: str, value: Any) -> None:
    """Set one value in nested data by its dotted name.

    ``search.space`` and each arm of ``search.arms`` have dotted names for keys, so what follows is
    one key. ``stress.modes`` may be there as a list, which is short for its ``names``.
    """
    if name.startswith("search.space."):
        parents, last = ["search", "space"], name.removeprefix("search.space.")
    elif name.startswith("search.arms.") and name.count(".") > 2:
        *parents, last = name.split(".", 3)
    else:
        *parents, last = name.split(".")
    node = raw
    for parent in parents:
        child = node.setdefault(parent, {})
        if parents == ["stress", "modes"] and parent == "modes" and isinstance(child, list):
            child = node[parent] = {"names": child}
        if not isinstance(child, dict):
            raise UserError(
                f"{name!r} cannot be set",
                f"{parent!r}, which is a value and no section",
                "correct the name",
            )
        node = child
    node[last] = value
