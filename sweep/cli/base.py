"""What all commands share: the parser, how help looks, how to speak to the user."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from sweep.errors import UserError


class Parser(argparse.ArgumentParser):
    """An argument parser that reports like the rest: one message, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        raise UserError(f"{message} (see `{self.prog} --help`)")


class Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return (
            action.help if action.default in (None, False, []) else super()._get_help_string(action)
        )


Commands = Any  # argparse names no public type for what add_subparsers returns


def command(
    commands: Commands,
    name: str,
    does: Callable[[argparse.Namespace], None],
    summary: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A command whose help explains it, then every option with its default."""
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary.replace("%", "%%"),  # argparse formats it, and the description not
        description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
        formatter_class=Defaults,
    )
    added.set_defaults(command=does)
    return added


def counter(what: str) -> Callable[[int, int], None]:
    """Progress of a loop, on a terminal only."""

    def count(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{done}/{total} {what}", end=end, file=sys.stderr, flush=True)

    return count


def say(text: str) -> None:
    """A message: to stderr, as stdout is for results."""
    print(text, file=sys.stderr)
