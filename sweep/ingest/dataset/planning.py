"""From a dataset of the user's to the plan of a store: one item, one slice."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweep.core.errors import UnusableError, UserError, told
from sweep.ingest.dataset.contract import KIND, Dataset, name_of
from sweep.ingest.dataset.items import (
    Described,
    ask,
    describe,
    image_of,
    label_names,
    shape_of,
    text_of,
)
from sweep.ingest.formats.manifest import task_of
from sweep.ingest.formats.pixels import check_size, fit_square
from sweep.ingest.plan import Item, Plan, Plane, Progress, Skipped, common_shape
from sweep.store.geometry import Matrix, PixelMm
from sweep.store.slices import Task
from sweep.store.splits import SplitAssigner, assign_splits

READ_TWICE = 3  # items, to see whether an item is the same each time


class Origin(NamedTuple):
    """The number of an item in its dataset, and what its image was as the ingest was planned."""

    number: int
    shape: Matrix
    pixel_mm: PixelMm | None


@dataclass(frozen=True)
class DatasetReader:
    """Reads one item of a dataset.

    Attributes:
        dataset: The dataset.
        origins: By the name of the item.
        size: See ``fit_square``; None = as they are.

    """

    dataset: Dataset
    origins: Mapping[str, Origin]
    size: int | None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the item's one plane.

        Raises:
            UnusableError: See ``ask``, ``image_of``; another item than was planned.

        """
        index, shape, pixel_mm = self.origins[item.name]
        says = ask(self.dataset.__getitem__, index)
        image = image_of(says, index)
        key = text_of(says, "key", f"item {index}") or item.name
        if image.shape != shape or key != item.name:
            raise UnusableError(
                "the dataset gives another item for a number than it gave or described before",
                f"{key!r} with {image.shape} for item {index}, which was {item.name!r} with "
                f"{shape}",
                "give the same item each time, and describe it as it is",
            )
        yield Plane(image if self.size is None else fit_square(image, pixel_mm, self.size))


def plan_dataset(
    dataset: Dataset,
    source: Mapping[str, object],
    *,
    size: int | None = None,
    task: Task | None = None,
    assigner: SplitAssigner,
    progress: Progress | None = None,
) -> Plan:
    """Plan a store of the items of a dataset, in their order.

    A dataset with a method ``describe(i)``, which gives all but the image, and ``shape`` instead,
    is asked for that; of any other each item is read now, and once more as it is stored.

    Args:
        dataset: See ``sweep.ingest.dataset.items`` for its items.
        source: What the store is to say of it, see ``source_of``.
        size: See ``fit_square``; None = all images have one shape, and keep it.
        task: None = 'multiclass' if every item has exactly one label and there are several, else
            'multilabel'.
        assigner: The assignment of patients to splits, where the items name none.
        progress: Called with the number of items described and the number of all.

    Raises:
        UserError: No item, or none that can be used; one without a patient; no label; images of
            several sizes; a split for some items only; an item that changes.

    """
    check_size(size)
    names = label_names(dataset)
    count = _length(dataset)
    found, skipped = _described(dataset, range(count), names, size, progress)
    _refuse_changing(dataset, found)
    slices = assign_splits([one.slice for one in found], assigner)
    labels = names or tuple(sorted({label for one in slices for label in one.labels}))
    if not any(one.labels for one in slices):
        raise UserError(
            "no item of the dataset shows a label",
            f"{len(slices)} items of {name_of(dataset)} with empty labels",
            "give 'labels' with those that show one",
        )
    given = bool(found[0].slice.split)
    return Plan(
        items=tuple(Item(one.key, (), (one,)) for one in slices),
        reader=DatasetReader(
            dataset,
            {one.slice.key: Origin(one.index, one.shape, one.pixel_mm) for one in found},
            size,
        ),
        shape=(size, size)
        if size
        else common_shape((one.slice.origin, one.shape) for one in found),
        label_names=labels,
        task=task or task_of(slices, labels),
        source={**source, "size": size, "splits": KIND if given else assigner.to_plain()},
        skipped=skipped,
        notes=tuple(_notes(dataset, found)),
        unit="item",
        declared=bool(names),
    )


def _length(dataset: Dataset) -> int:
    try:
        count = len(dataset)
    except Exception as error:  # the code of others can raise anything
        raise UserError(
            "the dataset's own code fails as it is asked for its length",
            f"{name_of(dataset)} ({told(error)})",
            "mend it there",
        ) from error
    if not count:
        raise UserError("the dataset has no item", name_of(dataset), "correct its options")
    return count


def _describing(dataset: Dataset) -> Callable[[int], object] | None:
    """The method that gives all but the image, where the dataset has it."""
    method = getattr(dataset, "describe", None)
    return method if callable(method) else None


def _described(
    dataset: Dataset,
    indices: Sequence[int],
    names: Sequence[str],
    size: int | None,
    progress: Progress | None,
) -> tuple[list[Described], tuple[Skipped, ...]]:
    """The items in their order, and those that cannot be used."""
    method = _describing(dataset)
    found: list[Described] = []
    skipped: list[Skipped] = []
    for index in indices:
        try:
            says = ask(method or dataset.__getitem__, index)
            shape = shape_of(says, index) if method else _size(says, index)
            found.append(describe(says, index, shape, names, size))
        except UnusableError as error:
            skipped.append(Skipped(f"item {index}", str(error)))
        if progress is not None:
            progress(index + 1, len(indices))
    if not found:
        raise UserError(
            "no item of the dataset can be used",
            f"{len(skipped)} items, the first: {skipped[0].reason}",
            "mend the dataset",
        )
    return found, tuple(skipped)


def _size(says: Mapping[object, object], index: int) -> Matrix:
    height, width = image_of(says, index).shape
    return height, width


def _refuse_changing(dataset: Dataset, found: Sequence[Described]) -> None:
    """A store keeps one image of each item: chance in it would be the same for every trial."""
    for one in found[:READ_TWICE]:
        try:
            first, second = (
                image_of(ask(dataset.__getitem__, one.index), one.index) for _ in range(2)
            )
        except UnusableError:
            continue  # it is left out as it is read
        if not np.array_equal(first, second):
            raise UserError(
                "the dataset gives another image each time it is asked for the same item",
                one.slice.origin,
                "make it without random transforms: a sweep augments by itself (train.augment)",
            )


def _notes(dataset: Dataset, found: Sequence[Described]) -> Iterator[str]:
    if _describing(dataset) is None:
        yield (
            "Every item was read once more for what it says of itself; a method describe(i) of the "
            "dataset, which gives all but the image, saves that."
        )
    if ignored := sorted(frozenset[str]().union(*(one.ignored for one in found))):
        yield f"Values of items that are no text, and so no column: {', '.join(ignored)}."
