"""Parallel imaging: lines are skipped, and the coils' sensitivities unfold what then overlaps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from artifacts_sim.acquisition.fourier import PE, RO, to_image, to_kspace
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.masks import Mask
from artifacts_sim.acquisition.operators import Operator, Stage
from artifacts_sim.acquisition.scene import magnitude
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.base import Artifact
from artifacts_sim.keyed import Source
from artifacts_sim.kinds import sampling
from artifacts_sim.kinds.coils import FULL_TURN, normalised, sensitivities
from artifacts_sim.levels import Knob
from artifacts_sim.limits import MAX_COILS, check_count, check_option
from artifacts_sim.noise import circular_normal
from artifacts_sim.params import Draws

_FAINT = 0.05  # of the brightest calibration pixel: what is fainter is hardly trusted
_ROWS = 64  # to be solved at once, which bounds the memory
_LEAST_PIVOT = 1e-12  # of a pixel that all coils see as 1: below, there is nothing to solve for


@dataclass(frozen=True)
class Sense(Artifact):
    """y = |rho|, rho the least squares solution of E rho = the measured lines of all coils.

    E rho = F(S_c rho) on the lines a comb of acceleration R measures, S_c coil c's sensitivity and
    F the Fourier transform. L pixels N / L apart along phase encode overlap in what such a comb
    shows, and are solved for together (Pruessmann et al., Magn Reson Med 42:952 (1999)):

        (S^H S * w + t I) rho = R S^H u,    w_ij = (1 / m) sum_r e^{2 pi i r (i - j) / L}

    element by element, u_c the zero-filled image of the comb's lines, which are those of DC + r
    modulo L, R = L / m: of a whole R, every R-th, L = R, w = 1; of a half one, every 2 R-th and
    those R - 1/2 after, L = 2 R. (The symmetry of the comb makes the equations of a pixel's group
    free of all others.) Noise in a pixel is sqrt(R) g that of the full scan, g = sqrt(((S^H S *
    w)^-1)_ii (S^H S)_ii); what S is wrong by folds over at multiples of N / L. Where L does not
    divide N, lines are zero-filled to the next multiple: a little finer pixels over the same field
    of view, which the result's N lines are taken of.

    An image, or k-space of one coil, is seen by simulated coils, a ring of loops
    (`artifacts_sim.kinds.coils`) with sum_c |S_c|^2 = 1. All that follows in a chain acts on each
    coil's measured lines: noise is independent from coil to coil. Coils that are measured are taken
    as they are.

    As in a scan that calibrates itself (McKenzie et al., Magn Reson Med 47:529 (2002)), S_c =
    l_c / sqrt(sum_c |l_c|^2), l_c the image of the central lines under cos^2: with their noise,
    and blurred. Tikhonov's term is t / s^2 there, s^2 = p / (p + 0.05^2 max p), p = sum_c |l_c|^2,
    so that no signal is put where the calibration shows none. The centre's lines beyond the comb
    serve the calibration only.

    Attributes:
        coils: How many loops are simulated.
        maps: 'estimated' from the central lines, or 'exact': those that were simulated, with the
            term t; of measured coils, which nobody knows exactly, they are estimated all the same.
        calibration_lines: Central lines that are measured for the calibration; of smaller matrices
            all.
        tikhonov: t, relative to what a pixel that is alone has: 1e-3 bounds the amplification of
            noise by sqrt(R) 16.
        noise_of_max: The scan's own noise s in each coil's real and imaginary part, as a fraction
            of the slice's maximum, as `rician` has it; so that alone, too, the artifact shows what
            acceleration makes of noise. The slice has s already: what is added to each coil,
            s sqrt(1 - 1 / R), makes s g sqrt(R - 1) of it, so that about s g sqrt(R) is seen.

    """

    name: ClassVar[str] = "sense"
    knob: ClassVar[Knob] = Knob(
        name="skipped_fraction",
        meaning="1 - 1 / R without the calibration, R the acceleration to the nearest half: 2, 3, "
        "4, 5 and 6 at the physical levels",
        physical=(1 / 2, 2 / 3, 3 / 4, 4 / 5, 5 / 6),
        limit=5 / 6,
    )
    stage: ClassVar[Stage] = Stage.RECONSTRUCTION
    place: ClassVar[int] = 90

    coils: int = 8
    maps: Literal["estimated", "exact"] = "estimated"
    calibration_lines: int = 24
    tikhonov: float = 1e-3
    noise_of_max: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("coils", self.coils, least=2, most=MAX_COILS)
        kinds = ("estimated", "exact")
        check_option("maps", self.maps, f"one of {', '.join(kinds)}", self.maps in kinds)
        check_count("calibration_lines", self.calibration_lines, least=1)
        for name in ("tikhonov", "noise_of_max"):
            value = getattr(self, name)
            check_option(name, value, "a number from 0 to 1", 0 <= value <= 1)

    def draw(self, source: Source) -> Draws:
        """Where the ring is turned to in a scan, and the seed of a slice's noise."""
        return {
            "turn_rad": FULL_TURN * source.scan.uniform(1)[:, 0],
            "noise_seed": source.seed(),
        }

    def effective(self, knob: float) -> float:
        """That of the acceleration to the nearest half."""
        return 1 - 1 / acceleration(knob)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Coils see the object, lines are skipped, an image is made."""
        return (Stage.FIELD, Stage.LINES, Stage.RECONSTRUCTION)

    def operators(
        self, draws: Draws, knob: Tensor, frame: Frame, encoded: Frame
    ) -> Mapping[Stage, Operator]:
        """Make the coils, the mask of the measured lines, and the reconstruction."""
        n_lines = encoded.encoded[1]
        factors = [acceleration(value) for value in knob.tolist()]
        combs = [comb_of(r, n_lines) for r in factors]
        calibration = sampling.centre(n_lines, min(self.calibration_lines, n_lines))
        lines = np.stack([comb.lines | calibration for comb in combs])
        ring = _Ring(draws["turn_rad"], self.coils, frame)
        unfold = _Unfold(
            combs,
            calibration,
            ring if self.maps == "exact" else None,
            self.tikhonov,
            draws["noise_seed"],
            self.noise_of_max * (1 - 1 / torch.tensor(factors, dtype=torch.float64)).sqrt(),
        )
        return {
            Stage.FIELD: _Receive(ring),
            Stage.LINES: Mask.keep(lines),
            Stage.RECONSTRUCTION: unfold,
        }

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> Operator:
        """The reconstruction alone, where the frame is the same at all stages."""
        return self.operators(draws, knob, frame, frame)[self.stage]


def acceleration(skipped_fraction: float) -> float:
    """R to the nearest half, at least 1."""
    return round(2 / (1 - skipped_fraction)) / 2


@dataclass(frozen=True, eq=False)
class Comb:
    """Lines that repeat every `period` lines.

    Attributes:
        period: L.
        residues: The measured lines of a period, counted from DC: m of them.
        lines: (PE,) bool, those of the encoded matrix, centred.

    """

    period: int
    residues: tuple[int, ...]
    lines: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Lines of the zero-filled matrix: the next multiple of the period."""
        return -(-len(self.lines) // self.period) * self.period

    @property
    def beside(self) -> tuple[int, int]:
        """Empty lines before and after those of the encoded matrix; the centres coincide."""
        before = self.size // 2 - len(self.lines) // 2
        return before, self.size - len(self.lines) - before

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Numbers of each residue's lines in the zero-filled matrix, DC's first: (m, size / L)."""
        k = np.arange(0, self.size, self.period) + np.array(self.residues)[:, None]
        places: NDArray[np.int64] = (k + self.size // 2) % self.size
        return places

    @cached_property
    def waves(self) -> NDArray[np.complex128]:
        """e^{2 pi i r n / size} over the pixels n from the centre on: (m, size)."""
        turns = np.outer(self.residues, np.arange(self.size)) % self.size
        waves: NDArray[np.complex128] = np.exp(2j * np.pi / self.size * turns)
        return waves

    def weight(self, apart: int) -> complex:
        """The w of two pixels of a group that are so many places apart."""
        turns = np.array(self.residues) * apart % self.period
        return complex(np.exp(2j * np.pi / self.period * turns).mean())


@lru_cache(maxsize=64)
def comb_of(r: float, n_lines: int) -> Comb:
    """The comb of an acceleration R, a whole or a half number, on so many lines."""
    period, residues = (int(r), (0,)) if r == int(r) else (int(2 * r), (0, int(r)))
    lines = np.isin((np.arange(n_lines) - n_lines // 2) % period, residues)
    return Comb(period, residues, lines)


@dataclass(frozen=True, eq=False)
class _Ring:
    """The coils that are simulated."""

    turn_rad: NDArray[np.float64]  # (B,)
    coils: int
    shown: Frame

    def maps(self, encoded: Frame, like: Tensor, columns: int | None = None) -> Tensor:
        """Sensitivities with sum |S_c|^2 = 1: (B, C, RO, PE) complex, in a tensor's precision."""
        kind = torch.promote_types(like.dtype, torch.complex64)
        ring = (self.turn_rad, FULL_TURN, self.coils, self.shown, encoded, columns)
        seen = sensitivities(*ring, single=kind == torch.complex64)
        return torch.from_numpy(normalised(seen)).to(like.device)

    def __getitem__(self, places: list[int]) -> "_Ring":
        """The ring around some of the slices."""
        return replace(self, turn_rad=self.turn_rad[places], shown=self.shown[np.array(places)])


@dataclass(frozen=True, eq=False)
class _Receive(Operator):
    ring: _Ring

    def act(self, signal: Signal) -> Signal:
        """Let several coils see what one has seen so far."""
        if signal.data.shape[1] > 1:
            return signal
        image = signal.image()
        return signal.with_image(image * self.ring.maps(signal.frame, image))


@dataclass(frozen=True, eq=False)
class _Unfold(Operator):
    combs: list[Comb]  # B
    calibration: NDArray[np.bool_]  # (PE,)
    ring: _Ring | None  # None: its maps are estimated
    tikhonov: float
    noise_seeds: NDArray[np.int64]  # (B,)
    noise_of_max: Tensor  # (B,)

    def act(self, signal: Signal) -> Signal:
        """Unfold the slices of each comb together."""
        lines = self._noisy(signal)
        simulated = signal.scene.coils.shape[1] == 1
        groups: dict[Comb, list[int]] = {}
        for place, comb in enumerate(self.combs):
            groups.setdefault(comb, []).append(place)
        images = []
        for comb, places in groups.items():
            own = lines[places] if len(groups) > 1 else lines
            if self.ring is not None and simulated:
                frame = signal.frame[np.array(places)]
                maps = self.ring[places].maps(frame, own, comb.size)
                maps = torch.fft.ifftshift(maps, dim=PE)
            else:
                maps = self._estimated(own, comb)
            images.append(self._unfolded(own, maps, comb))
        order = np.argsort([place for places in groups.values() for place in places])
        image = torch.cat(images)[torch.from_numpy(order).to(lines.device)]
        whole = replace(signal, lines=None, samples=None)
        return whole.with_image(image.to(lines.dtype)[:, None])

    def _noisy(self, signal: Signal) -> Tensor:
        """The lines with the scan's own noise, where these are measured: (B, coil, RO, PE)."""
        lines = signal.by_line()
        if not self.noise_of_max.any():
            return lines
        peak = signal.scene.peak
        sigma = self.noise_of_max.to(peak) * peak
        used = np.stack([comb.lines | self.calibration for comb in self.combs])
        used &= signal.measured_lines
        noisy = []
        for place, own in enumerate(used):
            numbers = np.flatnonzero(own)
            shape = (*lines.shape[1:3], len(numbers))
            seed = self.noise_seeds[place : place + 1]
            radius, half_angle = circular_normal(seed, shape, lines.device)
            noise = torch.polar(radius.to(sigma) * sigma[place], 2 * half_angle.to(sigma))[0]
            if signal.samples is not None:
                kept = signal.samples[place % len(signal.samples)]
                noise = to_image(to_kspace(noise, RO) * _on(kept, lines)[:, None], RO)
            noisy.append(lines[place].index_add(PE, _on(numbers, lines), noise))
        return torch.stack(noisy)

    def _estimated(self, lines: Tensor, comb: Comb) -> Tensor:
        """Maps of the calibration lines, (B, coil, RO, size) like the lines; PE from DC's on."""
        (numbers,) = np.nonzero(self.calibration)
        k = numbers - len(self.calibration) // 2
        window = np.cos(np.pi * k / (len(k) + 1)) ** 2
        central = lines[..., _on(numbers, lines)] * _on(window, lines).to(lines.real.dtype)
        spectrum = lines.new_zeros((*lines.shape[:-1], comb.size))
        spectrum = spectrum.index_copy(PE, _on(k % comb.size, lines), central)
        blurred = torch.fft.ifft(spectrum, norm="ortho")
        power = (blurred.real.square() + blurred.imag.square()).sum(dim=1, keepdim=True)
        floor = _FAINT**2 * power.amax(dim=(2, 3), keepdim=True)
        total = power + torch.where(floor > 0, floor, 1.0)
        maps: Tensor = blurred * total.rsqrt()
        return maps

    def _unfolded(self, lines: Tensor, maps: Tensor, comb: Comb) -> Tensor:
        """The images of slices of one comb, (B, RO, PE)."""
        filled = pad(lines, comb.beside) if any(comb.beside) else lines
        parts = filled[..., _on(comb.places, lines)]
        overlap: Tensor = torch.fft.ifft(parts, norm="ortho")  # (B, coil, RO, m, size / L)
        blocks = [slice(first, first + _ROWS) for first in range(0, lines.shape[RO], _ROWS)]
        solved = [self._solution(overlap[:, :, at], maps[:, :, at], comb) for at in blocks]
        image: Tensor = torch.cat(solved, dim=1) * magnitude(maps)
        image = torch.fft.fftshift(image, dim=PE)
        if not any(comb.beside):
            return image
        before, after = comb.beside
        samples = to_kspace(image, PE)[..., before : comb.size - after]
        return to_image(samples, PE)

    def _solution(self, overlap: Tensor, maps: Tensor, comb: Comb) -> Tensor:
        """Rho, (B, RO, size), of what overlaps, (B, coil, RO, m, size / L).

        In double precision, as the equations are nearly singular at high R: in single precision
        some pixels are off by 3e-4 of the maximum.
        """
        kind = maps.dtype
        overlap, maps = overlap.to(torch.complex128), maps.to(torch.complex128)
        groups = _by_group(maps, comb)
        solved = _solved(_normal(groups, comb, self.tikhonov), _adjoint(overlap, groups, comb))
        rho: Tensor = torch.stack(solved, dim=-2).flatten(-2).to(kind)
        return rho


def _by_group(x: Tensor, comb: Comb) -> Tensor:
    """Split pixels along PE into what overlaps: (..., L, size / L)."""
    return x.reshape(*x.shape[:-1], comb.period, -1)


def _adjoint(overlap: Tensor, maps: Tensor, comb: Comb) -> list[Tensor]:
    """R S^H u, for each pixel of a group: L times (B, RO, size / L)."""
    scale = comb.period**0.5 / len(comb.residues)
    waves = _by_group(_on(comb.waves * scale, maps), comb)
    right = []
    for i in range(comb.period):
        seen = maps[:, :, :, i].conj()
        parts = [
            (seen * overlap[:, :, :, r]).sum(dim=1) * waves[r, i] for r in range(len(comb.residues))
        ]
        right.append(reduce(torch.add, parts))
    return right


def _normal(maps: Tensor, comb: Comb, tikhonov: float) -> list[list[Tensor]]:
    """The lower triangle of S^H S * w + t I: rows of (B, RO, size / L)."""
    seen = maps.conj()
    rows = []
    for i in range(comb.period):
        row = []
        for j in range(i + 1):
            product = (seen[:, :, :, i] * maps[:, :, :, j]).sum(dim=1)
            row.append(product * comb.weight(i - j))
        row[i] = row[i] + tikhonov
        rows.append(row)
    return rows


def _solved(left: list[list[Tensor]], right: list[Tensor]) -> list[Tensor]:
    """Solve Hermitian equations pixel by pixel, by Cholesky's L D L^H.

    No library's routine: those for batches of small matrices are many times slower on a CPU, and
    on a GPU round otherwise. A pixel that nothing is known of becomes 0.
    """
    count = len(right)
    left, right = [list(row) for row in left], list(right)
    inverse, factor = [], []
    for k in range(count):
        pivot = left[k][k].real
        known = pivot > _LEAST_PIVOT
        inverse.append(known / torch.where(known, pivot, 1.0))
        factor.append({i: left[i][k] * inverse[k] for i in range(k + 1, count)})
        for i in range(k + 1, count):
            right[i] = right[i] - factor[k][i] * right[k]
            for j in range(k + 1, i + 1):
                left[i][j] = left[i][j] - factor[k][i] * left[j][k].conj()
    for k in reversed(range(count)):
        right[k] = right[k] * inverse[k]
        for i in range(k + 1, count):
            right[k] = right[k] - factor[k][i].conj() * right[i]
    return right


def _on(array: NDArray[Any], like: Tensor) -> Tensor:
    """Put an array on a tensor's device."""
    return torch.from_numpy(array).to(like.device)
