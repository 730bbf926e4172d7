"""Times and memory of one artifact, on a CPU beside its floor and the libraries, or on a GPU."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from artifact_floors import Floor
from artifact_libraries import Call
from peak_memory import extra_bytes
from torch import Tensor

import artifacts_sim

SIZE, CHUNK = 320, 4
SLICE_BYTES = 4 * SIZE**2
MEMORY_BATCH = 32
WARM_UP = 2  # rounds
CPU = torch.device("cpu")


@dataclass(frozen=True)
class OnCpu:
    """One artifact's ms per slice, of this package, of its floor and of libraries; and memory.

    Attributes:
        memory: Peak that a batch of 32 takes, in units of that batch; None where it is not known.

    """

    name: str
    sample: float
    apply: float
    floor: float
    libraries: dict[str, float]
    memory: float | None

    @property
    def speed_up(self) -> float | None:
        """Over the faster library."""
        return min(self.libraries.values()) / self.apply if self.libraries else None

    @property
    def ratio(self) -> float:
        """To the floor."""
        return self.apply / self.floor


@dataclass(frozen=True)
class OnGpu:
    """One artifact's slices per second, and memory as on a CPU.

    Attributes:
        bytes_per_s: What a kernel of its own would read and write, at this speed.

    """

    name: str
    slices_per_s: float
    bytes_per_s: float
    memory: float | None


def on_cpu(name: str, floor: Floor, libraries: dict[str, Call], batch: int, rounds: int) -> OnCpu:
    """Measure an artifact, its floor and the libraries in turn."""
    works = [*_prepared(name, batch, CPU), floor.work, *libraries.values()]
    repeats = [1, 3, max(1, batch // CHUNK), *(2 for _ in libraries)]
    sample, apply, least, *others = _in_turn(works, repeats, rounds)
    return OnCpu(
        name=name,
        sample=sample / batch,
        apply=apply / batch,
        floor=least / CHUNK,
        libraries=dict(zip(libraries, others, strict=True)),
        memory=_memory(name, CPU),
    )


def on_gpu(name: str, floor: Floor, batch: int, rounds: int, device: torch.device) -> OnGpu:
    """Measure an artifact on images that already lie on the device."""
    _, apply = _prepared(name, batch, device)
    (ms,) = _in_turn([apply], [1], rounds, device)
    rate = batch / ms * 1e3
    return OnGpu(name, rate, rate * floor.images_moved * SLICE_BYTES, _memory(name, device))


def copy_bytes_per_s(device: torch.device, rounds: int, size: int = 2**28) -> float:
    """Bytes read and written per second by a copy of `size` float32."""
    x = torch.zeros(size, device=device)
    y = torch.empty_like(x)
    (ms,) = _in_turn([lambda: y.copy_(x)], [1], rounds, device)
    return 2 * 4 * size / ms * 1e3


def _prepared(name: str, batch: int, device: torch.device) -> tuple[Call, Call]:
    """Return what samples, and what applies, an artifact for one batch."""
    artifact = artifacts_sim.get(name)
    x = torch.rand(batch, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).to(device)
    keys = [f"slice-{i}" for i in range(batch)]

    def sample() -> artifacts_sim.Params:
        return artifact.sample(level=3, keys=keys, seed=0, grid="physical")

    params = sample()

    def apply() -> Tensor:
        return artifact.apply(x, params)

    return sample, apply


def _in_turn(
    works: Sequence[Call], repeats: Sequence[int], rounds: int, device: torch.device = CPU
) -> list[float]:
    """Time the works round by round, each so often in a row: median ms of one call."""
    table = [
        [
            statistics.median(_milliseconds(work, device) for _ in range(repeat))
            for work, repeat in zip(works, repeats, strict=True)
        ]
        for _ in range(WARM_UP + rounds)
    ]
    return [statistics.median(column) for column in zip(*table[WARM_UP:], strict=True)]


def _milliseconds(work: Call, device: torch.device) -> float:
    """Wall time of one call, until the device has done it."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return (time.perf_counter() - start) * 1e3


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory(name: str, device: torch.device) -> float | None:
    _, apply = _prepared(name, MEMORY_BATCH, device)
    extra = extra_bytes(apply, device)
    return None if extra is None else extra / (MEMORY_BATCH * SLICE_BYTES)
