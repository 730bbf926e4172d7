"""Commands that ask: ``stress`` of a checkpoint, ``best`` of a sweep."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from sweep.cli.base import Commands, command, say
from sweep.core.errors import UserError


def add_stress(commands: Commands) -> None:
    """``mrisweep stress``."""
    stress = command(
        commands,
        "stress",
        _do_stress,
        "stress-test one checkpoint",
        "What is not given is as in the checkpoint's own sweep, whose scores this repeats.",
    )
    stress.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    stress.add_argument("--data", type=Path, required=True, metavar="STORE.h5")
    stress.add_argument(
        "--artifacts", nargs="+", metavar="NAME", help="artifacts, or a family: search, holdout"
    )
    stress.add_argument("--levels", nargs="+", type=int, metavar="LEVEL", help="1 to 5")
    stress.add_argument("--split", nargs="+", metavar="SPLIT", help="folds or splits to score on")
    stress.add_argument(
        "--metric", metavar="NAME", help="shown for each cell (default: that of the objective)"
    )
    stress.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; the last digits of a score may depend on them",
    )
    stress.add_argument("--json", action="store_true", help="one JSON object")


def _do_stress(options: argparse.Namespace) -> None:
    import torch

    from sweep.api.stress import as_json, metric_for, stress_checkpoint
    from sweep.results.render import stress_table, summary_table

    torch.set_num_threads(max(1, options.threads))
    record = stress_checkpoint(
        options.checkpoint, options.data, options.artifacts, options.levels, options.split
    )
    metric = metric_for(options.checkpoint, options.metric)
    if options.json:
        print(json.dumps(as_json(record, metric)))
        return
    print(f"{stress_table(record, metric)}\n")
    print(summary_table(record.metrics))


def add_best(commands: Commands) -> None:
    """``mrisweep best``."""
    best = command(
        commands,
        "best",
        _do_best,
        "rank the configurations of a sweep, with 95 % patient-bootstrap intervals",
        "Each trial stands at its best epoch by the sweep's objective.",
    )
    best.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="of the sweep")
    best.add_argument("--mlflow", metavar="URI", help="ask this tracking server instead of DIR")
    best.add_argument("--experiment", metavar="NAME", help="with --mlflow: the sweep's name")
    best.add_argument("--by", default="robust/auroc_cvar", metavar="METRIC", help="to rank by")
    best.add_argument("--norm", metavar="NAME", help="only this norm")
    best.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="condition such as 'clean/auroc>=0.9'; may be repeated",
    )
    best.add_argument("--top", type=int, metavar="K", help="the best K only")
    best.add_argument("--json", action="store_true", help="a JSON list of objects, best first")


def _do_best(options: argparse.Namespace) -> None:
    from sweep.results import ranking
    from sweep.results.render import ranked_table

    if (options.folder is None) == (options.mlflow is None):
        raise UserError("best asks either a sweep's folder or, with --mlflow, a tracking server")
    if (options.mlflow is None) != (options.experiment is None):
        raise UserError("--mlflow URI and --experiment NAME go together")
    rows = (
        ranking.of_folder(options.folder)
        if options.folder is not None
        else ranking.of_server(options.mlflow, options.experiment)
    )
    ranked = ranking.best(rows, options.by, options.norm, options.where, options.top)
    if options.json:
        print(json.dumps([asdict(row) for row in ranked], indent=1))
    elif ranked:
        print(ranked_table(ranked, options.by))
    else:
        say("no trial qualifies")
