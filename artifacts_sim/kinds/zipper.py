"""Zipper: a radio signal from outside is picked up, as a line of noise across the image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.fourier import PE, to_image
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.checks import check_count
from artifacts_sim.keyed import Source, signed, stream
from artifacts_sim.levels import Knob
from artifacts_sim.params import Draws

# Of the way from the centre, where DC offsets show, to the edge: in sight even where the readout
# is encoded twice as wide as it is shown.
_PLACES = (0.05, 0.45)


@dataclass(frozen=True)
class Zipper(Artifact):
    """F(k_RO, k_PE) += A e^{-2 pi i x0 k_RO / N_RO} e^{i phi}, phi new for every acquired line.

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
        limit=5.0,
    )
    stage: ClassVar[Stage] = Stage.ADDED

    zippers: int = 1
    width_px: int = 1

    def __post_init__(self) -> None:
        check_count("zippers", self.zippers, least=1)
        check_count("width_px", self.width_px, least=1)

    def draw(self, source: Source) -> Draws:
        """Where each is, and the seed of the phases."""
        return {
            "place_of_half_fov": signed(source.uniform(self.zippers), *_PLACES),
            "phases_seed": source.seed(),
        }

    def operator(self, draws: Draws, knob: float, frame: Frame) -> "_Rows":
        """Add to the nearest rows."""
        n_ro = frame.encoded[0]
        place = np.rint(draws["place_of_half_fov"] * n_ro / 2).astype(np.int64)
        band = np.arange(self.width_px) - self.width_px // 2
        rows = (n_ro // 2 + place[:, :, None] + band).reshape(len(place), -1) % n_ro
        return _Rows(rows, _lines(draws["phases_seed"], rows, frame.acquired), knob)


@dataclass(frozen=True, eq=False)
class _Rows(Operator):
    rows: NDArray[np.int64]  # (B, R) readout pixels
    lines: NDArray[np.complex64]  # (B, R, PE) samples of these rows, of mean square 1
    rms_of_max: float

    def act(self, signal: Signal) -> Signal:
        peak = signal.magnitude().amax(dim=(1, 2))
        by_row = signal.lines().clone().transpose(1, 2)
        by_row[self._at(peak)] += self._noise(peak / by_row.shape[2] ** 0.5)[:, :, None]
        return signal.with_lines(by_row.transpose(1, 2))

    def render(self, x: Tensor, frame: Frame) -> Tensor:
        """In an image, no other row is looked at."""
        y = x.abs() if x.is_complex() else x.clone()
        at, noise = self._at(y), to_image(self._noise(y.amax(dim=(1, 2))), PE)
        y[at] = (x[at] + noise).abs()
        return y

    def _at(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Index rows of (B, RO, ...): (B, 1) slices and (B, R) rows."""
        slices = torch.arange(len(like), device=like.device)
        return slices[:, None], torch.from_numpy(self.rows).to(like.device)

    def _noise(self, peak: Tensor) -> Tensor:
        """Scale to slices of these maxima: (B, R, PE) complex64."""
        lines = torch.from_numpy(self.lines).to(peak.device)
        return lines * (self.rms_of_max * peak)[:, None, None]


def _lines(
    seeds: NDArray[np.int64], rows: NDArray[np.int64], acquired: NDArray[np.bool_]
) -> NDArray[np.complex64]:
    """Random phases on the acquired lines: (B, R, PE); rows that coincide get their sum."""
    n_rows, n_lines = rows.shape[1], len(acquired)
    words = np.stack([stream(seed, n_rows * n_lines) for seed in seeds])
    phase = words.reshape(-1, n_rows, n_lines) * (2 * np.pi * 2.0**-64)
    lines = np.exp(1j * phase) * (acquired / np.sqrt(acquired.mean()))
    same = rows[:, :, None] == rows[:, None, :]
    summed: NDArray[np.complex64] = (same @ lines).astype(np.complex64)
    return summed
