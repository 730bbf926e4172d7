"""A picture file as Pillow decodes it, mended where that is not what the file says."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sweep.core.errors import UnusableError, blame_no_file, told
from sweep.core.text import number_of

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
GREY = ("L", "I", "I;16", "I;16B", "I;16L", "F")
COLOUR = ("RGB", "P")
ALPHA = ("LA", "RGBA")
EIGHT_BITS = ("L", "LA", "RGB", "RGBA")

# Tags of TIFF; the last one is EXIF's, too.
WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLE_FORMAT, ORIENTATION = 256, 257, 258, 262, 339, 274
WHITE_IS_ZERO = 0
UNSIGNED, SIGNED = 1, 2
SIDEWAYS = (5, 6, 7, 8)  # orientations under which rows of the file are columns of the picture
NOT_KNOWN = "its header is none of theirs, or says a kind of pixel that Pillow does not read"
EXIF_IN_PNG = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@contextmanager
def opened(path: Path, origin: str) -> Iterator[Image.Image]:
    """Open a picture; whatever Pillow raises of it meanwhile is the file's failure.

    Args:
        path: PNG, JPEG, TIFF or BMP.
        origin: How to name the picture in messages.

    Raises:
        UnusableError: Anything was raised.
        WorkError: It is the disk or the machine that fails.

    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage that Pillow mends, or raises in the end
        try:
            # A file, as of a path Pillow maps TIFFs into memory, and scrambles those on their side.
            with path.open("rb") as file, Image.open(file, formats=FORMATS) as picture:
                yield picture
        except UnusableError:
            raise
        except Exception as error:
            blame_no_file(error, origin)
            said = NOT_KNOWN if isinstance(error, UnidentifiedImageError) else told(error)
            raise UnusableError(
                f"the image is not a readable file of {', '.join(FORMATS)}",
                f"{origin}: {said}",
                "repair the file, save it as grey with 8, 16 or 32 bits, or remove the row",
            ) from error


def upright_size(picture: Image.Image, path: Path) -> tuple[int, int]:
    """(H, W) of what ``decoded`` gives, from the header; ``path`` is that of the picture."""
    tags = _tags(picture)
    if tags:
        height, width = int(tags[HEIGHT]), int(tags[WIDTH])
        orientation = tags.get(ORIENTATION, 1)
    else:
        height, width = picture.height, picture.width
        orientation = picture.getexif().get(ORIENTATION, 1) if _may_turn(picture, path) else 1
    return (width, height) if orientation in SIDEWAYS else (height, width)


def decoded(picture: Image.Image, origin: str) -> NDArray[np.generic]:
    """Decode the picture, or the page that it stands at, the right way up.

    Returns:
        (H, W), or (H, W, 3) of one in colour, in the file's own units.

    Raises:
        UnusableError: Pixels for a part of it alone; another kind of pixel; values that would be
            cut to fewer bits; pixels that are transparent.

    """
    tags, bits = dict(_tags(picture)), _bits(picture)  # which loading may change
    _check_covered(picture, origin)
    picture.load()
    if not tags:  # as loading has set a page of a TIFF upright
        ImageOps.exif_transpose(picture, in_place=True)
    mode = picture.mode
    if mode not in (*GREY, *COLOUR, *ALPHA):
        raise UnusableError(
            "the image is not grey with 8, 16 or 32 bits",
            f"{origin} with pixels of kind {mode!r}",
            "save it as grey with 8 or 16 bits",
        )
    if mode in EIGHT_BITS and bits > 8:
        raise UnusableError(
            f"the image has {bits} bits in each of several channels, and can be read with 8 alone",
            origin,
            f"save it as grey with {bits} bits",
        )
    values = _opaque(picture, origin)
    return _as_tagged(values, mode, tags, bits, origin) if tags else values


def decoded_mask(picture: Image.Image, origin: str) -> NDArray[np.generic]:
    """Decode a picture whose values are marks: as ``decoded``, and what only masks have.

    Of one bit a pixel white is 1; of a palette in colour the numbers of its entries are the values.

    Returns:
        (H, W), or (H, W, 3) of one in colour.

    Raises:
        UnusableError: See ``decoded``; JPEG, which does not keep values.

    """
    if picture.format == "JPEG":
        raise UnusableError(
            "the mask is a JPEG, which does not keep the values of pixels",
            origin,
            "save it as PNG, each pixel with the value of its finding",
        )
    _check_covered(picture, origin)
    if picture.mode not in ("1", "P") or not _is_numbered(picture):
        return decoded(picture, origin)
    if not _tags(picture):  # as loading has set a page of a TIFF upright
        ImageOps.exif_transpose(picture, in_place=True)
    return np.asarray(picture, np.uint8)


def _is_numbered(picture: Image.Image) -> bool:
    """Whether its values are to be taken as numbers: it has one bit a pixel, or is in colour."""
    picture.load()
    if picture.mode == "1":
        return True
    colours = np.asarray(picture.convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def _check_covered(picture: Image.Image, origin: str) -> None:
    """Refuse what names pixels of a part of it alone, as a TIFF may: Pillow leaves the rest 0."""
    tiles: list[Any] = getattr(picture, "tile", [])
    parts = [(x1 - x0) * (y1 - y0) for _, (x0, y0, x1, y1), *_ in tiles]
    if tiles and sum(parts) < picture.width * picture.height:
        raise UnusableError(
            "the image has pixels for a part of it alone",
            f"{origin} with {sum(parts)} of {number_of(picture.width * picture.height, 'pixel')}",
            "repair the file or remove the row",
        )


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    """Of a TIFF; of any other picture none."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    return tags


def _may_turn(picture: Image.Image, path: Path) -> bool:
    """Whether it is worth asking for the orientation: of a PNG, all pixels are decoded for it."""
    if picture.format != "PNG":
        return True
    content = path.read_bytes()
    return any(name in content for name in EXIF_IN_PNG)


def _bits(picture: Image.Image) -> int:
    """Of a channel, as the file has it."""
    tags = _tags(picture)
    if tags:
        return int(max(tags.get(BITS, (1,))))
    tiles: list[Any] = getattr(picture, "tile", [])  # the last part is how the decoder is to unpack
    return 16 if any(";16" in str(tile[3]) for tile in tiles) else 8


def _opaque(picture: Image.Image, origin: str) -> NDArray[np.generic]:
    """Values without the channel or the key of transparency, which leaves every pixel seen."""
    mode, key = picture.mode, picture.info.get("transparency")
    if mode in GREY and mode != "L":
        values = np.asarray(picture)
        hidden = np.zeros(1, bool) if key is None else values == key
    elif mode in ALPHA or key is not None:
        both = np.asarray(picture.convert("LA" if mode in ("L", "LA") else "RGBA"))
        hidden = both[..., -1] < 255
        values = both[..., 0] if both.shape[-1] == 2 else both[..., :3]
    else:
        values = np.asarray(picture.convert("RGB") if mode == "P" else picture)
        hidden = np.zeros(1, bool)
    if hidden.any():
        raise UnusableError(
            "pixels of the image are transparent, and what is behind them is not known",
            f"{origin}, {np.count_nonzero(hidden)} of {hidden.size} pixels",
            "save it without an alpha channel",
        )
    return values


def _as_tagged(
    values: NDArray[np.generic], mode: str, tags: Mapping[int, Any], bits: int, origin: str
) -> NDArray[np.generic]:
    """What a TIFF's tags say of its grey and Pillow does not follow: signs, and white as 0."""
    kind = tags.get(SAMPLE_FORMAT, (UNSIGNED,))[0]
    if mode == "L" and bits == 8 and kind == SIGNED:
        return values.view(np.int8)
    if mode == "I" and bits == 32 and kind == UNSIGNED:
        return values.view(np.uint32)
    if tags.get(PHOTOMETRIC) != WHITE_IS_ZERO or mode == "L":
        return values
    if mode.startswith("I;16"):
        return np.asarray((1 << bits) - 1 - values.astype(np.int32))
    raise UnusableError(
        "the image says that white is 0, and has no largest value to count from",
        f"{origin} with pixels of kind {mode!r}",
        "save it with black as 0",
    )
