"""Commands on severity: ``calibrate`` the levels, ``preview`` what they look like."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, add_options, add_seed, command, say

ARTIFACTS = "artifacts, or a family: search, holdout (default: all)"


def add_calibrate(commands: Commands) -> None:
    """``mrisweep calibrate``."""
    calibrate = command(
        commands,
        "calibrate",
        _do_calibrate,
        "find the knob values at which artifacts look equally severe on a store's slices",
        "Levels 1 to 5 are the knob values at which the mean SSIM of the chosen slices is 0.95, "
        "0.90, 0.80, 0.70 and 0.60; one that an artifact does not reach stays missing. They are "
        "checked on slices of other patients, with another seed. A sweep does this by itself, on "
        "its training slices; this is for levels that several sweeps are to share.",
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
    add_options(calibrate)
    calibrate.add_argument(
        "--slices", type=int, help="of the reference (default: up to 192, as there are)"
    )
    calibrate.add_argument(
        "--held-out", type=int, help="slices of other patients (default: up to 96, as there are)"
    )
    add_seed(calibrate, "of the choice and of the draws")
    calibrate.add_argument(
        "--signal", choices=("images", "kspace"), default="images", help="what artifacts act on"
    )
    calibrate.add_argument(
        "--normalize",
        choices=("robust", "zscore", "max", "none"),
        default="robust",
        help="of the classifier's inputs, on which similarity is measured",
    )
    calibrate.add_argument(
        "--measure",
        choices=("foreground", "whole"),
        default="foreground",
        help="where similarity counts; the other is shown beside it",
    )
    calibrate.add_argument(
        "--threads", type=int, help="artifacts at a time (default: one for each CPU core)"
    )
    calibrate.add_argument(
        "--out", type=Path, required=True, metavar="LEVELS.json", help="new file"
    )


def _do_calibrate(options: argparse.Namespace) -> None:
    from sweep.api.calibrate import calibrate_store, levels_table
    from sweep.config.artifacts import given_options
    from sweep.learn.reference import ReferencePlan

    plan = ReferencePlan(
        tuple(options.split),
        options.slices,
        options.held_out,
        options.seed,
        options.signal,
        options.normalize,
        options.measure,
    )
    done = calibrate_store(
        options.store,
        plan,
        options.out,
        options.artifacts,
        say,
        options.threads,
        given_options(options.options),
    )
    print(levels_table(done, plan.measure))
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
    add_options(preview)
    preview.add_argument(
        "--levels", nargs="+", type=int, metavar="LEVEL", help="levels to draw (default: all)"
    )
    preview.add_argument(
        "--grid",
        default="calibrated",
        metavar="GRID",
        help="what a level means: calibrated (for 256 x 256), physical, or a file: levels.json of "
        "a sweep's folder, or of `mrisweep calibrate`",
    )
    add_seed(preview, "of the artifacts' draws")
    preview.add_argument(
        "--out",
        type=Path,
        default=Path("preview.png"),
        metavar="FILE.png",
        help="replaced if it exists",
    )


def _do_preview(options: argparse.Namespace) -> None:
    import artifacts_sim
    from sweep.config.artifacts import given_options
    from sweep.inspect.preview import preview_store

    key = preview_store(
        options.store,
        options.out,
        key=options.slice,
        artifacts=options.artifacts,
        levels=options.levels or artifacts_sim.LEVELS,
        grid=options.grid,
        seed=options.seed,
        options=given_options(options.options),
        say=say,
    )
    print(f"{options.out}: slice {key!r}")
