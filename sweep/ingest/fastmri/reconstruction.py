"""From the k-space of one slice to its magnitude image."""

import numpy as np
from numpy.typing import NDArray


def reconstruct(kspace: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Centred orthonormal inverse FFT, centre crop, magnitude, root-sum-of-squares over coils.

    The columns are taken as encoded. Zero-filling them to a common number first would make the
    pixels smaller along the phase axis only, and the crop would show less of the body.

    Equal to ``ifftshift``, ``ifft2``, ``fftshift`` and a crop, at less cost: a shift of the input
    only turns phases, which the magnitude forgets; the shift of the output is in the choice of
    rows and columns; and columns are transformed in the kept rows alone.

    Args:
        kspace: (coil, RO, PE), DC at N // 2.
        shape: (H, W) to keep; pixel n // 2 of the image is pixel N // 2 of the matrix. Where the
            matrix is smaller than the image, the image is zero beyond it.

    Returns:
        (H, W), finite or not as ``kspace`` is.

    """
    rows, columns = map(_kept, kspace.shape[1:], shape)
    power = np.zeros((len(rows), kspace.shape[2]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for coil in kspace:
            readout = np.fft.ifft(coil, axis=0, norm="ortho")[rows]
            image = np.fft.ifft(readout, axis=1, norm="ortho")
            power += image.real**2 + image.imag**2
    magnitude = np.zeros(shape, np.float32)
    top, left = shape[0] // 2 - len(rows) // 2, shape[1] // 2 - len(columns) // 2
    window = magnitude[top : top + len(rows), left : left + len(columns)]
    window[...] = np.sqrt(power[:, columns])
    return magnitude


def _kept(matrix: int, wanted: int) -> NDArray[np.intp]:
    """Where an unshifted transform has the pixels -n // 2 to (n - 1) // 2 about its centre."""
    count = min(matrix, wanted)
    return np.arange(count) - count // 2
