"""A grey picture file as an array, and an array at another size."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.errors import UserError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
GREY_MODES = ("L", "I", "I;16", "I;16B", "I;16L")
COLOUR_MODES = ("RGB", "P")
MAX_VALUE = 65535
MAX_CHANNEL_DIFFERENCE = 8  # of 255; JPEG stores grey as colour with errors of a few levels


def read_grey(path: Path, origin: str) -> NDArray[np.float32]:
    """Read one grey picture of 8 or 16 bits; three channels pass when they are all but equal.

    Args:
        path: PNG, JPEG, TIFF or BMP.
        origin: how to name the picture in messages.

    Returns:
        (H, W) in the file's own intensity units, 0..255 or 0..65535.

    Raises:
        UserError: the file cannot be read, holds several pictures, colour, another kind of pixel,
            or one value only.

    """
    mode, values = _decode(path, origin)
    pixels = _one_channel(values, origin) if mode in COLOUR_MODES else values
    if pixels.min() < 0 or pixels.max() > MAX_VALUE:
        raise UserError(
            f"Pixels lie in 0..{MAX_VALUE}; {origin} has {pixels.min():g}..{pixels.max():g}. "
            "Save it with 8 or 16 bits."
        )
    if pixels.min() == pixels.max():
        raise UserError(
            f"An image shows something; {origin} is empty, every pixel is {pixels.flat[0]:g}. "
            "Remove the row or repair the file."
        )
    return pixels.astype(np.float32)


def fit(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Pad with zeros to a square, the image in the middle, and resize to (size, size).

    The padding keeps the aspect ratio. Reduction averages over the area of each new pixel, as a
    larger voxel would: means are kept, and there is no ringing that would put values below zero.
    Enlargement is bilinear.
    """
    square = _padded(image)
    if square.shape[0] == size:
        return square
    method = Image.Resampling.BOX if size < square.shape[0] else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(square).resize((size, size), method))


def _decode(path: Path, origin: str) -> tuple[str, NDArray[np.generic]]:
    try:
        with Image.open(path, formats=FORMATS) as picture:
            mode, frames = picture.mode, getattr(picture, "n_frames", 1)
            values = np.asarray(picture.convert("RGB") if mode == "P" else picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"An image is a readable file of {', '.join(FORMATS)}; {origin}: {error}. "
            "Repair the file or remove the row."
        ) from error
    if frames > 1:
        raise UserError(f"An image file holds one slice; {origin} holds {frames}. Save each alone.")
    if mode not in GREY_MODES + COLOUR_MODES:
        raise UserError(
            f"An image is grey with 8 or 16 bits; {origin} has pixels of kind {mode!r}. "
            "Save it as grey."
        )
    return mode, values


def _one_channel(values: NDArray[np.generic], origin: str) -> NDArray[np.floating]:
    difference = int(np.ptp(values, axis=-1).max())
    if difference > MAX_CHANNEL_DIFFERENCE:
        raise UserError(
            f"An MR image is grey; {origin} is in colour, its channels differ by up to "
            f"{difference} of 255. Save it as grey."
        )
    return np.asarray(values.mean(axis=-1))


def _padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    side = max(image.shape)
    missing = [side - length for length in image.shape]
    return np.pad(image, [(rest // 2, rest - rest // 2) for rest in missing])
