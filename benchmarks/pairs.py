"""How long one step takes against another: each measurement stands between two of the reference."""

import argparse
import sys
import time
from collections.abc import Callable

import torch

Step = Callable[[], None]
Clock = Callable[[], float]


def add_device(parser: argparse.ArgumentParser) -> None:
    """The options of where to measure."""
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")


def device_is_ready(options: argparse.Namespace) -> bool:
    """Set the threads; False, and said, without the CUDA device that was asked for."""
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device: --device cpu measures without one", file=sys.stderr)
        return False
    torch.set_num_threads(options.threads)
    return True


def clock_of(options: argparse.Namespace) -> Clock:
    """Wall time of a GPU's work; of a CPU's its own time, which others do not lengthen."""
    return time.perf_counter if options.device == "cuda" else time.process_time


def seconds(step: Step, steps: int, device: torch.device, clock: Clock) -> float:
    """Time one of `steps` steps, the work of a GPU included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (clock() - start) / steps


def ratios(
    step: Step,
    reference: Step,
    *,
    steps: int,
    repeats: int,
    device: torch.device,
    clock: Clock = time.perf_counter,
) -> list[float]:
    """Divide each time of a step by the mean of the reference's before and after; ascending.

    So a machine that slows down for a while slows both.
    """

    def time_of(one: Step) -> float:
        return seconds(one, steps, device, clock)

    time_of(step)
    before, found = time_of(reference), []
    for _ in range(repeats):
        own, after = time_of(step), time_of(reference)
        found.append(2 * own / (before + after))
        before = after
    return sorted(found)
