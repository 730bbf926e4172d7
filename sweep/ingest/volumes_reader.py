"""Reading the planes of a volume, whatever its format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.ingest.formats.pixels import fit_square
from sweep.ingest.formats.planes import Axis, Outline, Section
from sweep.ingest.plan import Item, Plane


@dataclass(frozen=True)
class Format:
    """How the volumes of a format are read.

    Attributes:
        kind: Its name.
        outline: The outline of a volume, seen along an axis, from its header.
        sections: Its numbered planes along an axis, one at a time.
        names_patients: Whether its files say whose they are.

    """

    kind: str
    outline: Callable[[Path, Axis], Outline]
    sections: Callable[[Path, Axis, Sequence[int]], Iterator[Section]]
    names_patients: bool


@dataclass(frozen=True)
class VolumeReader:
    """Reads the planes of one volume, and brings them to a size.

    Attributes:
        format: The format of the files.
        folder: The folder that the items' names start from.
        axis: The axis that the planes lie along.
        size: See ``fit_square``; None = as they are.

    """

    format: Format
    folder: Path
    axis: Axis
    size: int | None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the planes of an item.

        Raises:
            UnusableError: A damaged volume, or one that shows nothing.

        """
        numbers = [one.number or 0 for one in item.slices]
        shows = False
        for one in self.format.sections(self.folder / item.name, self.axis, numbers):
            shows = shows or bool(one.image.min() < one.image.max())
            yield Plane(self._fitted(one))
        if not shows:
            raise UnusableError(
                "each slice taken from the volume has one value only",
                self.folder / item.name,
                "remove its rows, or repair the file",
            )

    def _fitted(self, one: Section) -> NDArray[np.float32]:
        if self.size is None:
            return one.image
        return fit_square(one.image, one.geometry.pixel_mm, self.size)
