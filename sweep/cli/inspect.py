"""The command that looks into a store: ``data show``."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, add_seed, command, counter, say
from sweep.core.errors import WorkError

if TYPE_CHECKING:
    from sweep.store import Store


def add_data(commands: Commands) -> None:
    """``mrisweep data``."""
    data = commands.add_parser(
        "data", help="look into a store", description="Look into a store that ingest has made."
    )
    tasks = data.add_subparsers(title="tasks", metavar="TASK", required=True)
    show = command(
        tasks,
        "show",
        _do_show,
        "say what a store holds, and whether slices of different splits are copies",
        "Counts by split, label and patient, intensities, pixel sizes, sequences, the user's "
        "columns, k-space, where it all comes from, and near-duplicates across splits, which "
        "flatter a test score.",
    )
    show.add_argument("store", type=Path, metavar="STORE.h5")
    show.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="draw slices of each split; replaced"
    )
    show.add_argument(
        "--per-split", type=int, default=8, metavar="N", help="slices of each split on the sheet"
    )
    add_seed(show, "of the choice of slices for the sheet")
    show.add_argument(
        "--verify", action="store_true", help="read all and compare it with digests and fingerprint"
    )
    show.add_argument("--json", action="store_true", help="one JSON object")


def _do_show(options: argparse.Namespace) -> None:
    from sweep.inspect.duplicates import near_duplicates
    from sweep.inspect.sheet import draw_sheet
    from sweep.inspect.summary import summarize
    from sweep.store import Store

    store = Store.open(options.store)
    if options.verify:
        _verify(store)
    if options.sheet is not None:
        draw_sheet(store, options.sheet, per_split=options.per_split, seed=options.seed)
        say(f"sheet {options.sheet}")
    summary, duplicates = summarize(store), near_duplicates(store)
    if options.json:
        print(json.dumps({**summary.as_json(), "near_duplicates": duplicates.as_json()}))
    else:
        print(f"{summary.details()}\n\n{duplicates.text()}")


def _verify(store: "Store") -> None:
    from sweep.core.text import SHOWN, number_of
    from sweep.inspect.verify import damaged_slices, description_is_whole

    if not description_is_whole(store):
        raise WorkError(
            "what the store says of its slices (labels, patients, splits, geometry, columns) has "
            "changed since it was written",
            store.path,
            "ingest the data again",
        )
    damaged = damaged_slices(store, counter("slices"))
    if damaged:
        named = ", ".join(map(repr, damaged[:SHOWN]))
        more = f" and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        raise WorkError(
            "slices have changed since they were written",
            f"{len(damaged)} of {len(store)} in {store.path}: {named}{more}",
            "ingest the data again",
        )
    say(f"verified: all {number_of(len(store), 'slice')} are as they were written")
