"""``list``: the sweeps below a folder."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, note, room, say

if TYPE_CHECKING:
    from sweep.results.standing import Standing


def add_list(commands: Commands) -> None:
    """``mrisweep list``."""
    listed = command(
        commands,
        "list",
        _do_list,
        "list the sweeps below a folder: how far each is, its best trial",
        "Reads their folders and writes nothing.",
    )
    listed.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="to look in"
    )
    listed.add_argument("--json", action="store_true", help="a JSON list of objects")


def _do_list(options: argparse.Namespace) -> None:
    from sweep.api.sweeps import sweeps_below
    from sweep.core.text import fitted, table

    found = list(sweeps_below(options.folder))
    known = [standing for _, standing in found if not isinstance(standing, Exception)]
    if options.json:
        print(json.dumps([standing.plain() for standing in known], indent=1))
    elif known:
        header = ("folder", "name", "state", "trials", "best", "by")
        rows = [
            (str(path), *_cells(standing))
            for path, standing in found
            if not isinstance(standing, Exception)
        ]
        print("\n".join(table(fitted([header, *rows], ("by", "name"), room()), left=None)))
    else:
        say(f"no sweep is in {options.folder.resolve()}")
    for path, standing in found:
        if isinstance(standing, Exception):
            note(f"{path}: {standing}")


def _cells(standing: "Standing") -> tuple[str, ...]:
    from sweep.core.objective import short_name, value_of
    from sweep.core.states import FINISHING, RUNNING
    from sweep.core.text import MISSING

    best, objective = standing.best, standing.objective
    value = MISSING
    if best is not None:
        score = value_of(best.metrics, objective)
        value = f"{score:.3f} ({best.norm}, epoch {best.best_epoch})"
    unsure = standing.driven is None and standing.state in (RUNNING, FINISHING)
    return (
        standing.name,
        f"{standing.state}?" if unsure else standing.state,
        f"{sum(standing.ended.values())}/{standing.total}",
        value,
        short_name(objective),
    )
