"""What slices with their neighbours cost, against slices alone.

    python benchmarks/context.py volumes.h5

The inputs of a cell for all slices of the first split, as an evaluator makes them: with each slice
of a batch damaged once, and with each damaged once for every stack that it is in. Then steps of
training, and a cell that is scored on inputs that were kept. Each is measured between two of the
same with slices alone, see ``pairs``; on a CPU the time is that of this process.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from pairs import Clock, Step, add_device, clock_of, device_is_ready, ratios
from results import Record

from sweep.api.measure import train_a_step
from sweep.config.levels import shift_of
from sweep.config.settings import DataSettings, ModelSettings, StressSettings, TrialConfig
from sweep.core.records import Cell
from sweep.learn.checkpoints import for_evaluation
from sweep.learn.inputs import corrupt, gather, normalize
from sweep.learn.kept import KeptInputs
from sweep.learn.stress import inputs, predict
from sweep.learn.trainer import Trainer
from sweep.store import Store

TABLE = "with neighbours, of slices alone"
ARTIFACTS = ("rician", "motion", "ghosting", "spike", "bias")


def config_of(store: Store, context: int, width: int) -> TrialConfig:
    """A trial on the first split of a store, that trains on the others."""
    first, *others = sorted(set(store.splits.tolist()))
    data = DataSettings(
        store=str(store.path), train=tuple(others), validation=(first,), context=context
    )
    model = ModelSettings(width=width, stem_stride=2)
    return TrialConfig(data=data, model=model, stress=StressSettings(grid="calibrated"))


def making(store: Store, config: TrialConfig, artifact: str, device: torch.device) -> Step:
    """Make all inputs of one cell."""
    rows = store.indices(config.data.validation)
    size, seed = config.stress.batch_size, config.stress.seed
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    shift = shift_of(config.stress, Cell(artifact, 3))

    def step() -> None:
        for _ in inputs(store, batches, shift, config.data, seed, device):
            pass

    return step


def making_apart(store: Store, config: TrialConfig, artifact: str, device: torch.device) -> Step:
    """The same, each slice damaged for every stack that it is in."""
    data, rows = config.data, store.indices(config.data.validation)
    size, seed = config.stress.batch_size, config.stress.seed
    shift = shift_of(config.stress, Cell(artifact, 3))

    def step() -> None:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            batch = gather(store, part, device, context=data.context, apart=True)
            damaged = corrupt(batch.signals, shift, batch.drawn or batch.names, seed)
            normalize(batch.stacked(damaged), data.normalize)

    return step


def scoring(trainer: Trainer, kept: KeptInputs) -> Step:
    """Score one cell with inputs that were kept."""
    config, store = trainer.config, trainer.store
    rows, cell = store.indices(config.data.validation), Cell("motion", 3)
    model = for_evaluation(trainer.model, trainer.spec)

    def step() -> None:
        predict(model, store, rows, cell, config.data, config.stress, trainer.device, kept)

    step()  # and keep them
    return step


def measured(options: argparse.Namespace, clock: Clock, record: Record) -> None:
    """Print the ratios, and note them."""
    device, store = torch.device(options.device), Store.open(options.store)
    alone, beside = (config_of(store, n, options.width) for n in (0, options.context))
    ways: dict[str, tuple[Step, Step]] = {}
    for name in ARTIFACTS:
        reference = making(store, alone, name, device)
        ways[f"inputs under {name}"] = (making(store, beside, name, device), reference)
        apart = making_apart(store, beside, name, device)
        ways[f"the same, each slice for every stack, {name}"] = (apart, reference)
    trainers = [Trainer(config, store, device) for config in (beside, alone)]
    ways["a step of training"] = (
        lambda: train_a_step(trainers[0]),
        lambda: train_a_step(trainers[1]),
    )
    caches = [KeptInputs(1 << 34, 1 << 34) for _ in trainers]
    evaluated = [Trainer(config, store, device) for config in (beside, alone)]
    scored = [scoring(*both) for both in zip(evaluated, caches, strict=True)]
    ways["a cell that is scored on kept inputs"] = (scored[0], scored[1])
    for row, (step, reference) in ways.items():
        found = ratios(
            step, reference, steps=1, repeats=options.repeats, device=device, clock=clock
        )
        middle = statistics.median(found)
        text = f"{middle:.2f} ({found[0]:.2f} to {found[-1]:.2f})"
        print(f"{TABLE}: {row}: {text}", flush=True)
        record.add(TABLE, row, f"context {options.context}", text)
    memory = f"{caches[0].nbytes / caches[1].nbytes:.2f}"
    print(f"{TABLE}: memory of kept inputs: {memory}")
    record.add(TABLE, "memory of kept inputs", f"context {options.context}", memory)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("--context", type=int, default=1)
    parser.add_argument("--width", type=int, default=16)
    add_device(parser)
    parser.add_argument("--repeats", type=int, default=5, help="measurements of one way")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/context.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ratios; 2 without the CUDA device that was asked for."""
    options = parse(arguments)
    if not device_is_ready(options):
        return 2
    clock = clock_of(options)
    record = Record("context")
    measured(options, clock, record)
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
