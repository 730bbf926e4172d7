"""What a worker does with an item."""

import threading

import numpy as np
import pytest

from sweep.ingest.plan import Item, Plane, Skipped
from sweep.ingest.tasks import ItemTask, WriteItems
from sweep.store.layout import Form, create
from sweep.store.writer import StoreWriter
from tests.support.pictures import one_finding

SHAPE = (8, 8)


def planes(count):
    return np.random.default_rng(0).random((count, *SHAPE), np.float32)


class WatchedReader:
    """Gives the planes of an item, and notes the threads that are there meanwhile."""

    def __init__(self, wrong=None):
        self.wrong = wrong  # the item and the place of a slice that is not finite
        self.before = set(threading.enumerate())
        self.others = set()

    def __call__(self, item):
        for place, plane in enumerate(planes(len(item.slices))):
            self.others |= set(threading.enumerate()) - self.before
            yield Plane(plane * np.nan if (item.name, place) == self.wrong else plane)


def items_of(counts):
    """An item of each count of slices, and the number of its first one."""
    first = 0
    for number, count in enumerate(counts):
        slices = tuple(
            one_finding(f"k{first + place}", f"p{number}", "train") for place in range(count)
        )
        yield ItemTask(Item(f"i{number}", (), slices), first, None)
        first += count


def done(path, counts, reader):
    tasks = list(items_of(counts))
    slices = [one for task in tasks for one in task.item.slices]
    create(path, slices, Form(SHAPE, ("lesion",), "multilabel", {}))
    with WriteItems(path, reader).open() as do:
        return [do(task) for task in tasks]


@pytest.mark.parametrize(("counts", "threads"), [([1] * 9, 0), ([5, 1, 7, 3], 1)])
def test_volumes_share_one_other_thread_and_pictures_need_none(counts, threads, tmp_path):
    reader = WatchedReader()
    written = done(tmp_path / "s.h5", counts, reader)
    assert [len(one.entry.digests) for one in written] == counts
    assert len(reader.others) == threads


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_digests_are_in_the_order_of_the_slices(count, tmp_path):
    (written,) = done(tmp_path / "s.h5", [count], WatchedReader())
    with StoreWriter.open(tmp_path / "s.h5") as draft:
        assert written.entry.digests == tuple(map(draft.measure, range(count)))


@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_slice_that_cannot_be_used_costs_its_item_alone(place, tmp_path):
    first, second = done(tmp_path / "s.h5", [6, 6], WatchedReader(("i0", place)))
    assert isinstance(first, Skipped)
    with StoreWriter.open(tmp_path / "s.h5") as draft:
        assert second.entry.digests == tuple(map(draft.measure, range(6, 12)))
