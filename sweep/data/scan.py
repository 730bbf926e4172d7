"""Scanning a drawn knee: complex k-space of a volume, and its reconstruction."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.data.anatomy import Knee, Plane, draw_knee, grid, lesion_weight, paint
from sweep.data.keys import generator

Boxes = dict[int, tuple[int, int, int, int]]
Scalar = TypeVar("Scalar", bound=np.generic)

PEAK = (1.5e-4, 5e-4)  # of the brightest tissue; the scale of fastMRI's reconstructions
NOISE = (0.02, 0.045)  # standard deviation of each channel, in units of the peak
GRAIN = (0.04, 1.0)  # unevenness of tissue: relative standard deviation, width in pixels
MOTTLE = (0.06, 0.05)  # the same, as wide as a lesion: width in units of the image's side
WARP = (0.02, 0.12)  # irregularity of outlines: in half sides; width in sides
COIL = (0.12, 0.35)  # sensitivity: of its logarithm; width in sides
PHASE_RAD = (0.8, 0.25)  # width in sides
AXES = (-2, -1)


@dataclass(frozen=True)
class Matrix:
    """Sizes of a volume: slices, k-space rows (readout) and columns, side of the square image."""

    slices: int
    rows: int
    columns: int
    size: int


@dataclass(frozen=True)
class Volume:
    """One scanned patient.

    Attributes:
        patient: the patient's id.
        acquisition: fastMRI's name of the sequence.
        kspace: (slices, rows, columns) complex64, DC at [rows // 2, columns // 2].
        image: (slices, size, size) float32, the reconstruction of ``kspace``.
        boxes: for each slice with a lesion, by its number, (x, y, width, height) in pixels of
            ``image``: left column, top row.

    """

    patient: str
    acquisition: str
    kspace: NDArray[np.complex64]
    image: NDArray[np.float32]
    boxes: Boxes


def scan(patient: str, seed: int, matrix: Matrix, *, with_lesion: bool) -> Volume:
    """Draw a patient and scan the knee; depends on the arguments and on nothing else."""
    rng = generator(seed, "phantom", patient)
    knee = draw_knee(rng, matrix.slices, with_lesion=with_lesion)
    warp = np.stack([_field(rng, WARP, matrix, slices=1)[0] for _ in ("u", "v")])
    u, v = grid(knee, matrix.rows, matrix.columns, matrix.size, warp)
    kspace = _acquire(rng, _body(knee, u, v, matrix), matrix)
    return Volume(
        patient=patient,
        acquisition=knee.acquisition,
        kspace=kspace,
        image=reconstruct(kspace, matrix.size),
        boxes=_boxes(knee, u, v, matrix),
    )


def reconstruct(kspace: NDArray[np.complex64], size: int) -> NDArray[np.float32]:
    """Centred orthonormal inverse FFT, centre crop, magnitude.

    Args:
        kspace: (..., rows, columns), DC in the middle.
        size: side of the square to keep.

    Returns:
        (..., size, size).

    """
    image = np.fft.ifft2(np.fft.ifftshift(kspace, axes=AXES), norm="ortho")
    return np.abs(_crop(np.fft.fftshift(image, axes=AXES), size)).astype(np.float32)


def _crop(image: NDArray[Scalar], size: int) -> NDArray[Scalar]:
    top, left = ((length - size) // 2 for length in image.shape[-2:])
    return image[..., top : top + size, left : left + size]


def _body(knee: Knee, u: Plane, v: Plane, matrix: Matrix) -> Plane:
    """Brightness (slices, rows, columns), the lesion included."""
    planes = []
    for place in range(matrix.slices):
        plane = paint(knee, (2 * place + 1) / matrix.slices - 1, u, v)
        if knee.lesion is not None:
            plane += knee.lesion.contrast * lesion_weight(knee.lesion, place, u, v)
        planes.append(plane)
    return np.stack(planes)


def _boxes(knee: Knee, u: Plane, v: Plane, matrix: Matrix) -> Boxes:
    if knee.lesion is None:
        return {}
    return {
        place: _bounds(_crop(lesion_weight(knee.lesion, place, u, v), matrix.size) >= 0.5)
        for place in range(knee.lesion.first, knee.lesion.last + 1)
    }


def _bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def _acquire(rng: np.random.Generator, body: Plane, matrix: Matrix) -> NDArray[np.complex64]:
    """K-space of the body as a noisy receiver with a smooth coil and a smooth phase sees it."""
    grain = _field(rng, (GRAIN[0], GRAIN[1] / matrix.size), matrix, matrix.slices)
    tissue = body * (1 + grain + _field(rng, MOTTLE, matrix, matrix.slices))
    coil = np.exp(_field(rng, COIL, matrix, matrix.slices)) * _reach(matrix)
    phase = _field(rng, PHASE_RAD, matrix, matrix.slices)
    peak = np.exp(rng.uniform(*np.log(PEAK)))
    signal = peak * tissue * coil * np.exp(1j * phase)
    noise = peak * rng.uniform(*NOISE) * _complex_normal(rng, body.shape)
    centred = np.fft.fft2(np.fft.ifftshift(signal, axes=AXES), norm="ortho")
    return (np.fft.fftshift(centred, axes=AXES) + noise).astype(np.complex64)


def _reach(matrix: Matrix) -> Plane:
    """Sensitivity (rows, 1) along the leg: full in the image, gone at the ends of the readout."""
    v = (np.arange(matrix.rows) - matrix.rows // 2) / (matrix.size / 2)
    return np.exp(-((v / 1.4) ** 8))[:, None]


def _complex_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.complex128]:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def _field(
    rng: np.random.Generator, strength_and_width: tuple[float, float], matrix: Matrix, slices: int
) -> Plane:
    """Band-limited noise (slices, rows, columns) that goes on smoothly from slice to slice.

    White noise times a Gaussian in the frequency domain; width in units of the image's side.
    """
    strength, width = strength_and_width
    shape = (slices, matrix.rows, matrix.columns)
    spread = (1.0, width * matrix.size, width * matrix.size)
    spectrum = np.fft.fftn(rng.standard_normal(shape))
    for axis, (length, pixels) in enumerate(zip(shape, spread, strict=True)):
        response = np.exp(-2 * (np.pi * pixels * np.fft.fftfreq(length)) ** 2)
        spectrum *= np.expand_dims(response, tuple(set(range(3)) - {axis}))
    field = np.fft.ifftn(spectrum).real
    return strength * field / field.std()
