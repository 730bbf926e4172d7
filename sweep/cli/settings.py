"""``settings``: what there is to set in a sweep file."""

import argparse
import textwrap
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, room

if TYPE_CHECKING:
    from sweep.config.reference import Section, Setting

WIDTH = 100  # of a line where results go to no terminal


def add_settings(commands: Commands) -> None:
    """``mrisweep settings``."""
    settings = command(
        commands,
        "settings",
        _do_settings,
        "say what a setting of a sweep file takes, its default, what it does, when to change it",
        "Without a name: the names and defaults of all of them.",
    )
    settings.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of a setting or a section, such as train.lr or search; all: every one, in full",
    )


def _do_settings(options: argparse.Namespace) -> None:
    from sweep.config.reference import described, sections
    from sweep.core.text import table

    if not options.names:
        settings = [one for section in sections() for one in section.settings]
        print("\n".join(table([(one.name, _short(one)) for one in settings], left=None)))
        return
    asked = sections() if options.names == ["all"] else map(described, options.names)
    print("\n\n".join(map(_text, asked)))


def _short(one: "Setting") -> str:
    return "(section)" if "section" in one.kind and not one.default else one.default


def _text(section: "Section") -> str:
    """A section as a terminal shows it."""
    width = room() or WIDTH
    parts = [_wrapped(section.text, width, "")] if len(section.settings) != 1 else []
    for one in section.settings:
        rule = f"; {one.rule}" if one.rule else ""
        default = f"; default {one.default}" if one.default else ""
        head = f"{one.name}: {one.kind}{rule}{default}"
        said = (one.text, f"When to change it: {one.when}" if one.when else "")
        body = [_wrapped(text, width, "    ") for text in said if text]
        parts.append("\n".join([_wrapped(head, width, ""), *body]))
    return "\n".join(parts)


def _wrapped(text: str, width: int, before: str) -> str:
    """A paragraph or several, of plain text, in lines of no more than ``width``."""
    plain = text.replace("`", "")
    return "\n".join(
        textwrap.fill(
            " ".join(one.split()),
            width,
            initial_indent=before,
            subsequent_indent=before or "  ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        for one in plain.split("\n\n")
    )
