"""The documents as tests read them: fenced blocks, commands in these, and commands in sentences."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support.data import ROOT

FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>.*)$")
HEREDOC = re.compile(r"<<-?'?(\w+)'?")
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
CONTROL = "();<>|&"  # characters that make an operator of the shell


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its document, as a path from the root of the project.
        line: The number of the line of its fence.
        kind: The info string of the fence: ``sh``, ``python``, ``yaml``, ``json`` or ``text``.
        text: What is in it.

    """

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Line:
    """One logical line of a shell block: with its continuations, and the text that it is given."""

    block: Block
    text: str

    def commands(self) -> Iterator[list[str]]:
        """The words of each command in it, also of those in parentheses and in ``$(...)``."""
        head = HEREDOC.sub("", self.text.split("\n", 1)[0]) if self.given else self.text
        lexer = shlex.shlex(head.replace("\\\n", " "), posix=True, punctuation_chars=CONTROL)
        lexer.whitespace_split = True
        redirected = False
        for operator, words in groupby(lexer, key=lambda word: set(word) <= set(CONTROL)):
            part = list(words)
            if operator:
                redirected = part[-1][-1] in "<>"
            elif part := part[redirected:]:
                yield part

    @property
    def given(self) -> str:
        """What stands between the line and the end of its here-document."""
        return "\n".join(self.text.split("\n")[1:-1]) if HEREDOC.search(self.text) else ""

    def ours(self) -> Iterator[list[str]]:
        """The arguments of every ``mrisweep`` in it: by itself, in a job or in a container."""
        for words in self.commands():
            for place, word in enumerate(words):
                before = words[place - 1] if place else "--"
                if word.rpartition("/")[2] == "mrisweep" and before in ("--", "head"):
                    yield words[place + 1 :]


def pages() -> list[Path]:
    """Every document that a person wrote; those of ``docs/studies`` are made by ``report``."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*named, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]


def text_of(page: Path) -> str:
    """What a document says."""
    return page.read_text(encoding="utf-8")


def blocks(text: str, page: str) -> list[Block]:
    """The fenced blocks of a document, in their order.

    Raises:
        ValueError: A fence that nothing ends.

    """
    found: list[Block] = []
    inside: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if inside is None and fence:
            start, kind, indent, inside = number, fence["kind"].strip(), len(fence["indent"]), []
        elif inside is not None and fence and not fence["kind"]:
            found.append(Block(page, start, kind, "".join(f"{one}\n" for one in inside)))
            inside = None
        elif inside is not None:
            inside.append(line[indent:] if line[:indent].isspace() else line)
    if inside is not None:
        raise ValueError(f"{page}:{start}: nothing ends this block")
    return found


def every_block() -> list[Block]:
    """The fenced blocks of all documents."""
    return [
        block for page in pages() for block in blocks(text_of(page), str(page.relative_to(ROOT)))
    ]


def lines(block: Block) -> Iterator[Line]:
    """The logical lines of a shell block; comments and empty lines are none."""
    waiting = iter(block.text.splitlines())
    for first in waiting:
        whole = [first]
        while whole[-1].endswith("\\"):
            whole.append(next(waiting))
        if end := HEREDOC.search(first):
            while whole[-1] != end[1]:
                whole.append(next(waiting))
        if first.strip() and not first.lstrip().startswith("#"):
            yield Line(block, "\n".join(whole))


def spans(text: str) -> Iterator[str]:
    """What stands in a document's sentences as code."""
    inside, prose = False, []
    for line in text.splitlines():
        inside ^= bool(FENCE.match(line))
        prose.append("" if inside or FENCE.match(line) else line)
    for span in SPAN.findall("\n".join(prose)):
        yield " ".join(span.split())
