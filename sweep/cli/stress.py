"""``stress``: one checkpoint under artifacts."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, add_options, command, room, say, show
from sweep.cli.groups import add_groups, grouping_of

if TYPE_CHECKING:
    from sweep.api.stress import Stressed
    from sweep.metrics import Metric


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
    add_groups(stress)
    stress.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; the last digits of a score may depend on them",
    )
    stress.add_argument(
        "--cells",
        action="store_true",
        help="every cell, a column for each label, and the summaries of all metrics",
    )
    stress.add_argument("--json", action="store_true", help="one JSON object")
    stress.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="also write every metric of each cell and label to FILE.csv or FILE.parquet",
    )
    stress.add_argument("--force", action="store_true", help="replace FILE if it exists")


def _do_stress(options: argparse.Namespace) -> None:
    import torch

    from sweep.api.checkpoint import open_checkpoint
    from sweep.api.output import check_output, writing
    from sweep.api.stress import as_json, stress
    from sweep.config.artifacts import given_options
    from sweep.config.sweep import given_modes
    from sweep.metrics import metric_for
    from sweep.results.flat import require_ending
    from sweep.results.groups_text import scores_text
    from sweep.results.stress_text import cell_rows
    from sweep.results.tables import write_rows
    from sweep.store import Store

    if options.out is not None:
        require_ending(options.out)
        check_output(options.out, options.force, (options.checkpoint, options.data))
    grouping = grouping_of(options)
    if grouping is not None:  # before the work
        grouping.of(Store.open(options.data).column(grouping.column).tolist())
    torch.set_num_threads(max(1, options.threads))
    loaded = open_checkpoint(options.checkpoint)
    info = loaded.info
    metric = metric_for(info.config.objective, options.metric)
    found = stress(
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
    if options.out is not None:
        with writing(options.out):
            write_rows(options.out, cell_rows(found.record))
    groups = None
    if grouping is not None:
        groups = found.by_group(metric, grouping, options.min_patients)
    if options.json:
        print(json.dumps(as_json(found, metric, groups)))
    else:
        _show(found, metric, options.cells)
        if groups is not None:
            print(f"\n{scores_text({info.trial: groups}, metric, '', room())}")


def _show(found: "Stressed", metric: "Metric", cells: bool) -> None:
    from sweep.results.stress_text import (
        about_intervals,
        artifact_table,
        how_to_read,
        overview,
        scored_on,
        stress_table,
        summary_table,
    )

    record, width = found.record, room()
    intervals, basis = found.sure
    show(f"{scored_on(found.splits)}\n")
    if cells:
        print(f"{stress_table(record, metric.name, width)}\n")
        print(f"{summary_table(record.metrics)}\n")
    print(f"{artifact_table(found.by_artifact(metric), metric, width)}\n")
    print(f"{overview(record.metrics, intervals, metric)}\n")
    show(about_intervals(basis, metric))
    show(how_to_read(metric))
    if not cells:
        show("every cell, label and metric: --cells, --out FILE or --json")
