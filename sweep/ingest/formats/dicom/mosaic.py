"""Siemens mosaics: the slices of a volume as tiles of one picture, and where each of them lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.core.errors import UnusableError


@dataclass(frozen=True)
class Mosaic:
    """The tiles, in their order.

    Attributes:
        shape: Rows, columns of each.
        corners: Row and column where each begins.
        positions: Centre of the first pixel of each, in mm in LPS.

    """

    shape: tuple[int, int]
    corners: tuple[tuple[int, int], ...]
    positions: tuple[tuple[float, ...], ...]


def mosaic_of(dataset: Any, path: Path) -> Mosaic | None:
    """What the private header of the scanner says of a mosaic, as nibabel reads it.

    Args:
        dataset: Pydicom's, up to the pixels.
        path: Its file.

    Returns:
        None: It is no mosaic.

    Raises:
        UnusableError: It calls itself one, and its private header does not say where the tiles
            lie, as after some anonymisation; or its pixels have been resized.
        Exception: As nibabel raises on a damaged header.

    """
    if "MOSAIC" not in map(str, np.atleast_1d(dataset.get("ImageType") or ())):
        return None
    wrapper = _wrapper(dataset)
    affine = None if wrapper is None else wrapper.affine
    if wrapper is None or affine is None:
        raise UnusableError(
            "the image is a Siemens mosaic, slices as tiles of one picture, and its private header "
            "does not say how many they are and where they lie",
            path,
            "give it as the scanner wrote it, or convert it with dcm2niix and take `ingest nifti`",
        )
    if dataset.Rows % wrapper.mosaic_size or dataset.Columns % wrapper.mosaic_size:
        raise UnusableError(
            "the image is a Siemens mosaic, and its tiles have no whole number of pixels",
            f"{path} with {dataset.Rows} x {dataset.Columns} pixels for "
            f"{wrapper.mosaic_size} x {wrapper.mosaic_size} tiles",
            "give it as the scanner wrote it",
        )
    tiles = range(wrapper.n_mosaic)
    height, width, _ = wrapper.image_shape
    across = wrapper.mosaic_size
    start, step = affine[:3, 3], affine[:3, 2]
    return Mosaic(
        shape=(int(height), int(width)),
        corners=tuple((int(tile // across * height), int(tile % across * width)) for tile in tiles),
        positions=tuple(tuple(map(float, start + tile * step)) for tile in tiles),
    )


def _wrapper(dataset: Any) -> Any:
    """Nibabel's reading; None without the private header, or without a number of tiles in it."""
    from nibabel.nicom import csareader, dicomwrappers  # which warns when it is imported

    reader: Any = csareader
    wrappers: Any = dicomwrappers
    csa = reader.get_csa_header(dataset)
    count = reader.get_n_mosaic(csa) if csa else None
    return wrappers.MosaicWrapper(dataset, csa, count) if count else None
