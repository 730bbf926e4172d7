"""What a DICOM header says of a file and its pixels; plain values from here on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.frames import Frame, frames_of

NEEDED = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation"),
)
GREY, COLOUR = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), ("RGB", "YBR_FULL", "YBR_FULL_422")
SAMPLES = {**dict.fromkeys(GREY, 1), **dict.fromkeys((*COLOUR, "YBR_ICT", "YBR_RCT"), 3)}
BITS = (8, 16)
MOST_FRAMES = 100_000  # of one file; a header that says more is damaged


@dataclass(frozen=True)
class Header:
    """One file.

    Attributes:
        path: The file.
        series: SeriesInstanceUID.
        patient: PatientID.
        sequence: SeriesDescription, else ProtocolName.
        instance: InstanceNumber.
        shape: Rows, columns.
        frames: The frames in the file's order.

    """

    path: Path
    series: str
    patient: str
    sequence: str
    instance: int | None
    shape: tuple[int, int]
    frames: tuple[Frame, ...]


def header_of(dataset: Any, path: Path) -> Header:
    """Read the header of an image.

    Args:
        dataset: Pydicom's, up to the pixels.
        path: Its file.

    Raises:
        UnusableError: An attribute that pixels need is missing; pixels of an unknown kind; a
            table instead of slope and intercept; frames without description.
        Exception: As pydicom raises on a damaged value.

    """
    missing = [name for name in NEEDED if dataset.get(name) in (None, "")]
    if missing:
        raise UnusableError(
            "the DICOM image lacks attributes that its pixels need",
            f"{path} without {', '.join(missing)}",
            "export it again",
        )
    _check_pixels(dataset, path)
    instance = dataset.get("InstanceNumber")
    return Header(
        path=path,
        series=_text(dataset, "SeriesInstanceUID"),
        patient=_text(dataset, "PatientID"),
        sequence=_text(dataset, "SeriesDescription") or _text(dataset, "ProtocolName"),
        instance=None if instance in (None, "") else int(instance),
        shape=(int(dataset.Rows), int(dataset.Columns)),
        frames=frames_of(dataset, frame_count(dataset), path),
    )


def pixel_bytes(dataset: Any) -> int:
    """Bytes of all pixels without compression, DICOM PS3.5 section 8.1."""
    pixels = frame_count(dataset) * dataset.Rows * dataset.Columns
    samples = 2 if dataset.PhotometricInterpretation == "YBR_FULL_422" else dataset.SamplesPerPixel
    return int(pixels * samples * dataset.BitsAllocated // 8)


def frame_count(dataset: Any) -> int:
    """Number of frames; a file that does not say has one."""
    return int(dataset.get("NumberOfFrames") or 1)


def _check_pixels(dataset: Any, path: Path) -> None:
    kind, samples = dataset.PhotometricInterpretation, dataset.SamplesPerPixel
    if SAMPLES.get(kind) != samples or dataset.BitsAllocated not in BITS:
        raise UnusableError(
            "the DICOM pixels are not grey (or colour that is grey) with 8 or 16 bits",
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


def _text(dataset: Any, name: str) -> str:
    return str(dataset.get(name) or "").strip()
