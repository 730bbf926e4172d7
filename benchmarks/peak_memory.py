"""How much memory a piece of work takes at its peak, beyond what was there before."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import torch

_RESET_PEAK = "5"  # see proc(5), /proc/pid/clear_refs


def extra_bytes(work: Callable[[], object], device: torch.device) -> int | None:
    """Return the peak of memory in use while `work` runs, its result included, less the start's.

    On a CPU that is resident memory, whoever asked for it; it is known on Linux only, else None.
    """
    work()
    gc.collect()
    if device.type == "cuda":
        start = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) - start
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what is free, but still resident, would hide the use
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
        start = _resident_bytes("VmRSS")
        work()
        return _resident_bytes("VmHWM") - start
    except (OSError, AttributeError):
        return None


def _resident_bytes(kind: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[kind].split()[0]) * 1024
