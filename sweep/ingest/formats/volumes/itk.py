"""MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) files, which SimpleITK reads."""

import math
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import size_text
from sweep.ingest.formats.planes import Grid
from sweep.ingest.formats.volumes.packed import check_gzip, check_zlib
from sweep.ingest.formats.volumes.scan import SLICES_LAST, Scan, refuse_shape

READERS = {
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
}
HEADER = 65536  # bytes in which a header ends
# What in a MetaImage says how the volume lies; without it ITK says that it lies straight.
LIES = re.compile(rb"^\s*(TransformMatrix|Rotation|Orientation)\s*=", re.MULTILINE)
# And in NRRD; other spaces are not a patient's.
OF_A_PATIENT = re.compile(
    rb"^space:\s*((left|right)-(anterior|posterior)-superior|[LR][AP]S)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
VOXELS = re.compile(rb"^(?:ElementDataFile[ \t]*=|data ?file:)[ \t]*([^\r\n]*)\r?\n", re.MULTILINE)
LOCAL = b"LOCAL"  # in the file of the header
PACKED = re.compile(
    rb"^(CompressedData\s*=\s*[T1]|BinaryData\s*=\s*F|encoding:\s*+(?!raw\b))",
    re.MULTILINE | re.IGNORECASE,
)
# Streams whose sum is asked for here; where lines are skipped is NRRD's to know.
BY_ZLIB = re.compile(rb"^CompressedData\s*=\s*[T1]", re.MULTILINE | re.IGNORECASE)
BY_GZIP = re.compile(rb"^encoding:\s*gz(ip)?\s*$", re.MULTILINE | re.IGNORECASE)
SKIPS = re.compile(rb"^(line|byte) ?skip:", re.MULTILINE | re.IGNORECASE)
PACKED_SIZE = re.compile(rb"^CompressedDataSize\s*=\s*([0-9]+)", re.MULTILINE)
HEADER_SIZE = re.compile(rb"^HeaderSize\s*=\s*([0-9]+)", re.MULTILINE)
END_OF_NRRD = re.compile(rb"\r?\n\r?\n")
WHERE = re.compile(r".*ITK ERROR: ", re.DOTALL)  # in ITK's source the error arose


def open_itk(path: Path) -> Scan:
    """Read the header of a MetaImage or of NRRD.

    Raises:
        UnusableError: SimpleITK is not installed; a volume of two axes, or of more than four.

    """
    if find_spec("SimpleITK") is None:
        raise UnusableError(
            "MHA and NRRD files need a package that is not installed",
            f"{path}, without SimpleITK",
            "install it with `pip install 'mrisweep[formats]'`",
        )
    import SimpleITK

    sitk: Any = SimpleITK  # which is typed in part
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(READERS[path.suffix.lower()])
    reader.SetFileName(str(path))
    _run(reader.ReadImageInformation)
    size = tuple(int(length) for length in reader.GetSize())
    if len(size) not in (3, 4) or min(size) < 1:
        raise refuse_shape(path, size_text(size))
    with path.open("rb") as file:
        header = file.read(HEADER)

    paths, starts = _voxels(path, header)
    packed, dtype = PACKED.search(header) is not None, _dtype(sitk, reader)

    def voxels(number: int) -> NDArray[np.generic]:
        if starts is not None:
            _check_packed(paths[-1], starts, header, math.prod(size) * dtype.itemsize)
        values = sitk.GetArrayFromImage(_run(reader.Execute))
        return np.asarray(values[number] if len(size) > 3 else values).T

    return Scan(
        paths=paths,
        grid=Grid((size[0], size[1], size[2]), _affine(reader), _lies(path, header)),
        acquired=SLICES_LAST,
        count=size[3] if len(size) > 3 else 1,
        dtype=dtype,
        voxels=voxels,
        starts=None if packed else starts,
    )


def _check_packed(path: Path, start: int, header: bytes, needed: int) -> None:
    """Hold packed voxels to their sum, see ``check_zlib``."""
    if BY_ZLIB.search(header):
        said = PACKED_SIZE.search(header)
        check_zlib(path, start, needed, int(said[1]) if said else 0)
    elif BY_GZIP.search(header) and not SKIPS.search(header):
        check_gzip(path, start, needed)


def _run(step: Callable[[], Any]) -> Any:
    """Do what ITK does; of its error keep what it says, without the place in its source."""
    try:
        return step()
    except RuntimeError as error:
        raise ValueError(WHERE.sub("", str(error))) from error


def _affine(reader: Any) -> NDArray[np.float64]:
    axes = reader.GetDimension()
    turn = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(reader.GetSpacing()[:3])
    affine[:3, 3] = reader.GetOrigin()[:3]
    return affine


def _dtype(sitk: Any, reader: Any) -> np.dtype[np.generic]:
    """Of the voxels; one with fields for those in several channels."""
    if reader.GetNumberOfComponents() > 1:
        return np.dtype([("channel", np.uint8, reader.GetNumberOfComponents())])
    one: NDArray[np.generic] = sitk.GetArrayFromImage(sitk.Image([1, 1], reader.GetPixelID()))
    return one.dtype


def _lies(path: Path, header: bytes) -> bool:
    """Whether the header says how the patient lies."""
    said = LIES if path.suffix.lower() in (".mha", ".mhd") else OF_A_PATIENT
    return said.search(header) is not None


def _voxels(path: Path, header: bytes) -> tuple[tuple[Path, ...], int | None]:
    """The header and the file of the voxels, where that is another; and where these begin in it.

    The beginning is None of what lies in several files, and else the least it can be.
    """
    found = VOXELS.search(header)
    if found is None or found[1].strip() == LOCAL:
        end = found if found is not None else END_OF_NRRD.search(header)
        return (path,), None if end is None else end.end()
    other = path.parent / found[1].decode("utf-8", "replace").strip()
    if not other.is_file():
        return (path,), None
    own = HEADER_SIZE.search(header)
    return (path, other), int(own[1]) if own else 0
