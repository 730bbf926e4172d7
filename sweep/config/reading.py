"""What a user writes, as nested plain data: the YAML of a file, and ``key=value`` texts.

Nothing here needs torch, so that a question to a sweep's record is answered at once.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from sweep.config.presets import presets
from sweep.core.errors import UserError, nearest, require_known, told
from sweep.core.reading import read_text
from sweep.core.text import as_written, one_line, without_passwords

MOST_BYTES = 4 << 20  # of a file of settings; PyYAML reads a megabyte in some seconds
MOST, DEEP = 200_000, 50  # values, and levels, of settings

# What PyYAML raises of a text; beside its own errors, those of a date or a number that cannot be.
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2; PyYAML reads it as a text, by YAML 1.1.

    So is a key a name that YAML 1.1 takes for a truth value, such as ``on``.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load_yaml(text: str, texts: bool = False) -> Any:
    """What a text says that is YAML.

    No key of a mapping is there twice, as the first would be lost in silence; and nothing grows
    without end, as by names for parts that hold each other.

    Args:
        text: The text.
        texts: Whether every value is a text, as written.

    Raises:
        Exception: One of ``NOT_YAML``.

    """
    loader = yaml.BaseLoader(text) if texts else _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check(top: yaml.Node) -> None:
    """Refuse what grows too large or too deep, and keys that are there twice.

    A part that has a name may stand in many places, and so in parts with names of their own; it is
    looked at once, and counted in each.
    """
    sizes: dict[int, tuple[int, int]] = {}  # of each part, how much it holds, and how deep
    under_way: set[int] = set()
    waiting = [top]
    while waiting:
        node = waiting[-1]
        inner = _parts(node)
        if id(node) not in under_way and id(node) not in sizes:
            under_way.add(id(node))
            new = [part for part in inner if id(part) not in sizes]
            if any(id(part) in under_way for part in new):
                raise _fault("a part holds itself", node)
            waiting += new
            continue
        waiting.pop()
        if id(node) in sizes:
            continue
        under_way.remove(id(node))
        own = [sizes[id(part)] for part in inner]
        size = 1 + sum(size for size, _ in own)
        depth = 1 + max((depth for _, depth in own), default=0)
        if size > MOST or depth > DEEP:
            raise _fault(f"it holds more than {MOST} values, or more than {DEEP} levels", node)
        sizes[id(node)] = size, depth


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """What a part holds directly.

    Raises:
        yaml.YAMLError: A key that is there twice.

    """
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name != "<<" and name in seen:
                raise _fault(f"the key {name!r} is there twice", key)
            seen.add(name)
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _fault(wrong: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, wrong, node.start_mark)


def read_file(path: Path) -> dict[str, Any]:
    """The keys and values of a sweep file.

    Raises:
        UserError: No such file, or not YAML with keys and values.

    """
    try:
        text = read_text(path, MOST_BYTES)
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
        raw = load_yaml(text)
    except NOT_YAML as error:
        raise UserError(
            "the sweep file is not YAML",
            f"{str(path)!r} ({_told(error)})",
            "correct it there, or in the line above: keys are `name: value`, with a space after "
            "the colon, and lines begin with spaces and never with a tab",
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
        UserError: No ``=``, or a value that is not YAML, or that has a comment in it.

    """
    for text in assignments:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UserError(f"{flag} cannot be read", f"{text!r}", remedy)
        try:
            read = load_yaml(value)
        except NOT_YAML as error:
            raise UserError(
                f"the value of {flag} {name} is not YAML",
                f"{value!r} ({_told(error)})",
                "correct it, or quote it",
            ) from None
        if _has_comment(value):
            raise UserError(
                f"the value of {flag} {name} has a # after a space, and YAML ends there",
                f"{value!r}, of which {as_written(read)} is left",
                f"quote it, as in {flag} '{name}={json.dumps(value, ensure_ascii=False)}'",
            )
        set_dotted(raw, name.strip(), read)
    return raw


def _has_comment(text: str) -> bool:
    """Whether a text that is YAML has more in it than its values: all that YAML passes over."""
    at = 0
    for token in yaml.scan(text, Loader=_Loader):
        if text[at : token.start_mark.index].strip():
            return True
        at = token.end_mark.index
    return False


def by_dotted_name(raw: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested data with its dotted name; an empty section is a value."""
    for name, value in raw.items():
        if isinstance(value, Mapping) and value:
            yield from by_dotted_name(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def given(kind: type, assignments: Iterable[str], flag: str, example: str) -> dict[str, Any]:
    """Settings of one section in ``key=value`` texts, by name.

    Args:
        kind: The section, a dataclass.
        assignments: The texts.
        flag: What each was given by, for messages.
        example: Such a text, for messages.

    Raises:
        UserError: A text that is none of these, or an unknown setting.

    """
    read = override({}, assignments, flag, f"give NAME=VALUE, such as {example}")
    require_known(flag, read, [field.name for field in fields(kind)])
    return read


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
