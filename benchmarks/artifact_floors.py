"""What each artifact cannot do without, as plain torch calls on warm buffers.

A floor has neither parameters nor checks, reads nothing from memory that a cache holds, and writes
nothing to it. It is not the least that a processor could do, but what is left of an artifact if
all but its arithmetic is free.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import grid_sample

import artifacts_sim

Work = Callable[[], object]
_MAGNITUDE = "magnitude (1 square, 1 multiply-add, 1 sqrt)"


@dataclass(frozen=True)
class Floor:
    """The least work of one artifact.

    Attributes:
        what: The same in words.
        work: Does it, for a chunk of slices.
        images_moved: float32 images that a kernel of its own would read and write per slice: one
            in and one out, as the FFT of a line fits into on-chip memory.

    """

    what: str
    work: Work
    images_moved: int = 2


def floors(chunk: int, size: int) -> dict[str, Floor]:
    """Make the floors, by artifact, for `chunk` slices of size x size pixels."""
    return _pixel_floors(chunk, size) | _fourier_floors(chunk, size) | _gather_floors(chunk, size)


def _pixel_floors(chunk: int, size: int) -> dict[str, Floor]:
    x = torch.rand(chunk, size, size)
    y, z = torch.rand(2, chunk, size, size)
    row, column = torch.rand(chunk, size, 1), torch.rand(chunk, 1, size)
    generator, period = torch.Generator(), 7 * size // 10

    def normals() -> None:
        for key in range(2 * chunk):
            torch.randn(size, size, generator=generator.manual_seed(key))

    def waves() -> None:
        torch.addcmul(x, row, column, out=y).addcmul_(row, column)
        torch.mul(row, column, out=z).addcmul_(row, column)
        y.square_().addcmul_(z, z).sqrt_()

    def gain() -> None:
        torch.add(row, column, out=y).addcmul_(row, column).addcmul_(row, column)
        y.exp2_().mul_(x)

    def linear_gain() -> None:
        x.amax(dim=(1, 2))
        torch.mul(x, 2.0, out=y).clamp_(0, 1).mul_(x)

    def powers() -> None:
        torch.square(x, out=y).lerp_(z, 0.1).sqrt_()

    def curve() -> None:
        x.amax(dim=(1, 2))
        torch.log2(x, out=y).mul_(row).exp2_().mul_(x)

    def tones() -> None:
        x.amax(dim=(1, 2))
        torch.floor(x, out=z)
        torch.sub(x, z, out=y).mul_(row).expm1_().mul_(row).add_(row)

    def tissues() -> None:
        torch.floor(x, out=z)
        torch.sub(x, z, out=y)
        torch.square(y, out=z).mul_(y).mul_(row).add_(row).exp2_().mul_(x)

    def all_normals() -> None:
        for _ in range(artifacts_sim.get("noncentral_chi").coils):
            normals()
            torch.square(x, out=y).addcmul_(z, z)
        y.sqrt_()

    def part() -> None:
        torch.mul(x, 2.0, out=z).clamp_(0, 1)
        torch.mul(x, z, out=z)
        torch.sub(x, z, out=y).addcmul_(z, row)

    def fold() -> None:
        y[..., :period].copy_(x[..., :period])
        y[..., : size - period].add_(x[..., period:])
        y[..., period:].copy_(y[..., : size - period])

    def copy() -> None:
        x.amax(dim=(1, 2))
        y.copy_(x)

    return {
        "rician": Floor("2 randn", normals, images_moved=4),
        "spike": Floor(f"3 multiply-adds, 1 multiply, {_MAGNITUDE}", waves),
        "bias": Floor("1 add, 2 multiply-adds, 1 exp2, 1 multiply", gain),
        "receive": Floor("1 maximum, 2 multiplies, 1 clamp", linear_gain),
        "nyquist_ghost": Floor("1 square, 1 lerp, 1 sqrt", powers),
        "contrast": Floor("1 maximum, 1 log2, 1 exp2, 2 multiplies", curve),
        "tone_curve": Floor("1 maximum, 1 floor, 2 adds, 1 expm1, 2 multiplies", tones),
        "tissue_contrast": Floor("1 floor, 2 adds, 1 exp2, 4 multiplies", tissues),
        "noncentral_chi": Floor("8 randn, 8 squares, 1 sqrt", all_normals, images_moved=4),
        "fat_shift": Floor("2 multiplies, 1 clamp, 1 subtract, 1 multiply-add", part),
        "wrap": Floor("1 copy, 0.3 of an add", fold),
        "zipper": Floor("1 maximum, 1 copy", copy),
    }


def _fourier_floors(chunk: int, size: int) -> dict[str, Floor]:
    x, y = torch.rand(2, chunk, size, size)
    lines, samples = torch.fft.rfft(x), torch.fft.rfft2(x)

    def modulate() -> None:
        torch.fft.rfft(x)
        torch.fft.irfft(lines, n=size)
        torch.fft.irfft(lines, n=size)
        torch.square(x, out=y).addcmul_(x, x).sqrt_()

    def both_axes() -> None:
        torch.fft.rfft2(x)
        torch.fft.irfft2(samples, s=(size, size))

    noise, generator = torch.rand(2, chunk, size, size), torch.Generator()

    def noisy_samples() -> None:
        for key in range(chunk):
            for part in noise:
                torch.randn(size, size, generator=generator.manual_seed(key), out=part[key])
        torch.fft.ifft2(torch.fft.fft2(torch.complex(noise[0], noise[1])))
        torch.square(x, out=y).addcmul_(x, x).sqrt_()

    coils = torch.zeros(artifacts_sim.get("sense").coils, size, size, dtype=torch.complex64)

    def see_and_unfold() -> None:
        for _ in range(chunk):
            torch.fft.ifft(torch.fft.fft(coils)).abs().sum(dim=0)

    of_lines = Floor(f"1 rfft, 2 irfft, {_MAGNITUDE}", modulate)
    of_samples = Floor("1 rfft2, 1 irfft2", both_axes, images_moved=6)
    return {
        "ghosting": of_lines,
        "undersampling": of_lines,
        "partial_fourier": of_lines,
        "gibbs": of_samples,
        "blur": of_samples,
        "sense": Floor("8 fft, 8 ifft, 8 abs, 7 adds", see_and_unfold, images_moved=4),
        "low_field": Floor(f"2 randn, 1 fft2, 1 ifft2, {_MAGNITUDE}", noisy_samples, 6),
    }


def _gather_floors(chunk: int, size: int) -> dict[str, Floor]:
    x, y, z, thin = torch.rand(4, chunk, size, size)
    lines = torch.fft.rfft(x)
    centres = torch.linspace(-0.97, 0.97, size)
    h, w = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([w + 0.05 * h, h - 0.05 * w], dim=-1).expand(chunk, -1, -1, -1).contiguous()
    thick, below = torch.rand(chunk, size // 4, size), torch.arange(size) // 4
    poses = artifacts_sim.get("motion").movements

    def warp() -> None:
        grid_sample(x[:, None], grid, align_corners=False)

    def splice() -> None:
        for _ in range(poses):
            warp()
            torch.fft.rfft(x)
        torch.fft.irfft(lines, n=size)
        torch.fft.irfft(lines, n=size)
        torch.square(x, out=y).addcmul_(x, x).sqrt_()

    def thicken() -> None:
        torch.mean(x.view(chunk, size // 4, 4, size), dim=2, out=thick)
        thick.index_select(1, below).lerp_(thick.index_select(1, below), 0.5)

    cell = (below * 4 + (torch.arange(size) % 3)).expand(chunk, size, size).contiguous()
    cell = cell.clamp_(max=size - 1)
    sums, wide = torch.zeros(2, chunk, size, size, dtype=torch.float64)

    def pile_up() -> None:
        torch.div(x, y, out=thin)
        sums.scatter_add_(-1, cell, wide)
        z.scatter_add_(-1, cell, x)
        torch.cumsum(sums, dim=-1, out=wide)
        torch.sub(wide, z, out=sums)

    def implant() -> None:
        torch.reciprocal(y, out=thin).exp_().mul_(x)
        torch.rsqrt(y, out=thin).mul_(x).mul_(y)
        pile_up()

    of_edges = "1 divide, 2 scatter_add, 1 cumsum, 1 subtract"
    return {
        "b0_distortion": Floor(of_edges, pile_up),
        "metal": Floor(f"1 reciprocal, 1 exp, 1 rsqrt, 3 multiplies, {of_edges}", implant),
        "motion": Floor(f"{poses} grid_sample, {poses} rfft, 2 irfft, {_MAGNITUDE}", splice),
        "elastic": Floor("1 grid_sample", warp),
        "anisotropy": Floor("1 mean of rows, 2 gathers of rows, 1 lerp", thicken),
    }
