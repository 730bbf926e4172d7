"""``finalists``: the best configurations, trained again and asked on unseen slices."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, note, require_sweep, room, say
from sweep.core.errors import UnfinishedError
from sweep.core.interruption import interruptible
from sweep.remote.places import shown

if TYPE_CHECKING:
    from sweep.core.finals import FinalistRecord
    from sweep.results.folder import SweepFolder

SECTION = "finalists."  # with which every other command names these settings


def add_finalists(commands: Commands) -> None:
    """``mrisweep finalists``."""
    finalists = command(
        commands,
        "finalists",
        _do_finalists,
        "train the best configurations of each norm again, with common new seeds, and score them "
        "on test slices, on held-out artifacts and on further stores",
        "What is there already is not done again; Ctrl-C is safe, the same command goes on. When "
        "test slices were first looked at is written down and said from then on.",
    )
    finalists.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    finalists.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of finalists, such as seeds=10 or finalists.seeds=10; may be repeated",
    )
    finalists.add_argument(
        "--json", action="store_true", help="a JSON list of objects, one for each configuration"
    )


def _do_finalists(options: argparse.Namespace) -> None:
    require_sweep(options.folder)
    from sweep.config.reading import override

    given = [one.removeprefix(SECTION) for one in options.set]
    changes = override({}, given, "--set", "give key=value, such as seeds=10")
    try:
        with interruptible():
            from sweep.api.finalists import finalists

            records = finalists(options.folder, changes)
    except KeyboardInterrupt:
        say(f"interrupted; continue with: mrisweep finalists {shown(options.folder)}")
        raise
    except UnfinishedError:
        _show_what_there_is(options.folder, options.json)
        raise
    from sweep.results.folder import SweepFolder

    show_finalists(SweepFolder.open(options.folder), records, options.json)


def _show_what_there_is(path: Path, in_json: bool) -> None:
    from sweep.results.finalists import FinalistFolder
    from sweep.results.folder import SweepFolder

    folder = SweepFolder.open(path)
    if records := FinalistFolder(folder).records():
        show_finalists(folder, records, in_json)


def show_finalists(
    folder: "SweepFolder", records: "Sequence[FinalistRecord]", in_json: bool
) -> None:
    """The table of finalists, and when test slices were looked at."""
    from sweep.results.final_table import as_json, final_rows, final_table
    from sweep.results.finalists import said_of_access

    rows = final_rows(records)
    if in_json:
        print(json.dumps([as_json(row) for row in rows], indent=1))
    else:
        print(final_table(rows, folder.config().search.objective, room()))
    if access := said_of_access(folder):
        note(access)
