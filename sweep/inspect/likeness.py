"""How alike two slices are in their detail, wherever a small shift has put it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 96  # pixels that a slice is averaged to
FINE, COARSE = 3, 9  # detail: what a mean over 3 x 3 of these pixels keeps and one over 9 x 9 loses
REACH = 3  # pixels, in each direction, of the shifts that are tried

Spectrum = NDArray[np.complex64]


def detail(image: NDArray[np.float32]) -> Spectrum:
    """The detail of a slice, ready to be compared.

    Two heads, or two knees, have their coarse structure in common; only copies have the detail.

    Args:
        image: (H, W), finite, of more than one value.

    Returns:
        (SIDE, SIDE // 2 + 1) Fourier transform of the detail, whose sum of squares is 1.

    """
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
    found = _FINE_MEAN @ small @ _FINE_MEAN.T - _COARSE_MEAN @ small @ _COARSE_MEAN.T
    found -= found.mean()
    length = np.linalg.norm(found)
    unit = found / length if length else found
    return np.fft.rfft2(unit).astype(np.complex64)


def likeness(one: Spectrum, other: Spectrum) -> float:
    """Pearson correlation of two details at the shift, up to ``REACH``, that suits them best.

    Returns:
        Up to 1, which only copies reach, up to brightness, contrast and a shift by whole pixels.

    """
    by_shift = np.fft.irfft2(one * other.conj(), (SIDE, SIDE))
    near = np.arange(-REACH, REACH + 1)
    return float(by_shift[np.ix_(near, near)].max())


def _means_over(width: int) -> NDArray[np.float64]:
    """Means over neighbours, (SIDE, SIDE): one row for each pixel; the border is continued."""
    reach = width // 2
    padded = np.pad(np.eye(SIDE), ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    return np.asarray(windows.mean(axis=-1))


_FINE_MEAN, _COARSE_MEAN = _means_over(FINE), _means_over(COARSE)
