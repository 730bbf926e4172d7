"""``compare``: two trials, norms, modes or sweeps on the same patients."""

import argparse
import json
from pathlib import Path

from sweep.cli.base import Commands, command, require_sweep, room
from sweep.cli.groups import add_groups, grouping_of


def add_compare(commands: Commands) -> None:
    """``mrisweep compare``."""
    compare = command(
        commands,
        "compare",
        _do_compare,
        "compare two trials, norms, modes or sweeps: paired differences with intervals and tests",
        "Two trials: on the same validation patients, both trainings held fixed. Two norms: with "
        "configurations and seeds as units, on what their finalists were asked.",
    )
    compare.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    one = (
        "a trial (trial-0003), a trial in a mode (trial-0003:blend), a norm or arm, a rule "
        "(by:clean/auroc, the finalist that is the best by it), or a sweep's folder"
    )
    compare.add_argument("a", metavar="A", help=f"{one}, which stands for its best trial")
    compare.add_argument("b", metavar="B", help="another of the same kind; A less B is shown")
    compare.add_argument("--metric", metavar="NAME", help="default: that of the sweep's objective")
    compare.add_argument(
        "--at",
        metavar="PLACE",
        help="of norms: test, validation, or the name of an external store (default: test where "
        "there are finalists)",
    )
    add_groups(compare)
    compare.add_argument("--json", action="store_true", help="one JSON object")
    compare.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write a table, too: CSV where its name ends in .csv, else Parquet",
    )
    compare.add_argument("--force", action="store_true", help="replace FILE if it exists")


def _do_compare(options: argparse.Namespace) -> None:
    require_sweep(options.folder)
    from sweep.api.compare import compare
    from sweep.api.output import check_output, writing
    from sweep.results.comparison_text import as_json, as_text, write_comparison

    if options.out is not None:
        check_output(options.out, options.force, ())
    asked = options.folder, options.a, options.b, options.metric, options.at
    found = compare(*asked, grouping_of(options), options.min_patients)
    if options.out is not None:
        with writing(options.out):
            write_comparison(options.out, found)
    print(json.dumps(as_json(found), indent=1) if options.json else as_text(found, room()))
