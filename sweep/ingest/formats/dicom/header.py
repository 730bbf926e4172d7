"""What a DICOM header says of a file and its pixels; plain values from here on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import SecondaryCaptureImageStorage

from sweep.core.errors import UnusableError
from sweep.core.text import one_line
from sweep.ingest.formats.dicom.frames import Frame, frames_of, tiles_of
from sweep.ingest.formats.dicom.mosaic import mosaic_of

SHAPE = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated")
INTEGERS = ("BitsStored", "PixelRepresentation")
GREY, COLOUR = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), ("RGB", "YBR_FULL", "YBR_FULL_422")
SAMPLES = {**dict.fromkeys(GREY, 1), **dict.fromkeys((*COLOUR, "YBR_ICT", "YBR_RCT"), 3)}
BITS = (8, 16, 32)
FLOAT_BITS = (32, 64)
MOST_FRAMES = 100_000  # of one file; a header that says more is damaged
PHILIPS_SLOPE = (0x2005, 0x100E)


@dataclass(frozen=True, eq=False)
class Header:
    """One file.

    Attributes:
        path: The file.
        series: SeriesInstanceUID.
        patient: PatientID.
        sequence: SeriesDescription, else ProtocolName.
        instance: InstanceNumber.
        shape: Rows, columns of each picture.
        frames: The frames in the file's order; of a mosaic its pictures.
        remarks: What the user should know of the file.

    """

    path: Path
    series: str
    patient: str
    sequence: str
    instance: int | None
    shape: tuple[int, int]
    frames: tuple[Frame, ...]
    remarks: tuple[str, ...] = ()


def header_of(dataset: Any, names: Sequence[str], path: Path, *, floats: bool = False) -> Header:
    """Read the header of an image.

    Args:
        dataset: Pydicom's, up to the pixels.
        names: What to know of each frame, see ``facts_of``.
        path: Its file.
        floats: Its pixels are floating point numbers, as those of parametric maps.

    Raises:
        UnusableError: An attribute that pixels need is missing; pixels of an unknown kind; a
            table instead of slope and intercept; frames without description; a mosaic whose tiles
            lie nobody knows where.
        Exception: As pydicom raises on a damaged value.

    """
    needed = SHAPE if floats else (*SHAPE, *INTEGERS)
    missing = [name for name in needed if dataset.get(name) in (None, "")]
    if missing:
        raise UnusableError(
            "the DICOM image lacks attributes that its pixels need",
            f"{path} without {', '.join(missing)}",
            "export it again",
        )
    _check_pixels(dataset, path, floats)
    instance = dataset.get("InstanceNumber")
    mosaic = mosaic_of(dataset, path)
    frames = frames_of(dataset, frame_count(dataset), names, path)
    if mosaic is not None:
        frames = tuple(tile for frame in frames for tile in tiles_of(frame, mosaic))
    return Header(
        path=path,
        series=_text(dataset, "SeriesInstanceUID"),
        patient=_text(dataset, "PatientID"),
        sequence=_text(dataset, "SeriesDescription") or _text(dataset, "ProtocolName"),
        instance=None if instance in (None, "") else int(instance),
        shape=mosaic.shape if mosaic else (int(dataset.Rows), int(dataset.Columns)),
        frames=frames,
        remarks=tuple(_remarks(dataset, tiled=mosaic is not None)),
    )


def pixel_bytes(dataset: Any) -> int:
    """Bytes of all pixels without compression, DICOM PS3.5 section 8.1."""
    pixels = frame_count(dataset) * dataset.Rows * dataset.Columns
    samples = 2 if dataset.PhotometricInterpretation == "YBR_FULL_422" else dataset.SamplesPerPixel
    return int(pixels * samples * dataset.BitsAllocated // 8)


def frame_count(dataset: Any) -> int:
    """Number of frames; a file that does not say has one."""
    return int(dataset.get("NumberOfFrames") or 1)


def _remarks(dataset: Any, *, tiled: bool) -> Iterator[str]:
    modality = _text(dataset, "Modality")
    if modality and modality != "MR":
        yield f"Volumes with images that are not MR (Modality {modality})"
    if dataset.get("SOPClassUID") == SecondaryCaptureImageStorage:
        yield "Volumes with secondary captures, such as screenshots"
    if _text(dataset, "BurnedInAnnotation").upper() == "YES":
        yield "Volumes with writing in the picture (BurnedInAnnotation), which may name the patient"
    if tiled:
        yield "Volumes unpacked from Siemens mosaics"
    if dataset.get("RealWorldValueMappingSequence") or any(
        group.get("RealWorldValueMappingSequence") for group in _groups(dataset)
    ):
        yield "Volumes with a RealWorldValueMapping, which is not applied: values are by rescale"
    if PHILIPS_SLOPE in dataset:
        yield (
            "Volumes with Philips' private scale slope (2005,100E), which is not applied: values "
            "are by RescaleSlope and RescaleIntercept"
        )


def _groups(dataset: Any) -> list[Any]:
    """The functional groups of all frames, and of the first."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    each = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    return [*shared[:1], *each[:1]]


def _check_pixels(dataset: Any, path: Path, floats: bool) -> None:
    kind, samples = dataset.PhotometricInterpretation, dataset.SamplesPerPixel
    known = kind == "MONOCHROME2" if floats else SAMPLES.get(kind) == samples
    if not known or dataset.BitsAllocated not in (FLOAT_BITS if floats else BITS):
        raise UnusableError(
            "the DICOM pixels are not grey (or colour that is grey) with 8, 16 or 32 bits, nor "
            "floating point numbers",
            f"{path} with {kind}, {samples} samples of {dataset.BitsAllocated} bits",
            "export it as grey with 8 or 16 bits",
        )
    if min(dataset.Rows, dataset.Columns, frame_count(dataset)) < 1:
        raise UnusableError(
            "the image has no pixels",
            f"{path} with {dataset.Rows} x {dataset.Columns} pixels in {frame_count(dataset)} "
            "frames",
            "export it again, or remove its rows",
        )
    if frame_count(dataset) > MOST_FRAMES:
        raise UnusableError(
            f"the image has more than {MOST_FRAMES} frames",
            f"{path} with {frame_count(dataset)}",
            "export it again, or split it",
        )
    if dataset.get("ModalityLUTSequence"):
        raise UnusableError(
            "stored values become units by a table, not by slope and intercept",
            f"{path} with a ModalityLUTSequence",
            "export it without the table",
        )
    if not floats and not 0 < dataset.BitsStored <= _high_bit(dataset) + 1 <= dataset.BitsAllocated:
        raise UnusableError(
            "the header contradicts itself on the bits of a pixel",
            f"{path} with BitsAllocated {dataset.BitsAllocated}, BitsStored {dataset.BitsStored}, "
            f"HighBit {_high_bit(dataset)}",
            "export it again",
        )


def unused_low_bits(dataset: Any) -> int:
    """How many bits below those of the value a stored pixel has, as some old files do."""
    return int(_high_bit(dataset) + 1 - dataset.BitsStored)


def _high_bit(dataset: Any) -> int:
    found = dataset.get("HighBit")
    return int(dataset.BitsStored - 1 if found in (None, "") else found)


def _text(dataset: Any, name: str) -> str:
    return one_line(dataset.get(name) or "")
