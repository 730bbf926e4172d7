"""The bytes of a DICOM file: whether it is one, with or without its preamble, and its dataset."""

import struct
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from sweep.core.errors import UnusableError

PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # the elements that hold pixels
FLOATS = (0x7FE00008, 0x7FE00009)
UNDEFINED = 0xFFFFFFFF  # length of compressed pixels
PREAMBLE = 128
FIRST_GROUPS = (0x0000, 0x0002, 0x0008)  # a dataset begins with one of them
LONGEST = 1024  # bytes of a first element that one believes in
REPRESENTATIONS = {str(vr) for vr in VR}
ENCODINGS = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}


class Pixels:
    """Where the pixels of a file are, and how many bytes.

    Attributes:
        tag: The element that holds them.
        length: Its length; ``UNDEFINED`` of compressed pixels.
        rest: The bytes from there to the end of the file.

    """

    def __init__(self, tag: int, length: int, rest: int) -> None:
        self.tag, self.length, self.rest = tag, length, rest

    def are_whole(self, dataset: FileDataset) -> bool:
        """Whether as many bytes are in the file as it states."""
        deflated = dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
        return deflated or self.rest >= self.length


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does: by a preamble, or at once by a plausible element."""
    with path.open("rb") as file:
        start = file.read(PREAMBLE + 4)
    return start[PREAMBLE:] == b"DICM" or _begins_a_dataset(start, path)


def read_to_pixels(path: Path) -> tuple[FileDataset, Pixels | None]:
    """The header of a file that ``is_dicom``, and its pixels, if it has any.

    Raises:
        Exception: As pydicom raises on a damaged file.

    """
    found: list[Pixels] = []
    size = path.stat().st_size

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in PIXELS:
            found.append(Pixels(tag, length, size - file.tell()))
        return tag in PIXELS

    with path.open("rb") as file:
        dataset = read_partial(file, at_pixels, force=True)
    pixels = found[0] if found else None
    _name_encoding(dataset, path, compressed=pixels is not None and pixels.length == UNDEFINED)
    return dataset, pixels


def read_whole(path: Path) -> FileDataset:
    """The dataset of a file that ``is_dicom``, its pixels with it.

    Raises:
        Exception: As pydicom raises on a damaged file.

    """
    dataset = dcmread(path, force=True)
    _name_encoding(dataset, path, compressed=False)
    return dataset


def _begins_a_dataset(start: bytes, path: Path) -> bool:
    if len(start) < 8:
        return False
    little, big = (struct.unpack_from(f"{order}HH", start)[0] for order in "<>")
    if start[4:6].decode("latin-1") in REPRESENTATIONS:
        return little in FIRST_GROUPS or big in FIRST_GROUPS
    group, _, length = struct.unpack_from("<HHI", start)
    return group in FIRST_GROUPS and 0 < length <= min(LONGEST, path.stat().st_size - 8)


def _name_encoding(dataset: FileDataset, path: Path, *, compressed: bool) -> None:
    """Where the file does not name its transfer syntax, that which it was read by."""
    if dataset.file_meta.get("TransferSyntaxUID"):
        return
    if compressed:
        raise UnusableError(
            "the pixels are compressed, and the file does not say how",
            f"{path} without a TransferSyntaxUID",
            "export it again",
        )
    implicit, little = dataset.original_encoding
    dataset.file_meta.TransferSyntaxUID = ENCODINGS[bool(implicit), bool(little)]
