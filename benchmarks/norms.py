"""What a training step costs under every norm, against batch norm: time and peak memory.

    python benchmarks/norms.py
    python benchmarks/norms.py --device cuda --dtype bfloat16 --channels-last --width 64 --size 320

One step is forward, loss, backward and AdamW on images that already lie on the device. Every
measurement of a norm stands between two of batch norm, which it is divided by, so that a machine
that slows down for a while slows both; the table has medians of these ratios. Peak memory is what a
step takes beyond what lay there before it: on a CPU, of the resident memory of the process.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import torch
from pairs import Step, add_device, device_is_ready, ratios, seconds
from peak_memory import extra_bytes
from results import Record
from torch.nn.functional import binary_cross_entropy_with_logits

import mrimodels

LABELS = 4


def training_step(norm: str, options: argparse.Namespace) -> Step:
    """Return a function that trains a network by one step on one fixed batch."""
    device = torch.device(options.device)
    spec = mrimodels.ModelSpec(
        arch=options.arch, norm=norm, n_outputs=LABELS, width=options.width, stem_stride=2
    )
    order = torch.channels_last if options.channels_last else torch.contiguous_format
    model = mrimodels.build(spec).to(device, memory_format=order)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    key = torch.Generator(device).manual_seed(0)
    shape = (options.batch, 1, options.size, options.size)
    images = torch.randn(shape, device=device, generator=key).contiguous(memory_format=order)
    targets = torch.rand(options.batch, LABELS, device=device, generator=key).round()
    dtype = getattr(torch, options.dtype)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits = model(images)
        binary_cross_entropy_with_logits(logits, targets).backward()
        optimizer.step()

    return step


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--norms", nargs="+", default=list(mrimodels.NORMS))
    parser.add_argument("--arch", default="preact_resnet18")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--size", type=int, default=96, help="side of an image, pixels")
    parser.add_argument("--batch", type=int, default=32)
    add_device(parser)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--steps", type=int, default=2, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=9, help="measurements of one norm")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/norms.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 without the CUDA device that was asked for."""
    options = parse(arguments)
    if not device_is_ready(options):
        return 2
    record = Record("norms")
    table = "a training step with"
    device = torch.device(options.device)
    batch_step = training_step("batch", options)
    batch_time = seconds(batch_step, options.steps, device, time.perf_counter)
    batch_bytes = extra_bytes(batch_step, device)
    print(f"batch norm: {batch_time * 1000:.0f} ms, {(batch_bytes or 0) / 1e6:.0f} MB")
    for norm in options.norms:
        step = training_step(norm, options)
        found = ratios(
            step, batch_step, steps=options.steps, repeats=options.repeats, device=device
        )
        own_bytes = extra_bytes(step, device)
        middle = statistics.median(found)
        memory = own_bytes / batch_bytes if own_bytes and batch_bytes else float("nan")
        extremes = f"{found[0]:.2f} to {found[-1]:.2f}"
        print(f"{norm:<14}{middle:6.2f}   {extremes}   memory {memory:5.2f}", flush=True)
        record.add(table, norm, "time, of batch norm's", f"{middle:.2f}")
        record.add(table, norm, "of all measurements", extremes)
        record.add(table, norm, "peak memory, of batch norm's", f"{memory:.2f}")
    if options.save:
        print(f"written to {record.save()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
