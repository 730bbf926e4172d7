"""What methods of training cost in a step, against plain training: time and peak memory.

    python benchmarks/training.py
    python benchmarks/training.py --device cuda --width 64 --size 320

One step is what a trial does with a batch that lies on the device: artifacts and scaling of the
inputs, forward, loss, backward, AdamW, and what the option adds; on a GPU in bfloat16 and channels
last, as a trial there. Every measurement of an option stands between two of plain training, which
it is divided by, so that a machine that slows down for a while slows both; the table has medians of
these ratios. On a CPU the time is that of this process, which other work on the machine changes
less. Peak memory is what a step takes beyond what lay there before it, the median of five: on a
CPU, of the resident memory of the process. What is done once an epoch, such as finding the running
statistics of averaged weights, is not in a step.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pairs import Step, add_device, device_is_ready, ratios, seconds
from peak_memory import extra_bytes
from results import Record

from sweep.config.sweep import SweepConfig
from sweep.learn.trainer import Trainer
from sweep.store import Store, write_store
from sweep.store.slices import Slice

PLAIN = "plain training"
ARTIFACTS = {"train.augment.artifacts": ["search"], "train.augment.levels": [1, 2, 3, 4, 5]}

# Name -> settings by dotted name, beside those of plain training.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {},
    "label_smoothing": {"train.label_smoothing": 0.1},
    "ema": {"train.ema": 0.999},
    "antialias": {"model.antialias": True},
    "mixstyle, in every step": {"train.mixstyle": 1.0},
    "group_dro": {"train.group_dro": "split"},
    "all of these": {
        "train.label_smoothing": 0.1,
        "train.ema": 0.999,
        "model.antialias": True,
        "train.mixstyle": 1.0,
        "train.group_dro": "split",
    },
    "artifacts, on half of the slices": ARTIFACTS,
    "artifacts, up to 3 on half of them": {**ARTIFACTS, "train.augment.chain": 3},
    "pose, of every kind": {
        "train.augment.flip_horizontal": 0.5,
        "train.augment.flip_vertical": 0.5,
        "train.augment.rotate": 10.0,
        "train.augment.translate": 0.1,
        "train.augment.scale": 0.1,
        "train.augment.crop": 0.7,
    },
    "randconv, on half of the slices": {"train.augment.randconv": 0.5},
    "augmix, 3 chains": {**ARTIFACTS, "train.augment.augmix": 3},
    "augmix, with consistency": {
        **ARTIFACTS,
        "train.augment.augmix": 3,
        "train.augment.augmix_consistency": 12.0,
    },
}


def make_store(path: Path, options: argparse.Namespace) -> Store:
    """Noise of two classes, in two splits to train on and one that is not used."""
    key = np.random.default_rng(0)
    shape = (options.size, options.size)
    numbers = range(2 * options.batch)
    slices = [
        Slice(f"s{n}", f"p{n}", ("a", "b", "c")[n % 3], frozenset({"xy"[n % 2]}), origin="noise")
        for n in numbers
    ]
    images = [np.abs(key.normal(100, 20, shape)).astype(np.float32) for _ in numbers]
    return write_store(
        path,
        slices,
        images,
        shape=shape,
        label_names=("x", "y"),
        task="multiclass",
        source={"kind": "noise"},
    )


def training_step(store: Store, name: str, options: argparse.Namespace) -> Step:
    """Return a function that trains a network by one step on one fixed batch."""
    config = SweepConfig.from_dict(
        {
            "name": "cost",
            "data": {"store": str(store.path), "train": ["a", "b"], "validation": ["c"]},
            "model": {
                "arch": options.arch,
                "norm": options.norm,
                "width": options.width,
                "stem_stride": 2,
            },
            "train": {"batch_size": options.batch},
            "stress": {"grid": "physical"},
        }
    )
    trial = config.replace(OPTIONS[name]).trial({})
    trainer = Trainer(trial, store, torch.device(options.device))
    trainer.begin(1)
    batch = trainer.load(trainer.indices[: options.batch])

    def step() -> None:
        trainer.step(batch, 1, 1e-4)

    return step


def memory_of(step: Step, device: torch.device) -> float:
    """The peak memory of a step in bytes; NaN where it is not known."""
    found = [extra_bytes(step, device) or float("nan") for _ in range(5)]
    return statistics.median(found)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--options", nargs="+", default=list(OPTIONS), choices=list(OPTIONS))
    parser.add_argument("--arch", default="preact_resnet18")
    parser.add_argument("--norm", default="batch")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--size", type=int, default=96, help="side of an image, pixels")
    parser.add_argument("--batch", type=int, default=32)
    add_device(parser)
    parser.add_argument("--steps", type=int, default=2, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=9, help="measurements of one option")
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/training.json"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 without the CUDA device that was asked for."""
    options = parse(arguments)
    if not device_is_ready(options):
        return 2
    record = Record("training")
    with tempfile.TemporaryDirectory() as scratch:
        store = make_store(Path(scratch) / "noise.h5", options)
        measure(store, options, record)
    if options.save:
        print(f"written to {record.save()}")
    return 0


def measure(store: Store, options: argparse.Namespace, record: Record) -> None:
    """Print a line for each option, and note its figures."""
    device = torch.device(options.device)
    plain = training_step(store, PLAIN, options)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    plain_time = seconds(plain, options.steps, device, clock)
    plain_bytes = memory_of(plain, device)
    print(f"{PLAIN}: {plain_time * 1000:.0f} ms, {plain_bytes / 1e6:.0f} MB")
    table = "a training step with"
    for name in options.options:
        step = training_step(store, name, options)
        found = ratios(
            step, plain, steps=options.steps, repeats=options.repeats, device=device, clock=clock
        )
        middle, memory = statistics.median(found), memory_of(step, device) / plain_bytes
        extremes = f"{found[0]:.2f} to {found[-1]:.2f}"
        print(f"{name:<36}{middle:6.2f}   {extremes}   memory {memory:5.2f}", flush=True)
        record.add(table, name, "time, of plain training's", f"{middle:.2f}")
        record.add(table, name, "of all measurements", extremes)
        record.add(table, name, "peak memory, of plain training's", f"{memory:.2f}")


if __name__ == "__main__":
    sys.exit(main())
