"""What a report is made of, whatever it is written as: sections of text, tables and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Text:
    """A paragraph, or the items of a list.

    Attributes:
        lines: One: a paragraph; more: a list. What stands between backticks is code.
        is_list: Whether one line is a list, too.

    """

    lines: tuple[str, ...]
    is_list: bool = False


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        name: A word, for links and for the file of its data.
        caption: What it shows.
        header: The columns.
        rows: As many cells each, as text; numbers are set to the right.
        data: The same as values, one row each.

    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    data: Sequence[Row] = ()


@dataclass(frozen=True)
class Figure:
    """A chart.

    Attributes:
        name: A word, for links and for the file of its data.
        title: What it shows.
        says: How to read it; also what a screen reader says.
        spec: Vega-Lite, with ``{"name": "rows"}`` for its data.
        data: What is drawn, one row each.

    """

    name: str
    title: str
    says: str
    spec: Mapping[str, Any]
    data: Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """A slice, as it is and under an artifact.

    Attributes:
        png: The picture.
        caption: Which slice, under what.
        answers: What each norm or arm said: its name, and a text.

    """

    png: bytes
    caption: str
    answers: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Pictures:
    """Slices side by side.

    Attributes:
        name: A word, for links.
        title: What they are.
        says: How to read them.
        items: The pictures.
        data: What is written below them, as values.

    """

    name: str
    title: str
    says: str
    items: Sequence[Picture]
    data: Sequence[Row] = ()


@dataclass(frozen=True)
class Code:
    """Commands, or a file, word for word; ``title`` is what it is."""

    title: str
    text: str


Block = Text | Table | Figure | Pictures | Code


@dataclass(frozen=True)
class Section:
    """A part of the report under a heading; ``name`` is for links."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """The whole.

    Attributes:
        title: The name of the sweep.
        subtitle: When, by which version, on what.
        conclusion: Three sentences.
        warnings: What a reader must know before anything else.
        sections: In their order.

    """

    title: str
    subtitle: str
    conclusion: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sections: Sequence[Section] = field(default_factory=tuple)
