"""``stress``: one checkpoint under artifacts."""

import argparse
import json
from pathlib import Path

from sweep.cli.base import Commands, add_options, command, say


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
    stress.add_argument(
        "--grid",
        metavar="GRID",
        help="what a level means, instead of what it meant in the sweep: auto, calibrated, "
        "physical, or a file of `mrisweep calibrate`",
    )
    add_options(stress, "; levels of what they change are found anew")
    stress.add_argument("--split", nargs="+", metavar="SPLIT", help="folds or splits to score on")
    stress.add_argument(
        "--mode",
        default="trained",
        metavar="NAME",
        help="of a network with batch norm: prediction_time, blend, adabn or precise",
    )
    stress.add_argument(
        "--mode-settings",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of stress.modes, such as batch_size=16 or order=natural; the others are as "
        "they were when it was trained",
    )
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

    from sweep.api.checkpoint import open_checkpoint
    from sweep.api.stress import as_json, stress
    from sweep.config.artifacts import given_options
    from sweep.config.sweep import given_modes
    from sweep.metrics import metric_for
    from sweep.results.render import stress_table, summary_table

    torch.set_num_threads(max(1, options.threads))
    loaded = open_checkpoint(options.checkpoint)
    metric = metric_for(loaded.info.config.objective, options.metric).name
    record = stress(
        loaded,
        options.data,
        options.artifacts,
        options.levels,
        options.split,
        options.grid,
        given_options(options.options),
        options.mode,
        given_modes(options.mode_settings, loaded.info.config.stress.modes),
        say,
        options.checkpoint,
    )
    if options.json:
        print(json.dumps(as_json(record, metric)))
        return
    print(f"{stress_table(record, metric)}\n")
    print(summary_table(record.metrics))
