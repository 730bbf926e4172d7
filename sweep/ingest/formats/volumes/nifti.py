"""NIfTI, Analyze 7.5 and MGH files, which nibabel reads: where voxels lie, and they."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.analyze import AnalyzeImage
from nibabel.freesurfer.mghformat import MGHImage
from nibabel.nifti1 import Nifti1Pair
from nibabel.openers import ImageOpener
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import size_text
from sweep.ingest.formats.planes import Grid, View
from sweep.ingest.formats.volumes.packed import is_gzip, read_to_end
from sweep.ingest.formats.volumes.scan import SLICES_LAST, Scan, refuse_shape

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MM = {1: 1000.0, 3: 0.001}  # of the header's codes for metre and micrometre; the rest means mm
SPATIAL_UNIT = 0b111  # its bits in xyzt_units
UNCOMPRESSED = (".nii", ".img", ".mgh")
MATLAB = "mat"  # beside Analyze, of the program SPM: a place in space, which is not used here
GOOD_RAS = 28  # where an MGH header says whether its geometry means anything


def open_nifti(path: Path) -> Scan:
    """Read the header of a NIfTI file, or of one of Analyze 7.5, which came before it.

    As stored, i runs along a row, j down a column and k from slice to slice; where the header
    names another slice dimension, that one does, and the other two keep their order. Of Analyze
    the lengths of voxels in mm are taken, and nothing else: what it says of how the patient lies is
    not to be relied on, as programs filled it in in several ways.

    Raises:
        UnusableError: Another format of these suffixes, or more than four axes.

    """
    image: Any = nibabel.load(path, mmap=False)
    if isinstance(image, AnalyzeImage) and not isinstance(image, Nifti1Pair):
        return _scan(image, path, 1.0, False, SLICES_LAST)
    if not isinstance(image, Nifti1Pair):
        raise UnusableError(
            "the volume is not a NIfTI file",
            f"{path} ({type(image).__name__})",
            "convert it to NIfTI",
        )
    header: Any = image.header
    mm = MM.get(int(header["xyzt_units"]) & SPATIAL_UNIT, 1.0)
    oriented = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    return _scan(image, path, mm, oriented, _acquired(header))


def open_mgh(path: Path) -> Scan:
    """Read the header of a file of FreeSurfer's.

    Raises:
        UnusableError: Another format of this suffix.

    """
    image: Any = nibabel.load(path, mmap=False)
    if not isinstance(image, MGHImage):
        raise UnusableError(
            "the volume is not an MGH file", f"{path} ({type(image).__name__})", "convert it"
        )
    with ImageOpener(str(path)) as file:
        told = file.read(GOOD_RAS + 2)[GOOD_RAS:] != b"\0\0"
    scan = _scan(image, path, 1.0, True, SLICES_LAST)
    # Without the flag nothing is known, and nibabel gives FreeSurfer's coronal 1 mm.
    return scan if told else replace(scan, grid=Grid(scan.grid.shape, None))


def _scan(image: Any, path: Path, mm: float, oriented: bool, acquired: View) -> Scan:
    """Of an image of nibabel's; ``mm``: of the unit of its affine."""
    shape, proxy = tuple(int(length) for length in image.shape), image.dataobj
    if len(shape) < 2 or min(shape) < 1 or any(length != 1 for length in shape[4:]):
        raise refuse_shape(path, size_text(shape))
    spatial, count = (*shape, 1)[:3], shape[3] if len(shape) > 3 else 1
    affine = LPS_OF_RAS @ np.diag([mm, mm, mm, 1.0]) @ image.affine

    def voxels(number: int) -> NDArray[np.generic]:
        index = (..., number, *[0] * (len(shape) - 4)) if len(shape) > 3 else (...,)
        values = _unpacked(place, proxy, index) if is_gzip(place) else np.asarray(proxy[index])
        return values.reshape(spatial)

    # The header's file and that of the voxels, where it has its own.
    holders = (one for name, one in image.file_map.items() if name != MATLAB)
    paths = sorted({Path(str(one.filename)) for one in holders})
    place = Path(proxy.file_like)
    plain = place.suffix.lower() in UNCOMPRESSED
    return Scan(
        paths=tuple(paths),
        grid=Grid((spatial[0], spatial[1], spatial[2]), affine, oriented),
        acquired=acquired,
        count=count,
        dtype=proxy.dtype,
        voxels=voxels,
        starts=int(proxy.offset) if plain else None,
    )


def _unpacked(path: Path, proxy: Any, index: tuple[Any, ...]) -> NDArray[np.generic]:
    """Voxels of a file packed by gzip, all of which is read, so that its sum is asked for."""
    said = (proxy.shape, proxy.dtype, proxy.offset, proxy.slope, proxy.inter)
    with gzip.open(path) as file:
        values = np.asarray(type(proxy)(file, said, mmap=False)[index])
        read_to_end(file)
    return values


def _acquired(header: Any) -> View:
    """(k, j, i): what varies fastest in the file runs along a row."""
    slices = header.get_dim_info()[2]
    slices = 2 if slices is None else slices
    column, row = (axis for axis in range(3) if axis != slices)
    return View((slices, row, column))
