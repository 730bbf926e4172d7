"""DICOM segmentations (SEG): frames of one bit a pixel, each of a segment, somewhere in a volume.

Frames of segments overlap where segments do, and there is none where a segment is not: a plane of
the image is found by where it lies, never by its number (PS3.3, section C.8.20).
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array
from pydicom.uid import SegmentationStorage

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.ingest.formats.dicom.frames import frames_of
from sweep.ingest.formats.dicom.header import frame_count
from sweep.ingest.formats.dicom.part10 import read_whole
from sweep.ingest.formats.planes import Grid, affine_of

BINARY = "BINARY"
REMEDY = "save it as binary, or convert it to NIfTI"


@dataclass(frozen=True)
class Segment:
    """A frame of a segmentation.

    Attributes:
        number: Of its segment.
        pixels: (H, W), True where the segment is.
        grid: Where they lie, as (1, H, W).

    """

    number: int
    pixels: NDArray[np.bool_]
    grid: Grid


def read_segments(path: Path) -> Iterator[Segment]:
    """Read the frames of a segmentation.

    Raises:
        UnusableError: Another DICOM file; a segmentation of fractions or of a label map; a frame
            that does not say its segment or where it lies; a damaged file.

    """
    wrong = "the mask is not a readable DICOM segmentation"
    with broken_is_unusable(wrong, path, REMEDY), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset: Any = read_whole(path)
        kind = str(dataset.get("SegmentationType", ""))
        if dataset.get("SOPClassUID") != SegmentationStorage or kind != BINARY:
            raise UnusableError(
                "the mask is DICOM, and no binary segmentation",
                f"{path} ({dataset.get('Modality', 'no modality')} {kind})".replace(" )", ")"),
                REMEDY,
            )
        count = frame_count(dataset)
        pixels = np.reshape(pixel_array(dataset), (count, dataset.Rows, dataset.Columns)) != 0
        for frame in frames_of(dataset, count, (), path):
            number = _segment(dataset, frame.index)
            if number is None or not (frame.position and frame.orientation and frame.pixel_mm):
                raise UnusableError(
                    "a frame of the segmentation does not say its segment or where it lies",
                    f"{path}, frame {frame.index + 1} of {count}",
                    REMEDY,
                )
            along, down = map(np.array, frame.orientation)
            step = np.cross(along, down)
            affine = affine_of(step, frame.orientation, frame.pixel_mm, frame.position)
            grid = Grid((1, dataset.Rows, dataset.Columns), affine)
            yield Segment(number, pixels[frame.index], grid)


def _segment(dataset: Any, index: int) -> int | None:
    """The number of the segment that a frame is of."""
    groups = [
        *list(dataset.get("PerFrameFunctionalGroupsSequence") or ())[index : index + 1],
        *list(dataset.get("SharedFunctionalGroupsSequence") or ())[:1],
    ]
    for group in groups:
        for item in group.get("SegmentIdentificationSequence") or ():
            return int(item.ReferencedSegmentNumber)
    return None
