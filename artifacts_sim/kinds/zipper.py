"""Zipper: a radio signal from outside is picked up, as a line of noise across the image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.lines import on_device
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, signed, stream
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_count
from artifacts_sim.params import Draws

# Of the way from the centre, where DC offsets show, to the edge: in sight even where the readout
# is encoded twice as wide as it is shown.
_PLACES = (0.05, 0.45)
_MOST_ZIPPERS, _MOST_ROWS = 32, 64


@dataclass(frozen=True)
class Zipper(Artifact):
    """F(k_RO, k_PE) += A e^{-2 pi i x0 k_RO / N_RO} e^{i phi}, phi new for every measured line.

    The signal has one frequency, and so one readout position x0; no line knows of another, so its
    phases phi are uniform. In the image, complex noise is added to the row x0, and all other rows
    are as before. x0 is a whole pixel, off the centre, in the inner half of the encoded matrix.
    Source: Zhuo and Gullapalli, RadioGraphics 26:275 (2006).

    Of several coils, each receives the same, scaled so that the knob holds in the combined image.

    Attributes:
        zippers: How many sources there are, each at a place of its own.
        width_px: Rows that one covers, each with phases of its own: its bandwidth.

    """

    name: ClassVar[str] = "zipper"
    knob: ClassVar[Knob] = Knob(
        name="amplitude_of_max",
        meaning="root mean square of the row as a fraction of the slice's maximum; of several "
        "coils, in their root sum of squares",
        physical=(0.05, 0.1, 0.2, 0.5, 1.0),
        limit=1.0,
    )
    stage: ClassVar[Stage] = Stage.ADDED
    smooth: ClassVar[bool] = True

    zippers: int = 1
    width_px: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("zippers", self.zippers, least=1, most=_MOST_ZIPPERS)
        check_count("width_px", self.width_px, least=1, most=_MOST_ROWS)

    def draw(self, source: Source) -> Draws:
        """Where each is in a scan, and the seed of a slice's phases."""
        return {
            "place_of_half_fov": signed(source.scan.uniform(self.zippers), *_PLACES),
            "phases_seed": source.seed(),
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Rows":
        """Add to the nearest rows."""
        n_ro = frame.encoded[0]
        place = np.rint(draws["place_of_half_fov"] * n_ro / 2).astype(np.int64)
        band = np.arange(self.width_px) - self.width_px // 2
        rows = (n_ro // 2 + place[:, :, None] + band).reshape(len(place), -1) % n_ro
        return _Rows(rows, draws["phases_seed"], knob)


@dataclass(frozen=True, eq=False)
class _Rows(Operator):
    rows: NDArray[np.int64]  # (B, R) readout pixels
    phases_seed: NDArray[np.int64]  # (B,)
    rms_of_max: Tensor  # (B,)

    def act(self, signal: Signal) -> Signal:
        noise = self._noise(signal) / signal.data.shape[1] ** 0.5
        if signal.samples is None:
            by_row = signal.by_line().transpose(1, 2).clone()
            by_row[self._at(by_row)] += noise[:, :, None]
            return signal.with_lines(by_row.transpose(1, 2))
        rows = noise.new_zeros((len(noise), signal.data.shape[2], noise.shape[2]))
        rows[self._at(rows)] = noise
        samples = torch.from_numpy(signal.samples).to(rows)
        samples = samples / samples.real.mean(dim=1, keepdim=True)  # so that the row keeps its rms
        added = to_kspace(rows, RO) * samples[:, :, None]
        return signal.with_kspace(signal.kspace() + added[:, None])

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """In an image, no other row is looked at."""
        x = signal.single()
        if x is None or signal.samples is not None:
            return super().render(signal, out)
        y = torch.abs(x, out=out)
        at = self._at(y)
        y[at] = (x[at] + to_image(self._noise(signal), PE)).abs()
        return y

    def _at(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Index rows of (B, RO, ...): (B, 1) slices and (B, R) rows."""
        slices = torch.arange(len(like), device=like.device)
        return slices[:, None], torch.from_numpy(self.rows).to(like.device)

    def _noise(self, signal: Signal) -> Tensor:
        """The samples of the rows in the combined image, (B, R, PE) complex."""
        lines = _lines(self.phases_seed, self.rows, signal.measured_lines)
        peak = signal.scene.peak
        scale = self.rms_of_max.to(peak) * peak
        return on_device(torch.from_numpy(lines), peak) * scale[:, None, None]


def _lines(
    seeds: NDArray[np.int64], rows: NDArray[np.int64], measured: NDArray[np.bool_]
) -> NDArray[np.complex128]:
    """Random phases on the measured lines, of mean square 1 in the image: (B, R, PE).

    Rows that coincide get their sum.
    """
    n_rows, n_lines = rows.shape[1], measured.shape[1]
    words = np.stack([stream(seed, n_rows * n_lines) for seed in seeds])
    phase = words.reshape(-1, n_rows, n_lines) * (2 * np.pi * 2.0**-64)
    weight = measured / np.sqrt(measured.mean(axis=1, keepdims=True))
    lines = np.exp(1j * phase) * weight[:, None]
    same = rows[:, :, None] == rows[:, None, :]
    summed: NDArray[np.complex128] = same @ lines
    return summed
