"""DICOM files: header and frames of one file. Series of files are in ``series``."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEGExtended12Bit, RLELossless

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.ingest.formats.dicom.choice import Choice
from sweep.ingest.formats.dicom.facts import facts_of
from sweep.ingest.formats.dicom.frames import Frame
from sweep.ingest.formats.dicom.header import (
    GREY,
    Header,
    frame_count,
    header_of,
    pixel_bytes,
    unused_low_bits,
)
from sweep.ingest.formats.dicom.part10 import (
    FLOATS,
    UNDEFINED,
    Pixels,
    is_dicom,
    read_to_pixels,
    read_whole,
)
from sweep.ingest.formats.pixels import one_channel

SUFFIXES = (".dcm", ".ima", ".dicom")
EXTRA = "install the decoders: `pip install 'mrisweep[dicom]'`"
PADDED = "Volumes with bytes after the pixels that the header promises, taken as padding"
AGAIN = "export it again or remove its rows"
STANDARD = "1.2.840.10008."  # what the UIDs of DICOM itself begin with, all of which are known
EXACT = 2**24  # integers up to here are exact as 32-bit floats


@dataclass(frozen=True)
class RuledOut:
    """A DICOM file that a choice rules out.

    Attributes:
        facts: What it is instead, of that which the choice names.

    """

    facts: Mapping[str, str]


def read_header(path: Path, choice: Choice, names: Sequence[str]) -> Header | RuledOut | None:
    """Read a file up to its pixels.

    Args:
        path: The file.
        choice: A file that it rules out is not looked at further, whatever its pixels are.
        names: What to know of each frame, see ``facts_of``; the keywords of the choice with it.

    Returns:
        None: It is not DICOM, or DICOM without pixels, such as a DICOMDIR.

    Raises:
        UnusableError: An image that is damaged or truncated, or whose pixels are of a kind that
            is not supported or has no decoder installed; a file that is named as DICOM and is not.

    """
    with _reading(path):
        if not is_dicom(path):
            if path.suffix.lower() in SUFFIXES:
                raise UnusableError(
                    "the file is named as DICOM and is none: it does not begin as DICOM does",
                    path,
                    "export it again, or remove it",
                )
            return None
        dataset, pixels = read_to_pixels(path)
        if pixels is None:
            if _should_show(dataset):
                raise UnusableError(
                    "the DICOM image ends before its pixels", path, "export it again"
                )
            return None
        facts = facts_of(dataset, (), choice.keywords)
        if "PerFrameFunctionalGroupsSequence" not in dataset and not choice.takes(facts):
            return RuledOut(facts)
        header = header_of(dataset, names, path, floats=pixels.tag in FLOATS)
        _check_decoder(dataset, path)
        if _padding(dataset, pixels, path) > 0:
            return replace(header, remarks=(*header.remarks, PADDED))
        return header


def read_frames(
    path: Path, frames: Sequence[Frame], shape: tuple[int, int]
) -> Iterator[NDArray[np.float32]]:
    """Decode frames of one file, one at a time.

    Colour passes when it is grey. MONOCHROME1, where the least value is white, is turned over
    within the range of the stored bits (v becomes least + greatest - v), the same for all slices
    of a series; then slope and intercept make units of it. Bits that are no part of the value,
    such as overlays, are left out.

    Args:
        path: The file.
        frames: Which of its frames, or of the pictures of its mosaic.
        shape: Rows and columns of each.

    Yields:
        (H, W) in the file's units.

    Raises:
        UnusableError: Damaged pixels, colour, or units beyond 32-bit float.

    """
    with _reading(path):
        dataset = read_whole(path)
        remedy = _remedy(dataset)
    values, decoded = None, None
    for frame in frames:
        with _reading(path, remedy):
            if values is None or decoded != frame.index:
                values, decoded = _grey(dataset, frame.index, path), frame.index
            top, left = frame.corner
            tile = values[top : top + shape[0], left : left + shape[1]]
            image = _in_units(tile, frame, path)
        yield image


def is_other_dicom(path: Path) -> bool:
    """Whether a file is DICOM and says what it is instead of an image, such as a report.

    Damage can make an image look as if it had no pixels; it does not make a report of it.

    Raises:
        UnusableError: It is damaged.

    """
    with _reading(path):
        if not is_dicom(path):
            return False
        dataset, _ = read_to_pixels(path)
        uid = _class_of(dataset)
        known = uid.name != str(uid) or not uid.startswith(STANDARD)
        return bool(uid) and uid.is_valid and known and not _should_show(dataset)


@contextmanager
def _reading(path: Path, remedy: str = AGAIN) -> Iterator[None]:
    """Turn pydicom's errors into ours, and keep its warnings of sloppy files to itself."""
    wrong = "the image is not a readable DICOM file"
    with broken_is_unusable(wrong, path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _should_show(dataset: FileDataset) -> bool:
    """Whether the file calls itself an image."""
    return "Image Storage" in _class_of(dataset).name or "Rows" in dataset


def _class_of(dataset: FileDataset) -> UID:
    """What kind of thing the file says that it holds; may be empty, or no UID."""
    said = dataset.file_meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID")
    return UID(str(said or ""))


def _check_decoder(dataset: FileDataset, path: Path) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnusableError(
            "the pixels are compressed in a way that nothing here can decode",
            f"{path} with {syntax.name}",
            "export it without compression",
        ) from None
    if not _can_decode(decoder, dataset):
        raise UnusableError(
            "no decoder for the compressed pixels is installed",
            f"{path} with {decoder.UID.name}, {dataset.BitsStored} bits",
            EXTRA,
        )


def _remedy(dataset: FileDataset) -> str:
    """What to do where the decoders that are there cannot read the pixels."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated or syntax == RLELossless:
        return AGAIN
    missing = any("pylibjpeg" in one for one in get_decoder(syntax).missing_dependencies)
    return f"{EXTRA}, {AGAIN}" if missing else AGAIN


def _can_decode(decoder: Decoder, dataset: FileDataset) -> bool:
    if dataset.file_meta.TransferSyntaxUID == JPEGExtended12Bit and dataset.BitsStored > 8:
        return any(name != "pillow" for name in decoder.available_plugins)  # it has 8 bits only
    return decoder.is_available


def _padding(dataset: FileDataset, pixels: Pixels, path: Path) -> int:
    """Bytes after the pixels, which PS3.5 section 8.1.1 allows; room for a frame is none.

    Raises:
        UnusableError: The header promises pixels of another length than they, or the file, have.

    """
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated or pixels.length == UNDEFINED:
        return 0
    needed = pixel_bytes(dataset)
    padding = pixels.length - needed
    if not (0 <= padding < max(needed // frame_count(dataset), 2) and pixels.are_whole(dataset)):
        raise UnusableError(
            "the pixels do not have the length that the header promises",
            f"{path} with {needed} bytes promised, {pixels.length} stated and "
            f"{min(pixels.rest, pixels.length)} in the file",
            "export it again",
        )
    return padding - needed % 2


def _grey(dataset: FileDataset, index: int, path: Path) -> NDArray[np.float64]:
    """The stored values of a frame, black the least."""
    kind = dataset.PhotometricInterpretation
    if "PixelData" not in dataset:  # FloatPixelData, DoubleFloatPixelData
        dataset.BitsStored = dataset.BitsAllocated  # pydicom 3.0.0 asks for what maps leave out
        return np.asarray(pixel_array(dataset, index=index), np.float64)
    values = _stored(dataset, index)
    white = 2**dataset.BitsStored - 1
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        white = np.iinfo(values.dtype).max
    if values.ndim == 3:
        return np.asarray(one_channel(values, str(path), white), np.float64)
    whole = values.astype(np.float64)
    if np.abs(whole).max() > EXACT:
        raise UnusableError(
            "stored values are beyond those that 32-bit floats hold exactly",
            f"{path} with values up to {np.abs(whole).max():.0f}",
            "export it with 16 bits",
        )
    if kind == "MONOCHROME1":
        return np.asarray((-1 if dataset.PixelRepresentation else white) - whole)
    return np.asarray(whole)


def _stored(dataset: FileDataset, index: int) -> NDArray[np.integer]:
    low = unused_low_bits(dataset)
    if not low or dataset.PhotometricInterpretation not in GREY:
        return pixel_array(dataset, index=index)
    values = pixel_array(dataset, index=index, correct_unused_bits=False)
    above = dataset.BitsAllocated - low - dataset.BitsStored
    return np.asarray((values << above) >> (above + low))


def _in_units(values: NDArray[np.float64], frame: Frame, path: Path) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
        image = (values * frame.slope + frame.intercept).astype(np.float32)
    if not np.isfinite(image).all():
        raise UnusableError(
            "pixels are not finite as 32-bit floats, after slope and intercept",
            f"{path} with slope {frame.slope:g} and intercept {frame.intercept:g}",
            "correct the header, or the pixels",
        )
    return image
