"""Milliseconds per 320 x 320 slice of every artifact, on one thread, beside its floor.

Run: ``python benchmarks/artifacts.py``. A floor is the work that the artifact's formula cannot do
without, as plain torch calls on warm buffers. An artifact and its floor are timed in turn, so that
a busy machine slows both; the ratio of their medians is the number to watch.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import grid_sample

import artifacts_sim

SIZE, BATCH, CHUNK, REPEATS = 320, 16, 2, 15


def floors() -> dict[str, tuple[str, Callable[[], object]]]:
    """By artifact: what bounds it, and a function that does just that for CHUNK slices."""
    x = torch.rand(CHUNK, SIZE, SIZE)
    half_spectrum = torch.fft.rfft(x)
    centres = torch.linspace(-0.97, 0.97, SIZE)
    h, w = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([w + 0.05 * h, h - 0.05 * w], dim=-1).expand(CHUNK, -1, -1, -1).contiguous()
    y = torch.empty_like(x)
    generator = torch.Generator()

    def normals():
        for key in range(2 * CHUNK):
            torch.randn(SIZE, SIZE, generator=generator.manual_seed(key))

    def inverse():
        torch.fft.irfft(half_spectrum, n=SIZE)

    def splice():
        for _ in range(2):
            grid_sample(x[:, None], grid, align_corners=False)
            torch.fft.rfft(x)
            inverse()

    def modulate():
        torch.fft.rfft(x)
        inverse()
        inverse()

    def wave():
        torch.outer(centres, centres)
        torch.addcmul(x, x, x, out=y).sqrt_()

    def gain():
        torch.exp2(x, out=y).mul_(x)

    return {
        "rician": ("2 torch.randn", normals),
        "motion": ("2 grid_sample, 2 rfft, 2 irfft", splice),
        "ghosting": ("1 rfft, 2 irfft", modulate),
        "spike": ("1 multiply-add, 1 sqrt", wave),
        "bias": ("1 exp2, 1 multiply", gain),
    }


def milliseconds(work: Callable[[], object], slices: int) -> float:
    """Wall time of one call, per slice."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3 / slices


def compare(name: str, floor: Callable[[], object]) -> tuple[float, float, float]:
    """Median ms per slice of sampling, of applying and of the floor."""
    artifact = artifacts_sim.get(name)
    x = torch.rand(BATCH, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    keys = [f"slice-{i}" for i in range(BATCH)]
    params = artifact.sample(level=3, keys=keys, seed=0)
    rounds = [
        (
            milliseconds(lambda: artifact.sample(level=3, keys=keys, seed=0), BATCH),
            milliseconds(lambda: artifact.apply(x, params), BATCH),
            statistics.median(milliseconds(floor, CHUNK) for _ in range(BATCH // CHUNK)),
        )
        for _ in range(REPEATS + 2)
    ][2:]
    sample, apply, least = (statistics.median(column) for column in zip(*rounds, strict=True))
    return sample, apply, least


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, {SIZE} x {SIZE} float32, batch {BATCH}, one thread, ms/slice"
    )
    print(f"{'artifact':<10}{'sample':>8}{'apply':>8}{'floor':>8}{'ratio':>7}  floor is")
    for name, (what, floor) in floors().items():
        sample, apply, least = compare(name, floor)
        print(f"{name:<10}{sample:8.4f}{apply:8.3f}{least:8.3f}{apply / least:7.2f}  {what}")


if __name__ == "__main__":
    main()
