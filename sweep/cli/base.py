"""What all commands share: the parser, how help looks, how to speak to the user."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sweep.config.base import MOST_SEED
from sweep.core.errors import UserError
from sweep.core.saying import is_terminal
from sweep.core.saying import say as say
from sweep.core.text import clock, wrapped
from sweep.remote.address import uri_of

LOG_EVERY_S = 30


class Parser(argparse.ArgumentParser):
    """An argument parser that reports like the rest: one message, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        raise UserError("the command cannot be read", message, f"see `{self.prog} --help`")


class Version(argparse.Action):
    """Says which version is installed; looked up when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end."""
        from importlib.metadata import version

        print(f"mrisweep {version('mrisweep')}")
        parser.exit()


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


def add_sweep_file(command: argparse.ArgumentParser, optional: bool = False) -> None:
    """The sweep file of a command or the name of a preset, and what overrides it."""
    command.add_argument(
        "sweep",  # a text: as a Path, ./NAME would be the name of a preset
        nargs="?" if optional else None,
        metavar="SWEEP.yaml",
        help="a sweep file, or the name of a preset: see `mrisweep presets`",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting by its dotted name, such as train.epochs=2; may be repeated",
    )


def add_seed(command: argparse.ArgumentParser, of: str) -> None:
    """The seed of a command; ``of``: what it is the seed of, for the help."""
    command.add_argument("--seed", type=_seed, default=0, metavar="SEED", help=of)


def _seed(text: str) -> int:
    if text.isdecimal() and int(text) <= MOST_SEED:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no seed, which is 0 to 2^63 - 1")


def require_sweep(folder: Path) -> None:
    """Refuse what is no sweep's folder, before what takes seconds is imported.

    One in a bucket is looked at when it is opened, as it is brought then.
    """
    from sweep.results.sweep_file import opened

    if uri_of(folder) is None:
        opened(folder)


def add_options(command: argparse.ArgumentParser, more: str = "") -> None:
    """The options of artifacts in a command."""
    command.add_argument(
        "--options",
        nargs="+",
        default=[],
        metavar="NAME.OPTION=VALUE",
        help="options of artifacts, such as motion.order=interleaved; a name with a dash and a "
        f"word, as in motion-late.window=[0.5,1], is a variant to name in --artifacts{more}",
    )


def refuse_alone(options: argparse.Namespace, names: Sequence[str], what: str, remedy: str) -> None:
    """Refuse options that mean nothing without another one, which was not given.

    Args:
        options: As parsed; those that were not given are None.
        names: Of the options that were in vain, as Python has them.
        what: What each says, in vain.
        remedy: What to do; ``{}`` stands for the option.

    Raises:
        UserError: One of them was given.

    """
    for name in names:
        if (value := getattr(options, name)) is not None:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {what}", f"{option} {value}", remedy.format(option))


def counter(what: str) -> Callable[[int, int], None]:
    """Progress of a loop: on a terminal one line that changes, in a log a line now and then."""
    on_terminal = is_terminal(sys.stderr)
    started = told = time.monotonic()

    def count(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        text = f"{done}/{total} {what}"
        if done < total:
            text += f", {clock((now - started) / done * (total - done))} left"
        if on_terminal:
            end = "\n" if done == total else ""
            say(f"\r\033[K{text}", end=end)
        elif now - told > LOG_EVERY_S:
            told = now
            say(text)

    return count


def room() -> int | None:
    """Characters in a line of the terminal that results go to; None if they go elsewhere."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def note(text: str) -> None:
    """Remark something on stderr, broken between words on a terminal."""
    width = shutil.get_terminal_size().columns if is_terminal(sys.stderr) else None
    say(wrapped(f"note: {text}", width))


def show(text: str) -> None:
    """Print what is no table and no command, broken between words on a terminal."""
    width = room()
    print("\n".join(wrapped(line, width) for line in text.split("\n")))
