"""Scanning a drawn knee: complex k-space of a volume, and its reconstruction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import generator
from sweep.phantom.anatomy import draw_knee, grid, paint
from sweep.phantom.lesions import BONE, Lesion, Plane, draw_lesion, lesion_share

Boxes = dict[int, tuple[int, int, int, int]]
Spectrum = NDArray[np.floating]
Scalar = TypeVar("Scalar", bound=np.generic)


class Unevenness(NamedTuple):
    """A band-limited noise field: standard deviation, and width in units of the image's side."""

    strength: float
    width: float


PEAK = (1.5e-4, 5e-4)  # intensity of brightness 1; the scale of fastMRI's reconstructions
NOISE = (0.02, 0.045)  # standard deviation of the real and of the imaginary part, peak = 1
GRAIN = Unevenness(0.04, 0.01)  # of the tissue, relative
MOTTLE = Unevenness(0.06, 0.05)  # the same, as wide as a lesion
WARP = Unevenness(0.02, 0.12)  # of outlines, in half sides
COIL = Unevenness(0.12, 0.35)  # of the sensitivity's logarithm
PHASE_RAD = Unevenness(0.8, 0.25)
RING_REACH = 1.2  # distance at which a coil of several sees 1 / e, in half sides
AXES = (-2, -1)


@dataclass(frozen=True)
class Matrix:
    """Sizes of a volume: slices, k-space rows (readout) and columns, side of the square image.

    With more than one coil the k-space has an axis for them.
    """

    slices: int
    rows: int
    columns: int
    size: int
    coils: int = 1


@dataclass(frozen=True)
class Volume:
    """One scanned patient.

    Attributes:
        patient: The patient's id.
        acquisition: FastMRI's name of the sequence.
        kspace: (slices, rows, columns) or, of several coils, (slices, coils, rows, columns)
            complex64, DC at [rows // 2, columns // 2].
        image: (slices, size, size) float32, the reconstruction of ``kspace``.
        boxes: For each finding, and each slice that shows it, by its number, (x, y, width,
            height) in pixels of ``image``: left column, top row.

    """

    patient: str
    acquisition: str
    kspace: NDArray[np.complex64]
    image: NDArray[np.float32]
    boxes: dict[str, Boxes]


def scan(
    patient: str, seed: int, matrix: Matrix, *, findings: Sequence[str], fat_suppressed: bool
) -> Volume:
    """Draw a patient and scan the knee; depends on the arguments and on nothing else.

    With or without a lesion, all else about the patient, the noise and the other lesions included,
    is the same.
    """
    rng = generator(seed, "phantom", patient)
    lesions = {name: _lesion(patient, seed, matrix.slices, name) for name in findings}
    knee = draw_knee(rng, fat_suppressed=fat_suppressed, lesions=tuple(lesions.values()))
    warp = np.stack([_field(rng, WARP, matrix, slices=1)[0] for _ in ("u", "v")])
    u, v = grid(knee, matrix.rows, matrix.columns, matrix.size, warp)
    body = np.stack([paint(knee, n, matrix.slices, u, v) for n in range(matrix.slices)])
    kspace = _acquire(rng, body, matrix)  # (slices, coils, rows, columns)
    return Volume(
        patient=patient,
        acquisition=knee.acquisition,
        kspace=kspace if matrix.coils > 1 else kspace[:, 0],
        image=reconstruct(kspace, matrix.size),
        boxes={name: _boxes(lesion, u, v, matrix) for name, lesion in lesions.items()},
    )


def reconstruct(kspace: NDArray[np.complex64], size: int) -> NDArray[np.float32]:
    """Centred orthonormal inverse FFT, centre crop, root-sum-of-squares of the coils' magnitudes.

    The textbook's way, apart from the one that reads volumes: the two check each other.

    Args:
        kspace: (slices, coils, rows, columns), DC in the middle.
        size: Side of the square to keep.

    Returns:
        (slices, size, size).

    """
    image = np.fft.ifft2(np.fft.ifftshift(kspace, axes=AXES), norm="ortho")
    magnitude = np.abs(_crop(np.fft.fftshift(image, axes=AXES), size))
    return np.asarray(np.hypot.reduce(magnitude, axis=1), np.float32)


def _crop(image: NDArray[Scalar], size: int) -> NDArray[Scalar]:
    top, left = ((length - size) // 2 for length in image.shape[-2:])
    return image[..., top : top + size, left : left + size]


def _lesion(patient: str, seed: int, slices: int, finding: str) -> Lesion:
    key = () if finding == BONE else (finding,)
    return draw_lesion(generator(seed, "phantom", patient, "lesion", *key), slices, finding)


def _boxes(lesion: Lesion, u: Plane, v: Plane, matrix: Matrix) -> Boxes:
    places = range(lesion.first, lesion.last + 1)
    shares = (lesion_share(lesion, place, u, v) for place in places)
    masks = (_crop(share, matrix.size) >= 0.5 for share in shares)
    return dict(zip(places, map(_bounds, masks), strict=True))


def _bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def _acquire(rng: np.random.Generator, body: Plane, matrix: Matrix) -> NDArray[np.complex64]:
    """K-space (slices, coils, rows, columns) as noisy receivers see the body.

    Smooth sensitivities, a smooth phase, and noise of each receiver's own.
    """
    grain, mottle, coil, phase = (
        _field(rng, what, matrix, matrix.slices) for what in (GRAIN, MOTTLE, COIL, PHASE_RAD)
    )
    tissue = body * (1 + grain + mottle)
    peak = math.exp(rng.uniform(math.log(PEAK[0]), math.log(PEAK[1])))
    signal = peak * tissue * _reach(matrix) * np.exp(coil + 1j * phase)
    received = signal[:, None] * _sensitivities(matrix)
    noise = peak * rng.uniform(*NOISE) * _complex_normal(rng, received.shape)
    centred = np.fft.fft2(np.fft.ifftshift(received, axes=AXES), norm="ortho")
    return (np.fft.fftshift(centred, axes=AXES) + noise).astype(np.complex64)


def _sensitivities(matrix: Matrix) -> NDArray[np.number]:
    """(coils, rows, columns) of a ring of coils around the leg; a single one sees all alike."""
    if matrix.coils == 1:
        return np.ones((1, 1, 1))
    angle = (2 * np.pi / matrix.coils * np.arange(matrix.coils))[:, None, None]
    u = (np.arange(matrix.columns) - matrix.columns // 2) / (matrix.size / 2)
    v = (np.arange(matrix.rows) - matrix.rows // 2)[:, None] / (matrix.size / 2)
    distance = np.hypot(u - np.cos(angle), v - np.sin(angle))
    return np.asarray(np.exp(1j * angle - (distance / RING_REACH) ** 2))


def _reach(matrix: Matrix) -> Plane:
    """Sensitivity (rows, 1) along the leg: full in the image, gone at the ends of the readout."""
    v = (np.arange(matrix.rows) - matrix.rows // 2) / (matrix.size / 2)
    return np.exp(-((v / 1.4) ** 8))[:, None]


def _complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def _field(rng: np.random.Generator, what: Unevenness, matrix: Matrix, slices: int) -> Plane:
    """Noise (slices, rows, columns) that goes on smoothly from slice to slice.

    White noise times a Gaussian in the frequency domain.
    """
    shape = (slices, matrix.rows, matrix.columns)
    width = what.width * matrix.size
    responses = (
        _gaussian_response(np.fft.fftfreq(slices), 1.0),
        _gaussian_response(np.fft.fftfreq(matrix.rows), width),
        _gaussian_response(np.fft.rfftfreq(matrix.columns), width),
    )
    spectrum = np.fft.rfftn(rng.standard_normal(shape))
    for response in np.ix_(*responses):
        spectrum *= response
    field = np.fft.irfftn(spectrum, shape, axes=(0, 1, 2))
    return field * (what.strength / float(field.std()))


def _gaussian_response(cycles_per_sample: Spectrum, width: float) -> Spectrum:
    """Fourier transform of a Gaussian whose standard deviation is ``width`` samples."""
    return np.asarray(np.exp(-2 * (np.pi * width * cycles_per_sample) ** 2))
