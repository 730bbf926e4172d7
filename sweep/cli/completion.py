"""``completion``: a script with which a shell completes commands, options, files and names."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.cli.base import Commands, command

SHELLS = ("bash", "zsh", "tcsh", "fish")
FILE_OF_KIND = re.compile(r"\S+(\.[a-z]\w*)")  # what files are called in help, such as STORE.h5
FOLDERS = ("DIR", "FOLDER")


def add_completion(commands: Commands) -> None:
    """``mrisweep completion``."""
    completion = command(
        commands,
        "completion",
        _do_completion,
        "print a script with which a shell completes commands, options, files and names",
        "For bash: mrisweep completion bash > ~/.local/share/bash-completion/completions/mrisweep; "
        "for zsh: > a folder of $fpath/_mrisweep; "
        "for fish: > ~/.config/fish/completions/mrisweep.fish. A new shell has it.",
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def _do_completion(options: argparse.Namespace) -> None:
    import shtab

    from sweep.cli import parser

    top, names = parser(), _names()
    for action in _actions(top):
        completes = _completes(action, names)
        if completes is not None:
            action.complete = completes  # type: ignore[attr-defined]  # where shtab looks for it
    print(shtab.complete(top, options.shell).rstrip())


def _actions(top: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What each command takes."""
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for parser in action.choices.values():
                yield from _actions(parser)
        else:
            yield action


def _completes(action: argparse.Action, names: Mapping[str, Sequence[str]]) -> Any:
    """How an argument completes, in terms of shtab; None: by its choices, or not."""
    import shtab

    if words := names.get(action.dest):
        return shtab.cmd(f"printf '%s\\n' {' '.join(words)}")  # fish wants a line for each
    name = action.metavar if isinstance(action.metavar, str) else ""
    if name in FOLDERS:
        return shtab.DIRECTORY
    if kind := FILE_OF_KIND.fullmatch(name):
        return shtab.glob(f"*{kind[1]}")
    return shtab.FILE if action.type is Path else None


def _names() -> Mapping[str, Sequence[str]]:
    """The words that an argument may be, by what it is called in the code."""
    import artifacts_sim
    from mrimodels.catalogue import norm_names
    from sweep.config.reference import sections

    return {
        "artifacts": (*artifacts_sim.families(), *artifacts_sim.names()),
        # Those of a list of sections have brackets, in which shells see a pattern.
        "names": [
            one.name for section in sections() for one in section.settings if "[" not in one.name
        ],
        "norm": norm_names(),
    }
