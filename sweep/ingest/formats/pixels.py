"""A grey picture file as an array, and an array at another size."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.core.errors import UnusableError, UserError
from sweep.core.text import number_of, size_text
from sweep.ingest.formats.decoding import decoded, opened, upright_size

SQUARE = 0.01  # relative difference of spacings up to which pixels count as square
MAX_ASPECT = 100
MAX_CHANNEL_DIFFERENCE = 8  # of 255; JPEG stores grey as colour with errors of a few levels


def read_grey(path: Path, origin: str, channel: int | None = None) -> NDArray[np.float32]:
    """Read one grey picture, the right way up; three channels pass when they are all but equal.

    Args:
        path: PNG, JPEG, TIFF or BMP.
        origin: How to name the picture in messages.
        channel: Of a picture in colour the channel to take, from 0, where each is an image of its
            own; of a grey one it makes no difference.

    Returns:
        (H, W) in the file's own intensity units, finite; 0..255 of 8 bits, 0..65535 of 16.

    Raises:
        UnusableError: The file cannot be read, holds several pictures, colour, transparency,
            another kind of pixel, values that are not finite, or one value only.

    """
    with opened(path, origin) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            raise UnusableError(
                "the image file holds several slices",
                f"{origin} with {frames} slices",
                "save each alone, or take a TIFF as a volume (`mrisweep ingest volumes`)",
            )
        foretold, pixels = upright_size(picture, path), grey_of(picture, origin, channel)
        if pixels.shape != foretold:
            raise UnusableError(
                "the image has another size than its header says",
                f"{origin} with {size_text(pixels.shape)} and not {size_text(foretold)} pixels",
                "repair the file or remove the row",
            )
        if pixels.min() == pixels.max():
            raise UnusableError(
                "the image is empty: every pixel has the same value",
                f"{origin} with {pixels.flat[0]:g} everywhere",
                "remove the row or repair the file",
            )
    return pixels


def grey_of(picture: Image.Image, origin: str, channel: int | None = None) -> NDArray[np.float32]:
    """Decode the grey of a picture, or of the page that it stands at: (H, W), finite.

    Raises:
        UnusableError: Colour, transparency, another kind of pixel, a value that is not finite.

    """
    values = decoded(picture, origin)
    if values.ndim > 2:
        pixels = one_channel(values, origin) if channel is None else values[..., channel]
    else:
        pixels = values
    if bad := pixels.size - np.count_nonzero(np.isfinite(pixels)):
        raise UnusableError(
            "pixels are NaN or infinite",
            f"{origin}, {bad} of {number_of(pixels.size, 'pixel')}",
            "replace them, or remove the row",
        )
    return pixels.astype(np.float32)


def size_of(path: Path, origin: str) -> tuple[int, int]:
    """(H, W) of what ``read_grey`` gives, from the header.

    Raises:
        UnusableError: The file cannot be read.

    """
    with opened(path, origin) as picture:
        return upright_size(picture, path)


def one_channel(values: NDArray[np.generic], origin: str, white: int = 255) -> NDArray[np.floating]:
    """The grey of a picture in colour whose channels are all but equal: their mean.

    Args:
        values: (..., C).
        origin: How to name the picture in messages.
        white: The largest value that a channel can have.

    Returns:
        (...), in the units of the channels.

    Raises:
        UnusableError: The channels differ.

    """
    difference = round(float(np.ptp(values, axis=-1).max()) * 255 / white)
    if difference > MAX_CHANNEL_DIFFERENCE:
        raise UnusableError(
            "the image is in colour",
            f"{origin} with channels that differ by up to {difference} of 255",
            "save it as grey",
        )
    return np.asarray(values.mean(axis=-1))


def check_size(size: int | None) -> None:
    """Refuse a size that no image can have.

    Raises:
        UserError: It is below 1.

    """
    if size is not None and size < 1:
        raise UserError("the size is not a number of pixels, at least 1", size, "take 1 or more")


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


def fit_square(
    image: NDArray[np.float32], pixel_mm: tuple[float, float] | None, size: int
) -> NDArray[np.float32]:
    """Bring (H, W) to (size, size) as ``fit`` does, its pixels made square before.

    Pixels that are not square (more than 1 % apart) are first resampled, bilinear, along the axis
    of the greater spacing. Unknown spacings count as equal.

    Raises:
        UnusableError: See ``fitted_mm``.

    """
    height, width = _square(image.shape, pixel_mm)
    if (height, width) != image.shape:
        method = Image.Resampling.BILINEAR
        image = np.array(Image.fromarray(image).resize((width, height), method))
    return fit(image, size)


def fitted_mm(
    shape: tuple[int, ...], pixel_mm: tuple[float, float], size: int
) -> tuple[float, float]:
    """Distances between rows and between columns after ``fit_square`` of an image (H, W).

    Raises:
        UnusableError: Pixels more than a hundred times as long as wide.

    """
    square = _square(shape, pixel_mm)
    rows, columns = (
        spacing * before / after
        for spacing, before, after in zip(pixel_mm, shape, square, strict=True)
    )
    return rows * max(square) / size, columns * max(square) / size


def native_size(
    shape: tuple[int, int], pixel_mm: tuple[float, float] | None, size: int | None
) -> tuple[int, int]:
    """(H, W) of what ``fit_square`` of an image shows, padding included, in the image's own pixels.

    Args:
        shape: (H, W) of the image.
        pixel_mm: Its spacings; None = they count as equal.
        size: None = the image stays as it is.

    Raises:
        UnusableError: See ``fitted_mm``.

    """
    if size is None:
        return shape
    square = _square(shape, pixel_mm)
    rows, columns = (
        round(max(square) * before / after) for before, after in zip(shape, square, strict=True)
    )
    return rows, columns


def _square(shape: tuple[int, ...], pixel_mm: tuple[float, float] | None) -> tuple[int, int]:
    """(H, W) of the image when its pixels are square; one of them stays as it is."""
    height, width = shape
    if pixel_mm is None or max(pixel_mm) <= (1 + SQUARE) * min(pixel_mm):
        return height, width
    if max(pixel_mm) > MAX_ASPECT * min(pixel_mm):
        raise UnusableError(
            f"pixels are more than {MAX_ASPECT} times as long as wide",
            f"{pixel_mm[0]:g} x {pixel_mm[1]:g} mm",
            "correct the header",
        )
    side = min(pixel_mm)
    return round(height * pixel_mm[0] / side), round(width * pixel_mm[1] / side)


def _padded(image: NDArray[np.float32]) -> NDArray[np.float32]:
    side = max(image.shape)
    if image.shape == (side, side):
        return image
    missing = [side - length for length in image.shape]
    return np.pad(image, [(rest // 2, rest - rest // 2) for rest in missing])
