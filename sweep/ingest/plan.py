"""The seam between formats and the store: what is to be read, in which order, and how."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError
from sweep.core.text import SHOWN, number_of, size_text
from sweep.store.geometry import Frame
from sweep.store.slices import Slice, Task

Progress = Callable[[int, int], None]  # called with what is done, and with all


class Plane(NamedTuple):
    """One slice as read.

    Attributes:
        image: (H, W) float32 in the source's intensity units, finite.
        kspace: (coil, RO, PE) complex64, DC at N // 2, in the sizes of the slice's ``Sampling``;
            None where the plan keeps no k-space.

    """

    image: NDArray[np.float32]
    kspace: NDArray[np.complex64] | None = None


class Part(NamedTuple):
    """One volume of a file that holds several: the file's name, and the volume's number from 0."""

    file: str
    number: int


@dataclass(frozen=True)
class Item:
    """What is read as a whole or skipped as a whole: a picture, a volume, a series.

    Attributes:
        name: The name for messages; unique in its plan.
        paths: The files; that one changed between two runs is seen by size and time.
        slices: The slices in the order in which they are read.
        part: Which part of its file the item is; None = all of it.

    """

    name: str
    paths: tuple[Path, ...]
    slices: tuple[Slice, ...]
    part: Part | None = None


class Reader(Protocol):
    """Reads an item, in any process: an instance is pickled and sent to the workers."""

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give one plane for each slice of the item, in order, holding one at a time.

        Raises:
            UnusableError: The item cannot be used.

        """
        ...


class Skipped(NamedTuple):
    """An item that is left out, and why."""

    name: str
    reason: str


def reasons_of(skipped: Sequence[Skipped], unit: str) -> str:
    """How many items are left out, and why each of the first ten is."""
    shown = "; ".join(f"{one.name} ({one.reason})" for one in skipped[:SHOWN])
    more = f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
    return f"{number_of(len(skipped), unit)}: {shown}{more}"


@contextmanager
def left_out_before(skipped: Sequence[Skipped], unit: str) -> Iterator[None]:
    """Where the items that are left break a law, say which were left out before, and why.

    Args:
        skipped: The items already found unusable.
        unit: What an item is called in messages.

    Raises:
        UserError: What was raised, with the reasons beside what was received.

    """
    try:
        yield
    except UserError as error:
        if not skipped:
            raise
        wrong, received, remedy = error.args
        raise UserError(
            wrong,
            f"{received}, without what cannot be used: {reasons_of(skipped, unit)}",
            f"repair what cannot be used, or {remedy}",
        ) from error


@dataclass(frozen=True)
class Plan:
    """An ingest before the first pixel is read.

    Attributes:
        items: The items in the order of the store.
        reader: The reader of the items.
        shape: (H, W) of every image.
        label_names: The label names in the order of the columns of the labels.
        task: 'multiclass' or 'multilabel'.
        source: Where the slices come from and how they are prepared; anything JSON can say.
        kspace: None: no k-space is kept.
        skipped: Items already found unusable.
        notes: What the user should know of the choices made, one sentence each.
        unit: What an item is called in messages.
        declared: The labels are those of a rule or of a dataset's own list, and stay in the store
            where no slice shows them; otherwise they are those that its slices show.

    """

    items: tuple[Item, ...]
    reader: Reader
    shape: tuple[int, int]
    label_names: tuple[str, ...]
    task: Task
    source: Mapping[str, object]
    kspace: Frame | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    unit: Literal["file", "item"] = "file"
    declared: bool = False

    @property
    def slices(self) -> list[Slice]:
        """All slices, in the order of the store."""
        return [one for item in self.items for one in item.slices]


def common_shape(
    shapes: Iterable[tuple[str, tuple[int, int]]],
    remedy: str = "pass --size to bring all to one size",
) -> tuple[int, int]:
    """The one (H, W) of all images.

    Args:
        shapes: The name and the (H, W) of each source of images, one at least.
        remedy: What to do where they differ.

    Raises:
        UserError: Several sizes.

    """
    names: dict[tuple[int, int], list[str]] = {}
    for name, shape in shapes:
        names.setdefault(shape, []).append(name)
    if len(names) > 1:
        found = "; ".join(
            f"{size_text(shape)} in {len(of_shape)} ({of_shape[0]}, for one)"
            for shape, of_shape in names.items()
        )
        raise UserError(
            "the images have several sizes, and those of a store have one", found, remedy
        )
    return next(iter(names))
