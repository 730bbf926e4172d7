"""``best``: the configurations of a sweep, ranked."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, room, say, say_remarks
from sweep.core.errors import UserError

if TYPE_CHECKING:
    from sweep.results.ranking import Ranked


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
    best.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="of the sweep")
    best.add_argument("--mlflow", metavar="URI", help="ask this tracking server instead of DIR")
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
    best.add_argument("--norm", metavar="NAME", help="only this norm")
    best.add_argument("--mode", metavar="NAME", help="only this mode, such as trained or blend")
    best.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="condition such as 'clean/auroc>=0.9'; may be repeated",
    )
    best.add_argument("--top", type=int, metavar="K", help="the best K only")
    best.add_argument(
        "--finalists",
        action="store_true",
        help="what the finalists scored where nothing was chosen, instead of the trials",
    )
    best.add_argument("--json", action="store_true", help="a JSON list of objects, best first")


def _do_best(options: argparse.Namespace) -> None:
    from sweep.api.best import choice_line, objective_of
    from sweep.metrics.table import sign
    from sweep.results import ranking
    from sweep.results.render import hypervolume_lines, ranked_table, screened_note

    if (options.folder is None) == (options.mlflow is None):
        raise UserError(
            "either a sweep's folder or, with --mlflow, a tracking server is asked",
            "both" if options.folder else "neither",
            "give one of them",
        )
    if (options.mlflow is None) != (options.experiment is None):
        raise UserError(
            "--mlflow URI and --experiment NAME go together", "one of them", "give both"
        )
    if options.finalists:
        _show_finalists(options)
        return
    by, objectives, rows = _asked(options)
    kept = options.norm, options.where, options.top, options.mode
    ranked = ranking.best(rows, by, *kept, objectives, options.pareto)
    note = screened_note(rows, by)
    if options.json:
        print(json.dumps([asdict(row) for row in ranked], indent=1))
    elif ranked:
        print(ranked_table(ranked, by, room(), objectives))
        if options.pareto and all(sign(name) > 0 for name in objectives):
            found = ranking.hypervolumes(rows, objectives)
            print(f"\n{hypervolume_lines(found, objectives)}")
        if note:
            print(f"\n{note}")
        if options.folder is not None:
            if by == objective_of(options.folder) and (
                line := choice_line(options.folder, options.norm)
            ):
                print(f"\n{line}")
            say_remarks(options.folder)
    else:
        say("no trial qualifies" if rows else "no trial has a score yet")
        if note:
            say(note)


def _show_finalists(options: argparse.Namespace) -> None:
    from sweep.cli.finalists import show_finalists
    from sweep.results.finalists import FinalistFolder
    from sweep.results.folder import SweepFolder

    if options.folder is None:
        raise UserError(
            "finalists are asked of a sweep's folder", "--mlflow", "give the folder instead"
        )
    folder = SweepFolder.open(options.folder)
    records = FinalistFolder(folder).records()
    if not records:
        raise UserError(
            "the sweep has no finalists yet",
            f"{options.folder}",
            f"run `mrisweep finalists {options.folder}`",
        )
    show_finalists(folder, records, options.json)


def _asked(options: argparse.Namespace) -> tuple[str, tuple[str, ...], "list[Ranked]"]:
    """What to rank by, the objectives of a front, and the trials of the folder or the server."""
    from sweep.api.best import DEFAULT, objective_of, objectives_of, what_to_rank_by
    from sweep.results import ranking

    if options.folder is not None:
        objective, objectives = objective_of(options.folder), objectives_of(options.folder)
        rows = ranking.of_folder(options.folder)
    else:
        server = options.mlflow, options.experiment
        objective = ranking.objective_of_server(*server) or DEFAULT
        objectives = ranking.objectives_of_server(*server)
        rows = ranking.of_server(*server)
    return *what_to_rank_by(options.by, objective, objectives, options.pareto), rows
