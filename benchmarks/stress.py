"""What a stress test of a checkpoint costs, against the bare forward passes that it cannot avoid.

    mrisweep ingest images manifest.csv --images images/ --out brain.h5 --size 96
    python benchmarks/stress.py brain.h5
    python benchmarks/stress.py brain.h5 --device cuda --width 64

The full grid (the default artifacts and levels, and the clean slices) of one checkpoint on the
first split of a store, as an evaluator computes it, against forward passes of the same network
over the same batches, which lie ready in memory: with inputs that an evaluator has kept, with
inputs that are made, and as before there were either kept inputs or weights laid out channels
last. Then both ways against the training of one epoch on the other splits. Every measurement
stands between two of its reference, see ``pairs``; on a CPU the time is that of this process.
``--passes`` measures forward passes of noise alone: each norm channels last, batch norm folded
into the convolutions before it, bfloat16. Set the variables of
``sweep.cluster.session.WORKER_ENV`` first: a worker has them, and without them page faults outweigh
what is measured.
"""

import argparse
import copy
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from pairs import Clock, Step, add_device, clock_of, device_is_ready, ratios
from results import Record
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import mrimodels
from mrimodels.preact_resnet import BasicBlock
from sweep.config.levels import shift_of
from sweep.config.sweep import SweepConfig
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import LoadedCheckpoint, load_checkpoint
from sweep.learn.inputs import corrupt, gather, normalize
from sweep.learn.kept import KeptInputs
from sweep.learn.stress import cells_of, inputs, stress_loaded
from sweep.learn.trainer import Trainer
from sweep.store import Store

GRID = "a full stress test, of its bare forward passes"
TRAINING = "a full stress test, of an epoch's training"
PASS = "a forward pass, of the plain one"


def trained(trainer: Trainer, device: torch.device) -> LoadedCheckpoint:
    """The network after an epoch, as an evaluator reads it."""
    stats = trainer.train_epoch(1)
    with tempfile.TemporaryDirectory() as scratch:
        files = CheckpointFolder(Path(scratch))
        trainer.save(files, 1, stats)
        return load_checkpoint(files.epoch(1), device)


def ready_batches(trainer: Trainer, device: torch.device) -> list[Tensor]:
    """Every batch of every cell, as the network gets it."""
    data, stress = trainer.config.data, trainer.config.stress
    indices = trainer.store.indices(data.validation)
    starts = range(0, len(indices), stress.batch_size)
    rows = [indices[start : start + stress.batch_size] for start in starts]
    with torch.inference_mode():
        return [
            batch
            for cell in cells_of(stress)
            for batch in inputs(
                trainer.store, rows, shift_of(stress, cell), data, stress.seed, device
            )
        ]


def forward_passes(model: nn.Module, batches: Sequence[Tensor]) -> Step:
    """A function that runs a network over batches."""

    @torch.inference_mode()
    def step() -> None:
        for batch in batches:
            model(batch)

    return step


def stress_test(loaded: LoadedCheckpoint, trainer: Trainer, kept: KeptInputs | None) -> Step:
    """A function that stress-tests a checkpoint on the whole grid."""
    stress, store = trainer.config.stress, trainer.store
    cells, indices = cells_of(stress), store.indices(trainer.config.data.validation)

    def step() -> None:
        for _ in stress_loaded(loaded, store, cells, indices, stress, kept):
            pass

    return step


def plain_stress_test(model: nn.Module, trainer: Trainer, device: torch.device) -> Step:
    """A function that makes every input and runs a network that is laid out plainly on it."""
    data, stress, store = trainer.config.data, trainer.config.stress, trainer.store
    indices = store.indices(data.validation)

    @torch.inference_mode()
    def step() -> None:
        for cell in cells_of(stress):
            shift = shift_of(stress, cell)
            for start in range(0, len(indices), stress.batch_size):
                rows = indices[start : start + stress.batch_size]
                batch = gather(store, rows, device, data.signal, data.scan_draws)
                corrupted = corrupt(batch.signals, shift, batch.names, stress.seed)
                model(normalize(corrupted, data.normalize)).softmax(1).cpu().numpy()

    return step


def plain(model: nn.Module) -> nn.Module:
    """A copy of a network whose weights are laid out as they were built."""
    return copy.deepcopy(model).to(memory_format=torch.contiguous_format)


def folded(model: nn.Module) -> nn.Module:
    """A copy with the batch norm that directly follows a convolution of a block in its weights."""
    made = copy.deepcopy(model)
    for block in made.modules():
        if isinstance(block, BasicBlock):
            block.conv1 = fuse_conv_bn_eval(block.conv1, block.norm2)
            block.norm2 = nn.Identity()
    return made


def grid(path: Path, options: argparse.Namespace, clock: Clock, record: Record) -> None:
    """Measure the full grid on a store."""
    device = torch.device(options.device)
    store = Store.open(path)
    first, *others = sorted(store.split_counts())
    config = SweepConfig.from_dict(
        {
            "name": "cost",
            "data": {"store": str(path), "train": others, "validation": [first]},
            "model": {"norm": options.norm, "width": options.width, "stem_stride": 2},
            "stress": {"grid": "physical"},
        }
    )
    trainer = Trainer(config.trial({}), store, device)
    loaded = trained(trainer, device)
    batches = ready_batches(trainer, device)
    kept = KeptInputs(4 * sum(batch.nbytes for batch in batches), on_device=1 << 40)
    warm = stress_test(loaded, trainer, kept)
    before = plain_stress_test(plain(loaded.model), trainer, device)
    bare = forward_passes(loaded.model, batches)
    ways: dict[str, Step] = {
        "inputs kept": warm,
        "inputs made": stress_test(loaded, trainer, None),
        "before": before,
    }
    for name, step in ways.items():
        add(record, GRID, path.stem, name, step, bare, options, clock)
    print(f"kept: {kept.nbytes / 1e6:.0f} MB")
    record.add(GRID, path.stem, "kept, MB", f"{kept.nbytes / 1e6:.0f}")

    def training() -> None:
        trainer.train_epoch(2)

    for name in ("inputs kept", "before"):
        add(record, TRAINING, path.stem, name, ways[name], training, options, clock)


def passes(options: argparse.Namespace, clock: Clock, record: Record) -> None:
    """Measure what forward passes of noise gain."""
    device = torch.device(options.device)
    for norm in mrimodels.NORMS:
        spec = mrimodels.ModelSpec(
            arch="preact_resnet18", norm=norm, n_outputs=3, width=options.width, stem_stride=2
        )
        model = mrimodels.build(spec).to(device).eval()
        last = copy.deepcopy(model).to(memory_format=torch.channels_last)
        noise = torch.randn(64, 1, options.size, options.size, device=device)
        bare = forward_passes(model, [noise])
        ways = {"channels last": forward_passes(last, [noise])}
        if norm == "batch":
            ways["and batch norm folded"] = forward_passes(folded(last), [noise])
        ways["and bfloat16"] = in_bfloat16(last, noise)
        for name, step in ways.items():
            add(record, PASS, norm, name, step, bare, options, clock)


def in_bfloat16(model: nn.Module, batch: Tensor) -> Step:
    """A function that runs a network under autocast."""
    run = forward_passes(model, [batch])

    def step() -> None:
        with torch.autocast(batch.device.type, torch.bfloat16):
            run()

    return step


def add(
    record: Record,
    table: str,
    row: str,
    column: str,
    step: Step,
    reference: Step,
    options: argparse.Namespace,
    clock: Clock,
) -> None:
    """Print the median ratio of a step to a reference, and note it."""
    device = torch.device(options.device)
    found = ratios(step, reference, steps=1, repeats=options.repeats, device=device, clock=clock)
    middle = statistics.median(found)
    print(f"{table}: {row}, {column}: {middle:.2f} ({found[0]:.2f} to {found[-1]:.2f})", flush=True)
    record.add(table, row, column, f"{middle:.2f} ({found[0]:.2f} to {found[-1]:.2f})")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stores", nargs="*", type=Path)
    parser.add_argument("--norm", default="batch")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--size", type=int, default=96, help="side of an image of noise, pixels")
    parser.add_argument("--passes", action="store_true", help="measure forward passes of noise")
    add_device(parser)
    parser.add_argument("--repeats", type=int, default=5, help="measurements of one way")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/stress.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ratios; 2 without the CUDA device that was asked for."""
    options = parse(arguments)
    if not device_is_ready(options):
        return 2
    clock = clock_of(options)
    record = Record("stress")
    if options.passes:
        passes(options, clock, record)
    for path in options.stores:
        grid(path, options, clock, record)
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
