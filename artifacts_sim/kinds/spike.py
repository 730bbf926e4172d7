"""Spike (herringbone): corrupted k-space samples become waves over the whole image."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source, signed
from artifacts_sim.levels import Knob
from artifacts_sim.limits import check_count
from artifacts_sim.params import Draws

_FREQUENCIES = (0.1, 0.8)  # of Nyquist: stripes, neither shading nor a checkerboard


@dataclass(frozen=True)
class Spike(Artifact):
    """F(k0) += r max|F| e^{i alpha} at places k0, off DC on both axes; max|F| of the clean slice.

    In the image a wave, x + A e^{i theta}, A = r max|F| / sqrt(RO PE) with the orthonormal F of
    the shown pixels, theta = 2 pi (k1 (i - RO//2) / RO + k2 (j - PE//2) / PE) + alpha. For a
    non-negative x, max|F| is F(0), so that A = r mean(x). A spike is one-sided, as in the raw data
    of a scanner, where nothing ties F(k0) to F(-k0). Each coil has its own maximum and the same
    spikes. One that would fall on a sample that is not measured falls on the nearest that is.

    Attributes:
        spikes: How many, each of magnitude r max|F|.
        two_sided: Whether each is divided between k0 and -k0, so that a real image stays real:
            x + A cos(theta).

    """

    name: ClassVar[str] = "spike"
    knob: ClassVar[Knob] = Knob(
        name="magnitude_of_max",
        meaning="spike magnitude as a fraction of the largest k-space magnitude, which is what a "
        "receiver takes before it clips",
        physical=(0.05, 0.1, 0.2, 0.5, 1.0),
        limit=1.0,
    )
    stage: ClassVar[Stage] = Stage.ADDED
    smooth: ClassVar[bool] = True

    spikes: int = 1
    two_sided: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("spikes", self.spikes, least=1)

    def draw(self, source: Source) -> Draws:
        """Place and phase of each spike."""
        frequency = signed(source.uniform(2 * self.spikes), *_FREQUENCIES)
        return {
            "frequency_of_nyquist": frequency.reshape(-1, self.spikes, 2),
            "phase_rad": 2 * np.pi * source.uniform(self.spikes),
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> "_Spikes":
        """Add to the nearest samples."""
        nyquist = np.array(frame.encoded) / 2
        frequency = draws["frequency_of_nyquist"]
        places = np.copysign(np.maximum(1, np.rint(np.abs(frequency) * nyquist)), frequency)
        return _Spikes(places.astype(np.int64), draws["phase_rad"], knob, self.two_sided)


@dataclass(frozen=True, eq=False)
class _Spikes(Operator):
    places: NDArray[np.int64]  # (B, S, 2) samples from DC along RO and PE
    phase_rad: NDArray[np.float64]  # (B, S)
    magnitude_of_max: Tensor  # (B,)
    two_sided: bool

    def act(self, signal: Signal) -> Signal:
        samples = signal.kspace().clone()
        places, weights = self._samples(self._measured(signal))
        shape = np.array(samples.shape[2:])
        at = torch.from_numpy((places + shape // 2) % shape).to(samples.device)
        height = self._amplitude(signal) * float(shape.prod()) ** 0.5
        heights = height[:, :, None] * torch.from_numpy(weights).to(samples)[:, None]
        slices = torch.arange(len(samples), device=samples.device)
        for s in range(weights.shape[1]):
            samples[slices, :, at[:, s, 0], at[:, s, 1]] += heights[:, :, s]
        return signal.with_kspace(samples)

    def _amplitude(self, signal: Signal) -> Tensor:
        """The amplitude of the wave in each coil's image: (B, coil).

        Coils that a chain made of one image share what that one has.
        """
        peak = signal.scene.wave_peak
        coils = signal.data.shape[1]
        if coils != peak.shape[1]:
            peak = peak.expand(-1, coils) / coils**0.5
        return self.magnitude_of_max.to(peak)[:, None] * peak

    def _measured(self, signal: Signal) -> NDArray[np.int64]:
        """Where the spikes fall: on measured samples, off DC."""
        if signal.all_measured:
            return self.places
        samples = np.ones((1, signal.data.shape[2]), np.bool_)
        samples = samples if signal.samples is None else signal.samples
        along = (samples, signal.measured_lines)
        moved = [_nearest(self.places[:, :, axis], along[axis], self.two_sided) for axis in (0, 1)]
        return np.stack(moved, axis=-1)

    def _samples(
        self, places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
        """Where k-space changes, (B, S or 2S, 2), and by which complex part of the height."""
        weights: NDArray[np.complex128] = np.exp(1j * self.phase_rad)
        if not self.two_sided:
            return places, weights
        weights = np.concatenate([weights, np.conj(weights)], axis=1, dtype=np.complex128) / 2
        return np.concatenate([places, -places], axis=1), weights

    def render(self, signal: Signal, out: Tensor | None = None) -> Tensor:
        """On an image, waves are added without any FFT."""
        x = signal.plain()
        if x is None or not signal.all_measured:
            return super().render(signal, out)
        ro, pe = (_phasor(self.places[:, :, axis], n) for axis, n in enumerate(x.shape[1:]))
        ro *= np.exp(1j * self.phase_rad.T)[..., None]
        rows = _on_device([ro.real, -ro.imag, ro.imag, ro.real], x)[..., None]
        columns = _on_device([pe.real, pe.imag], x)[..., None, :]
        columns *= self._amplitude(signal)[:, :, None]
        for_re, for_im = rows.chunk(2)
        re = _products(for_re, columns).add_(x)
        if self.two_sided:
            return torch.abs(re, out=out)
        im = _products(for_im, columns)
        return torch.sqrt(re.square_().addcmul_(im, im), out=out)


def _nearest(
    k: NDArray[np.int64], measured: NDArray[np.bool_], two_sided: bool
) -> NDArray[np.int64]:
    """The measured samples off DC that are nearest to k: (B, S).

    Args:
        k: (B, S) places from DC along an axis.
        measured: (1 or B, N).
        two_sided: Whether -k must be measured, too; where no such pair is, k alone counts.

    """
    offsets = np.arange(measured.shape[1]) - measured.shape[1] // 2
    allowed = measured & (offsets != 0)
    if two_sided:
        mirrored = measured[:, (-offsets + len(offsets) // 2) % len(offsets)]
        pairs = allowed & mirrored
        allowed = np.where(pairs.any(axis=1, keepdims=True), pairs, allowed)
    allowed = np.where(allowed.any(axis=1, keepdims=True), allowed, measured)
    distance = np.abs(k[:, :, None] - offsets) + np.where(allowed, 0.0, np.inf)[:, None, :]
    nearest: NDArray[np.int64] = offsets[distance.argmin(axis=-1)]
    return nearest


def _phasor(k: NDArray[np.int64], size: int) -> NDArray[np.complex128]:
    """e^{2 pi i k n / N} over the pixels n from the centre, (S, B, N), for k of (B, S)."""
    turns = k.T[..., None] * (np.arange(size) - size // 2)  # of 1 / N each
    phasor: NDArray[np.complex128] = _roots_of_unity(size)[turns % size]
    return phasor


@lru_cache(maxsize=16)
def _roots_of_unity(size: int) -> NDArray[np.complex128]:
    roots: NDArray[np.complex128] = np.exp(2j * np.pi / size * np.arange(size))
    return roots


def _on_device(parts: list[NDArray[np.float64]], like: Tensor) -> Tensor:
    """Put arrays (S, B, N) one after the other: (P S, B, N), like the image."""
    return torch.from_numpy(np.concatenate(parts)).to(like)


def _products(rows: Tensor, columns: Tensor) -> Tensor:
    """Sum_j r_j(i) c_j(k) of (J, B, RO, 1) and (J, B, 1, PE): (B, RO, PE).

    No matrix product, whose precision users may lower.
    """
    total = rows[0] * columns[0]
    for row, column in zip(rows[1:], columns[1:], strict=True):
        total.addcmul_(row, column)
    return total
