"""TIFF files of several pages, as ImageJ writes them: a page is a slice."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep.core.errors import UnusableError
from sweep.core.text import size_text
from sweep.ingest.formats.decoding import opened, upright_size
from sweep.ingest.formats.pixels import grey_of
from sweep.ingest.formats.planes import Grid
from sweep.ingest.formats.volumes.scan import SLICES_FIRST, Scan

WIDTH, DESCRIPTION, PER_COLUMN, PER_ROW = 256, 270, 282, 283  # tags of TIFF
# Of ImageJ's names of units. Any other, or none: pixels, or dots per inch of a printer.
MM = {
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 10.0),
    **dict.fromkeys(("um", "µm", "μm", "\\u00b5m", "micron", "microns"), 0.001),
    **dict.fromkeys(("m", "meter", "metre"), 1000.0),
}
OTHER_AXES = re.compile(r'\bSize[CT]="(?!1")\d+"')  # channels and times of OME-TIFF


def open_stack(path: Path) -> Scan:
    """Read the headers of all pages; ImageJ's say how far apart pixels and slices are.

    Raises:
        UnusableError: Not a TIFF; pages of several sizes; several channels; a page that is missing.

    """
    with opened(path, str(path)) as picture:
        if picture.format != "TIFF":
            raise UnusableError(
                "the file is not a TIFF", f"{path}, a {picture.format}", "correct its suffix"
            )
        said = _said(picture)
        pages = int(getattr(picture, "n_frames", 1))
        _check(said, pages, path)
        sizes = {_size_of_page(picture, page, path) for page in range(pages)}
        picture.seek(0)
        affine = _affine(picture, said, path)
    if len(sizes) > 1:
        raise UnusableError(
            "the pages of the file have several sizes",
            f"{path} with {', '.join(map(size_text, sorted(sizes)))}",
            "save the slices of one volume alone",
        )
    count = int(said.get("frames", 1))
    (height, width), slices = sizes.pop(), pages // count

    def voxels(number: int) -> NDArray[np.generic]:
        with opened(path, str(path)) as again:
            return np.stack(
                [_page(again, page, path) for page in range(number * slices, (number + 1) * slices)]
            )

    return Scan(
        paths=(path,),
        grid=Grid((slices, height, width), affine, oriented=False, thick="spacing" in said),
        acquired=SLICES_FIRST,
        count=count,
        dtype=np.dtype(np.float32),
        voxels=voxels,
    )


def _said(picture: Image.Image) -> Mapping[str, str]:
    """What ImageJ says of a stack, by its own names; of other programs' files nothing."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    text = str(tags.get(DESCRIPTION, ""))
    if text.startswith("ImageJ="):
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {"channels": "several"} if OTHER_AXES.search(text) else {}


def _check(said: Mapping[str, str], pages: int, path: Path) -> None:
    if said.get("channels", "1") != "1":
        raise UnusableError(
            "the pages of the file are of several channels",
            f"{path} with {said['channels']}",
            "save one channel alone",
        )
    if int(said.get("images", pages)) != pages or pages % max(int(said.get("frames", 1)), 1):
        raise UnusableError(
            "the file does not have the pages that it promises",
            f"{path} with {pages} of {said.get('images', said.get('frames'))}",
            "save it again, as several files where it is larger than 4 GB",
        )


def _size_of_page(picture: Image.Image, page: int, path: Path) -> tuple[int, int]:
    picture.seek(page)
    return upright_size(picture, path)


def _page(picture: Image.Image, page: int, path: Path) -> NDArray[np.float32]:
    picture.seek(page)
    return grey_of(picture, f"{path}, page {page + 1}")


def _affine(
    picture: Image.Image, said: Mapping[str, str], path: Path
) -> NDArray[np.float64] | None:
    """Lengths alone, in mm; None = no program says them."""
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    unit = MM.get(said.get("unit", "").strip().lower())
    per_column, per_row = (float(tags.get(tag, 0)) for tag in (PER_COLUMN, PER_ROW))
    if unit is None or not (per_column > 0 and per_row > 0):
        return None
    sideways = upright_size(picture, path)[1] != tags[WIDTH]
    row_mm, column_mm = (unit / per for per in (per_row, per_column))
    spacing = abs(float(said.get("spacing", 1))) * unit
    return np.diag([spacing, *((column_mm, row_mm) if sideways else (row_mm, column_mm)), 1.0])
