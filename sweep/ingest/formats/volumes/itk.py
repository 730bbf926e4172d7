"""MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) files, which SimpleITK reads."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import size_text
from sweep.ingest.formats.planes import Grid
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
ELSEWHERE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*([^\r\n]*)", re.MULTILINE)


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
    reader.ReadImageInformation()
    size = tuple(int(length) for length in reader.GetSize())
    if len(size) not in (3, 4) or min(size) < 1:
        raise refuse_shape(path, size_text(size))
    with path.open("rb") as file:
        header = file.read(HEADER)

    def voxels(number: int) -> NDArray[np.generic]:
        values = sitk.GetArrayFromImage(reader.Execute())
        return np.asarray(values[number] if len(size) > 3 else values).T

    return Scan(
        paths=_paths(path, header),
        grid=Grid((size[0], size[1], size[2]), _affine(reader), _lies(path, header)),
        acquired=SLICES_LAST,
        count=size[3] if len(size) > 3 else 1,
        dtype=_dtype(sitk, reader),
        voxels=voxels,
    )


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


def _paths(path: Path, header: bytes) -> tuple[Path, ...]:
    """The header, and the file of the voxels where it has one of its own."""
    found = ELSEWHERE.search(header)
    other = path.parent / found[1].decode("utf-8", "replace").strip() if found else path
    return (path, other) if other != path and other.is_file() else (path,)
