"""Stores with k-space: slices that were sampled differently, beside their images."""

from pathlib import Path

import numpy as np

from sweep.store import Store
from sweep.store.fingerprint import fingerprint
from sweep.store.geometry import Frame, Geometry, Sampling
from sweep.store.layout import Form, create
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter

SHAPE = (24, 20)
FRAME = Frame(3, 40, 34)
# Two widths, odd and even, with lines at the edges that were not acquired; 1 and 3 coils; and a
# matrix that is smaller than the image, either way.
SAMPLINGS = (
    Sampling(3, 40, 34, (2, 33)),
    Sampling(1, 40, 27, (0, 27)),
    Sampling(3, 40, 27, (3, 27)),
    Sampling(1, 18, 16, (0, 16)),
)
PIXELS_MM = ((0.5, 0.625), None, (1.5, 1.5))
PER_PATIENT = 4


def reconstruction(kspace: np.ndarray) -> np.ndarray:
    """Root sum of squares of the centred transform; its centre, in the middle of ``SHAPE``."""
    axes = (1, 2)
    shifted = np.fft.ifftshift(kspace.astype(np.complex128), axes)
    coils = np.fft.fftshift(np.fft.ifft2(shifted, norm="ortho"), axes)
    image = np.sqrt((np.abs(coils) ** 2).sum(axis=0))
    shown = np.zeros(SHAPE)
    (kept, into) = zip(*map(centres, image.shape, SHAPE), strict=True)
    shown[into] = image[kept]
    return shown.astype(np.float32)


def centres(have: int, want: int) -> tuple[slice, slice]:
    count = min(have, want)
    first, second = (whole // 2 - count // 2 for whole in (have, want))
    return slice(first, first + count), slice(second, second + count)


def scanned(sampling: Sampling, label: int, generator: np.random.Generator) -> np.ndarray:
    """k-space (coil, RO, PE) of a disc on a background, its place given by the label."""
    rows, columns = np.mgrid[: sampling.rows, : sampling.columns]
    y, x = rows - sampling.rows // 2, columns - sampling.columns // 2
    body = 60.0 * (y**2 + x**2 < 64) + 90.0 * (y**2 + (x - 6 * label + 3) ** 2 < 9)
    noise = generator.normal(0, 4, (sampling.coils, *body.shape, 2)) @ (1, 1j)
    phase = np.exp(1j * generator.normal(0, 1) + 0.05j * y)
    gains = 1 + 0.3 * np.arange(sampling.coils)[:, None, None]
    image = np.fft.ifftshift(body * phase * gains + noise, (1, 2))
    kspace = np.fft.fftshift(np.fft.fft2(image, norm="ortho"), (1, 2)).astype(np.complex64)
    kspace[..., : sampling.acquired[0]] = 0
    kspace[..., sampling.acquired[1] :] = 0
    return kspace


def make_kspace_store(path: Path, patients: int = 12, scans: bool = False) -> Store:
    """Slices of all samplings and pixel sizes, in folds 1, 2 and 3 by patient; multiclass.

    With ``scans`` those of a patient are one scan, and numbered in it.
    """
    generator = np.random.default_rng(11)
    slices, planes = [], []
    for number in range(patients * PER_PATIENT):
        patient, place = divmod(number, PER_PATIENT)
        sampling = SAMPLINGS[(patient + place) % len(SAMPLINGS)]
        geometry = Geometry(PIXELS_MM[patient % len(PIXELS_MM)], sampling=sampling)
        kspace = scanned(sampling, patient % 2, generator)
        planes.append((reconstruction(kspace), kspace))
        slices.append(
            Slice(
                key=f"p{patient}/s{place}",
                patient=f"p{patient}",
                split=str(1 + patient // 2 % 3),
                labels=frozenset({"ab"[patient % 2]}),
                origin="test",
                geometry=geometry,
                scan=f"p{patient}" if scans else "",
                number=place if scans else None,
            )
        )
    form = Form(SHAPE, ("a", "b"), "multiclass", {"test": True}, kspace=FRAME)
    create(path, slices, form)
    with StoreWriter.open(path) as draft:
        digests = [draft.write(row, *planes[row], one.origin) for row, one in enumerate(slices)]
        draft.finish(fingerprint(slices, form, digests))
    return Store.open(path)
