"""``best``: the configurations of a sweep, ranked."""

import argparse
import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, note, say
from sweep.cli.groups import add_groups, grouping_of
from sweep.cli.ranking import nothing_to_show, show_groups, show_ranking
from sweep.core.errors import UserError, WorkError, within

if TYPE_CHECKING:
    from sweep.api.best import Found
    from sweep.stats.grouping import Grouping


def add_best(commands: Commands) -> None:
    """``mrisweep best``."""
    best = command(
        commands,
        "best",
        _do_best,
        "rank the configurations of a sweep, with 95 % patient-bootstrap intervals",
        "Each trial stands at its best epoch by the sweep's objective, its other modes at the same "
        "epoch. Collapsed cells are below chance, or all their slices are predicted alike.",
    )
    best.add_argument(
        "folder",
        type=Path,
        nargs="*",
        metavar="DIR",
        help="of a sweep; trials of several are ranked together, if data and stress test are one",
    )
    best.add_argument(
        "--mlflow",
        metavar="URI",
        help="ask this tracking server instead of DIR; env: the one in MLFLOW_TRACKING_URI, which "
        "may have a password",
    )
    best.add_argument("--experiment", metavar="NAME", help="with --mlflow: the sweep's name")
    best.add_argument(
        "--by",
        metavar="METRIC",
        help="to rank by (default: the sweep's own objective); one of screen/... ranks the trials "
        "that have scores of screenings alone; with --pareto two, A,B",
    )
    best.add_argument(
        "--pareto",
        action="store_true",
        help="the Pareto front alone, rows that no other beats in both objectives, and its "
        "hypervolume",
    )
    best.add_argument("--norm", metavar="NAME", help="only this norm, or arm")
    best.add_argument("--mode", metavar="NAME", help="only this mode, such as trained or blend")
    best.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="condition on a metric, a searched setting, norm, seed, status, epoch, mode or trial, "
        "such as 'clean/auroc>=0.9', 'train.lr<1e-3' or 'status==finished'; may be repeated",
    )
    best.add_argument("--top", type=int, metavar="K", help="the best K only")
    best.add_argument(
        "--per-norm",
        action="store_true",
        help="the best row of each norm, or arm; with --top K, K of each",
    )
    best.add_argument(
        "--finalists",
        action="store_true",
        help="what the finalists scored where nothing was chosen, instead of the trials",
    )
    best.add_argument(
        "--failed",
        action="store_true",
        help="the trials that failed, and why, instead of those that have a score",
    )
    add_groups(best)
    best.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="also write the rows, with all metrics, to FILE.csv or FILE.parquet",
    )
    best.add_argument("--json", action="store_true", help="a JSON list of objects, best first")


def _do_best(options: argparse.Namespace) -> None:
    with _no_collection():
        _answer(options)


@contextmanager
def _no_collection() -> Iterator[None]:
    """While inside, nobody looks for garbage among ten thousand rows, of which none is any.

    That is an eighth of the time of a folder, and two thirds of that of MLflow's client, which
    makes an object of every metric and takes no more memory so.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _answer(options: argparse.Namespace) -> None:
    from sweep.api.best import in_folders, on_server

    if bool(options.folder) == bool(options.mlflow):
        raise UserError(
            "either a sweep's folder or, with --mlflow, a tracking server is asked",
            "both" if options.folder else "neither",
            "give one of them",
        )
    if (options.mlflow is None) != (options.experiment is None):
        raise UserError(
            "--mlflow URI and --experiment NAME go together", "one of them", "give both"
        )
    if options.out is not None:
        _require_table(options)
    grouping = grouping_of(options)
    if grouping is not None:
        _require_folders(options)
    if options.finalists:
        _show_finalists(options)
        return
    if options.failed:
        _show_failed(options)
        return
    if options.folder:
        of = options.folder, options.by, options.where, options.pareto
        found = in_folders(*of, for_table=not (options.json or options.out))
    else:
        found = on_server(options.mlflow, options.experiment, options.by, options.pareto)
    _show(options, found, grouping)
    say_what_lacks(found.unread())


def _require_table(options: argparse.Namespace) -> None:
    """Refuse a file that is no table, or whose rows are none of a ranking."""
    from sweep.api.output import check_output
    from sweep.results.flat import require_ending

    require_ending(options.out)
    check_output(options.out, force=True, inputs=())
    if options.finalists or options.failed:
        what = "--finalists" if options.finalists else "--failed"
        raise UserError(
            "--out writes the rows of the ranking", f"with {what}", f"leave {what} out, or --out"
        )


def _require_folders(options: argparse.Namespace) -> None:
    """Refuse groups of what has no predictions of slices, or shows none of them."""
    if not options.folder:
        raise UserError(
            "scores by group are made of predictions, which the sweep's folder alone keeps",
            "--groups with --mlflow",
            "give the folder",
        )
    if options.finalists or options.failed:
        what = "--finalists" if options.finalists else "--failed"
        raise UserError(
            "--groups scores the rows of the ranking",
            f"with {what}",
            f"leave {what} out; `mrisweep report` and `mrisweep compare` show finalists by group",
        )


def _show(options: argparse.Namespace, found: "Found", grouping: "Grouping | None") -> None:
    from sweep.api.best import as_json, grouped
    from sweep.core.text import number_of
    from sweep.results import ranking
    from sweep.results.flat import write_table

    kept = options.norm, options.where, options.top, options.mode
    how = found.objectives, options.pareto, options.per_norm
    rows = ranking.best(found.rows, found.by, *kept, *how)
    if grouping is not None:
        rows = grouped(rows, found.by, grouping, options.min_patients)
    if options.out is not None:
        write_table(rows, options.out)
        say(f"{number_of(len(rows), 'row')} in {options.out}")
    if options.json:
        print(json.dumps(as_json(rows, found), indent=1))
    elif rows:
        show_ranking(found, rows, options.norm, covered=options.pareto)
        if grouping is not None:
            show_groups(found, rows)
    else:
        asked = bool(options.norm or options.where or options.mode or options.pareto)
        for line in nothing_to_show(found, asked, options.where):
            say(line)


def say_what_lacks(errors: Sequence[UserError | WorkError]) -> None:
    """Fail for files that cannot be read, after what the others say, which is not lost with them.

    Raises:
        WorkError: Or ``UserError``: there is an error.

    """
    for error in errors[:-1]:
        note(str(error))
    if errors:
        raise within("the answer lacks something", errors[-1])


def _show_failed(options: argparse.Namespace) -> None:
    from sweep.results.failed import failed_text, failed_trials
    from sweep.results.summary import damage_of, summary
    from sweep.results.sweep_file import opened

    if not options.folder:
        raise UserError(
            "what failed is asked of a sweep's folder", "--mlflow", "give one or more folders"
        )
    sweeps = [summary(opened(path)) for path in options.folder]
    failed = [one for sweep in sweeps for one in failed_trials(sweep)]
    if options.json:
        print(json.dumps([one.to_plain() for one in failed], indent=1))
    elif failed:
        print(failed_text(failed, sum(len(sweep.trials) for sweep in sweeps)))
    else:
        say("no trial failed")
    say_what_lacks(damage_of(sweeps))


def _show_finalists(options: argparse.Namespace) -> None:
    from sweep.cli.finalists import show_finalists
    from sweep.results.finalists import FinalistFolder
    from sweep.results.folder import SweepFolder

    if len(options.folder) != 1:
        given = f"{len(options.folder)} folders" if options.folder else "--mlflow"
        raise UserError("finalists are asked of a sweep's folder", given, "give one folder")
    path = options.folder[0]
    folder = SweepFolder.open(path)
    records = FinalistFolder(folder).records()
    if not records:
        raise UserError(
            "the sweep has no finalists yet",
            f"{path}",
            f"run `mrisweep finalists {path}`",
        )
    show_finalists(folder, records, options.json)
