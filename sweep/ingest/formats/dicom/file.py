"""DICOM files: header and frames of one file. Series of files are in ``series``."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.ingest.formats.dicom.frames import Frame
from sweep.ingest.formats.dicom.header import Header, header_of, pixel_bytes
from sweep.ingest.formats.pixels import one_channel

PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)  # the elements that hold pixels
SUFFIXES = (".dcm", ".ima", ".dicom")
UNDEFINED = 0xFFFFFFFF  # length of compressed pixels


def read_header(path: Path) -> Header | None:
    """Read a file up to its pixels.

    Returns:
        None: it is not DICOM, or DICOM without pixels, such as a DICOMDIR.

    Raises:
        UnusableError: An image that is damaged or truncated, or whose pixels are of a kind that
            is not supported or has no decoder installed.

    """
    with _reading(path):
        try:
            dataset, length, rest = _before_pixels(path)
        except InvalidDicomError:
            if path.suffix.lower() in SUFFIXES:
                raise
            return None
        if length is None:
            if _should_show(dataset):
                raise UnusableError(
                    "the DICOM image ends before its pixels", path, "export it again"
                )
            return None
        header = header_of(dataset, path)
        _check_decoder(dataset, path)
        _check_length(dataset, length, rest, path)
        return header


def read_frames(path: Path, frames: Sequence[Frame]) -> Iterator[NDArray[np.float32]]:
    """Decode frames of one file, one at a time.

    Colour passes when it is grey. MONOCHROME1, where the least value is white, is turned over
    within the range of the stored bits (v becomes least + greatest - v), the same for all slices
    of a series; then slope and intercept make units of it.

    Yields:
        (H, W) in the file's units.

    Raises:
        UnusableError: Damaged pixels, colour, or units beyond 32-bit float.

    """
    with _reading(path):
        dataset = dcmread(path)
    for frame in frames:
        with _reading(path):
            image = _image(dataset, frame, path)
        yield image


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn pydicom's errors into ours, and keep its warnings of sloppy files to itself."""
    wrong, remedy = "the image is not a readable DICOM file", "export it again or remove its rows"
    with broken_is_unusable(wrong, path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _before_pixels(path: Path) -> tuple[FileDataset, int | None, int]:
    """The header; the length that the pixels should have, if any; and the bytes left for them."""
    found: list[tuple[int, int]] = []
    size = path.stat().st_size

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in PIXELS:
            found.append((length, size - file.tell()))
        return tag in PIXELS

    with path.open("rb") as file:
        dataset = read_partial(file, at_pixels)
    length, rest = found[0] if found else (None, 0)
    return dataset, length, rest


def _should_show(dataset: FileDataset) -> bool:
    """Whether the file calls itself an image."""
    name = UID(dataset.file_meta.get("MediaStorageSOPClassUID") or "").name
    return "Image Storage" in name or "Rows" in dataset


def _check_decoder(dataset: FileDataset, path: Path) -> None:
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    if not decoder.is_available:
        raise UnusableError(
            "no decoder for the compressed pixels is installed",
            f"{path} with {decoder.UID.name}",
            f"install one of: {'; '.join(decoder.missing_dependencies)}",
        )


def _check_length(dataset: FileDataset, length: int, rest: int, path: Path) -> None:
    """Compare what the header promises with the pixels' own length and the file's."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated or length == UNDEFINED:
        return
    needed = pixel_bytes(dataset)
    whole = syntax == DeflatedExplicitVRLittleEndian or rest >= length
    if length not in (needed, needed + needed % 2) or not whole:
        raise UnusableError(
            "the pixels do not have the length that the header promises",
            f"{path} with {needed} bytes promised, {length} stated and {min(rest, length)} in the "
            "file",
            "export it again",
        )


def _image(dataset: FileDataset, frame: Frame, path: Path) -> NDArray[np.float32]:
    values = pixel_array(dataset, index=frame.index)
    white = 2**dataset.BitsStored - 1
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        white = np.iinfo(values.dtype).max
    if values.ndim == 3:
        values = one_channel(values, str(path), white)
    units = values.astype(np.float64)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        units = (-1 if dataset.PixelRepresentation else white) - units
    with np.errstate(over="ignore"):  # what overflows is refused as infinite
        image = (units * frame.slope + frame.intercept).astype(np.float32)
    if not np.isfinite(image).all():
        raise UnusableError(
            "pixels times slope plus intercept are beyond 32-bit float",
            f"{path} with slope {frame.slope:g} and intercept {frame.intercept:g}",
            "correct the header",
        )
    return image
