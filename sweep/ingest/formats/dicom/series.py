"""A DICOM series: the slices of one file, or of the files in a folder, in their order."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.file import read_header
from sweep.ingest.formats.dicom.frames import Frame
from sweep.ingest.formats.dicom.header import Header
from sweep.store.geometry import Direction

SHOWN = 4
PARALLEL = 1e-3  # difference of a direction's parts up to which two directions count as one
PLACE = 3  # decimals of a mm that count when slices are sorted


@dataclass(frozen=True)
class Placed:
    """A frame and the file that it is in."""

    header: Header
    frame: Frame


@dataclass(frozen=True)
class Series:
    """The slices of a volume.

    Attributes:
        headers: The headers of its files.
        slices: Along the normal (direction of a row x direction of a column) if every position is
            known, else by instance number, else by the files' names; frames of a file that say
            nothing stay in their order.
        ignored: Files in the folder that are not DICOM or have no pixels.

    """

    headers: tuple[Header, ...]
    slices: tuple[Placed, ...]
    ignored: int


def read_series(path: Path) -> Series:
    """Read the headers of a file, or of all files that lie in a folder.

    Raises:
        UnusableError: No image; an unusable one; several series, patients, matrix sizes or image
            orientations.

    """
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    found = [read_header(file) for file in files]
    headers = tuple(header for header in found if header is not None)
    if not headers:
        raise UnusableError(
            "there is no DICOM image with pixels",
            path,
            "name the file or folder of one series",
        )
    _check_one(headers, path)
    slices = [Placed(header, frame) for header in headers for frame in header.frames]
    return Series(headers, tuple(_sorted(slices)), len(found) - len(headers))


def _check_one(headers: Sequence[Header], path: Path) -> None:
    frames = (frame for header in headers for frame in header.frames)
    parts = {
        "series": {header.series for header in headers},
        "patients": {header.patient for header in headers},
        "matrix sizes": {f"{header.shape[0]} x {header.shape[1]}" for header in headers},
        "image orientations": _orientations(frame.orientation for frame in frames),
    }
    for what, names in parts.items():
        if len(names) > 1:
            shown = ", ".join(repr(name) for name in sorted(names)[:SHOWN])
            more = ", ..." if len(names) > SHOWN else ""
            raise UnusableError(
                "the volume is not one series of one patient, size and orientation",
                f"{path} with {len(names)} {what}: {shown}{more}",
                "put each in a folder of its own",
            )


def _orientations(orientations: Iterable[tuple[Direction, Direction] | None]) -> set[str]:
    known: list[tuple[Direction, Direction]] = []
    for one in orientations:
        if one and not any(np.allclose(one, other, rtol=0, atol=PARALLEL) for other in known):
            known.append(one)
    return {"\\".join(f"{part:.3f}" for direction in one for part in direction) for one in known}


def _sorted(slices: list[Placed]) -> list[Placed]:
    if all(one.frame.place_mm is not None for one in slices):
        # Rounded, so that several images of one place keep their own order.
        return sorted(
            slices, key=lambda one: (round(one.frame.place_mm or 0, PLACE), *_number(one))
        )
    if all(one.header.instance is not None for one in slices):
        return sorted(slices, key=_number)
    return sorted(slices, key=lambda one: (_natural(one.header.path.name), one.frame.index))


def _number(one: Placed) -> tuple[int, int]:
    return one.header.instance or 0, one.frame.index


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders 'IM2' before 'IM10'."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"(\D*)(\d*)", name)]
