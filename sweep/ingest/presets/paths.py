"""Patterns of paths, as a preset writes them, and what a path says by them.

``train/{plane}/{exam}.npy`` has two *fields*; a field that stands twice stands for the same text. A
part in brackets may be missing: ``.nii[.gz]``. ``*`` stands for any text without a slash, and
``**/`` at the beginning for any folders above, or none.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sweep.core.errors import UserError

ANYWHERE = "**/"
PART = re.compile(r"\{(?P<field>[a-z_]+)\}|(?P<mark>[\[\]*])|(?P<text>[^\[\]{}*]+)|(?P<wrong>.)")


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths.

    Attributes:
        text: As it is written.
        fields: What a field may be, as a regular expression; of others any text without a slash.

    """

    text: str
    fields: Mapping[str, str]

    def __post_init__(self) -> None:
        self._compiled  # noqa: B018 - refused here, where it is read

    @property
    def names(self) -> frozenset[str]:
        """The fields in it."""
        return frozenset(name for name, _ in _parts(self.text) if name)

    def match(self, path: str) -> dict[str, str] | None:
        """The fields of a path with forward slashes, empty where a part is missing; None = none."""
        found = self._compiled.fullmatch(path)
        return None if found is None else {n: v or "" for n, v in found.groupdict().items()}

    def above(self, path: str) -> str | None:
        """The folders above, where the pattern stands for the rest of a path; None = it does not.

        That is what a user sees who has named a folder too high up.
        """
        parts = path.split("/")
        rests = ("/".join(parts[count:]) for count in range(1, len(parts)))
        return next(
            (path[: -len(rest) - 1] for rest in rests if self._compiled.fullmatch(rest)), None
        )

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        anywhere = self.text.startswith(ANYWHERE)
        text = self.text.removeprefix(ANYWHERE)
        seen: set[str] = set()
        made = "(?:.*/)?" if anywhere else ""
        for name, part in _parts(text):
            if not name:
                made += part
            elif name in seen:
                made += f"(?P={name})"
            else:
                seen.add(name)
                made += f"(?P<{name}>{self.fields.get(name, '[^/]+')})"
        try:
            return re.compile(made)
        except (re.error, OverflowError, RecursionError) as error:
            raise UserError(
                "a pattern of paths cannot be read",
                f"{self.text!r} ({error})",
                "close its brackets, and correct the fields in it",
            ) from error


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with values in the place of ``{names}``; names without a value stay."""
    return re.sub(r"\{([a-z_]+)\}", lambda found: values.get(found[1], found[0]), text)


def names_in(text: str) -> frozenset[str]:
    """The ``{names}`` in a text."""
    return frozenset(re.findall(r"\{([a-z_]+)\}", text))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Its fields by name, and between them regular expressions."""
    marks = {"[": "(?:", "]": ")?", "*": "[^/]*"}
    for part in PART.finditer(text):
        if part["wrong"]:
            raise UserError(
                "a pattern of paths cannot be read",
                f"{text!r} at {part['wrong']!r}",
                "write fields as {field}, in small letters",
            )
        if part["field"]:
            yield part["field"], ""
        else:
            yield "", marks[part["mark"]] if part["mark"] else re.escape(part["text"])
