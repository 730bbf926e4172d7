"""Commands on severity: ``calibrate`` the levels, ``preview`` what they look like."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, command, say

ARTIFACTS = "artifacts, or a family: search, holdout (default: all)"


def add_calibrate(commands: Commands) -> None:
    """``mrisweep calibrate``."""
    calibrate = command(
        commands,
        "calibrate",
        _do_calibrate,
        "find the knob values at which artifacts look equally severe on a store's slices",
        "Levels 1 to 5 are the knob values at which the mean SSIM over the foreground of the "
        "chosen slices is 0.95, 0.90, 0.80, 0.70 and 0.60; one that an artifact does not reach "
        "stays missing. They are checked on slices of other patients, with another seed.",
    )
    calibrate.add_argument("store", type=Path, metavar="STORE.h5")
    calibrate.add_argument(
        "--split",
        nargs="+",
        required=True,
        metavar="SPLIT",
        help="folds or splits to choose slices from: those you train on, never the test split, "
        "on which levels must not rest",
    )
    calibrate.add_argument("--artifacts", nargs="+", metavar="NAME", help=ARTIFACTS)
    calibrate.add_argument("--slices", type=int, default=64, help="of the reference")
    calibrate.add_argument("--held-out", type=int, default=32, help="slices of other patients")
    calibrate.add_argument("--seed", type=int, default=0, help="of the choice and of the draws")
    calibrate.add_argument("--threads", type=int, default=1, help="CPU threads")
    calibrate.add_argument(
        "--out", type=Path, required=True, metavar="LEVELS.json", help="new file"
    )


def _do_calibrate(options: argparse.Namespace) -> None:
    import torch

    from sweep.api.calibrate import calibrate_store, levels_table
    from sweep.api.reference import ReferencePlan

    torch.set_num_threads(max(1, options.threads))
    plan = ReferencePlan(tuple(options.split), options.slices, options.held_out, options.seed)
    done = calibrate_store(options.store, plan, options.out, options.artifacts, say)
    print(levels_table(done))
    print(f"\nlevels {options.out}")


def add_preview(commands: Commands) -> None:
    """``mrisweep preview``."""
    preview = command(
        commands,
        "preview",
        _do_preview,
        "draw one slice under every artifact and level, on one sheet",
        "A row for each artifact, the clean slice first; every panel is in the grey window of the "
        "clean slice, pixel for pixel, with its knob value and the SSIM it has.",
    )
    preview.add_argument("store", type=Path, metavar="STORE.h5")
    preview.add_argument("--slice", metavar="KEY", help="default: one drawn by the seed")
    preview.add_argument("--artifacts", nargs="+", metavar="NAME", help=ARTIFACTS)
    preview.add_argument(
        "--levels", nargs="+", type=int, metavar="LEVEL", help="levels to draw (default: all)"
    )
    preview.add_argument(
        "--grid",
        default="calibrated",
        metavar="GRID",
        help="what a level means: calibrated, physical, or a file of `mrisweep calibrate`",
    )
    preview.add_argument("--seed", type=int, default=0, help="of the artifacts' draws")
    preview.add_argument(
        "--out",
        type=Path,
        default=Path("preview.png"),
        metavar="FILE.png",
        help="replaced if it exists",
    )


def _do_preview(options: argparse.Namespace) -> None:
    import artifacts_sim
    from sweep.inspect.preview import preview_store

    key = preview_store(
        options.store,
        options.out,
        key=options.slice,
        artifacts=options.artifacts,
        levels=options.levels or artifacts_sim.LEVELS,
        grid=options.grid,
        seed=options.seed,
    )
    print(f"{options.out}: slice {key!r}")
