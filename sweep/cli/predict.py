"""``predict``: one checkpoint on the slices of a store."""

import argparse
import json
import time
from pathlib import Path

from sweep.cli.base import Commands, command, counter, say
from sweep.core.interruption import interruptible
from sweep.core.text import number_of


def add_predict(commands: Commands) -> None:
    """``mrisweep predict``."""
    predict = command(
        commands,
        "predict",
        _do_predict,
        "predict the labels of a store's slices with one checkpoint",
        "Slices are prepared as those that the checkpoint was trained on. A row for each: log-odds "
        "and probability of the checkpoint's labels, and the true values of those labels that the "
        "store has, too.",
    )
    predict.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    predict.add_argument("--data", type=Path, required=True, metavar="STORE.h5")
    predict.add_argument(
        "--split", nargs="+", metavar="SPLIT", help="folds or splits to predict (default: all)"
    )
    predict.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="new file: CSV where its name ends in .csv, else Parquet",
    )
    predict.add_argument("--force", action="store_true", help="replace FILE if it exists")
    predict.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="slices at a time; the last digits may depend on it (default: as in the sweep)",
    )
    predict.add_argument(
        "--device", metavar="NAME", help="cpu, cuda, cuda:1 (default: the GPU if there is one)"
    )
    predict.add_argument("--json", action="store_true", help="one JSON object")


def _do_predict(options: argparse.Namespace) -> None:
    from sweep.api.predict import predict

    started = time.perf_counter()
    with interruptible():
        outputs = predict(
            options.checkpoint,
            options.data,
            options.out,
            options.split,
            options.batch_size,
            options.device,
            options.force,
            say,
            counter("slices"),
        )
    seconds = time.perf_counter() - started
    slices, patients = len(outputs.keys), len(set(outputs.patients))
    if options.json:
        done = {
            "out": str(options.out),
            "trial": outputs.trial,
            "epoch": outputs.epoch,
            "labels": list(outputs.labels),
            "true_labels": list(outputs.truth),
            "slices": slices,
            "patients": patients,
            "seconds": round(seconds, 3),
        }
        print(json.dumps(done))
        return
    print(
        f"{options.out}: {number_of(slices, 'slice')} of {number_of(patients, 'patient')} in "
        f"{seconds:.1f} s"
    )
