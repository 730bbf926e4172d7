"""What a worker does: read an item, and put its slices into the draft."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.core.heap import keep_freed_memory
from sweep.ingest.journal import Entry, stamp_of
from sweep.ingest.plan import Item, Plane, Reader, Skipped
from sweep.store.writer import StoreWriter

AHEAD = 3  # slices that wait to be put; with one, either thread would wait for the other's each


class ItemTask(NamedTuple):
    """An item, the number of its first slice in the draft, and what an earlier run noted."""

    item: Item
    first: int
    noted: Entry | None


class Written(NamedTuple):
    """An item that is in the draft; ``found``: an earlier run had put it there."""

    entry: Entry
    found: bool


@dataclass(frozen=True)
class WriteItems:
    """The job of every worker.

    Attributes:
        draft: The file that all write into.
        reader: The reader of the items.
        computing_s: Seconds of computing that an item may take, and one more for each MB of it.

    """

    draft: Path
    reader: Reader
    computing_s: float = 60

    @contextmanager
    def open(self) -> Iterator[Callable[[ItemTask], Written | Skipped]]:
        """Open the draft; gives the function that does a task."""
        keep_freed_memory()
        with StoreWriter.open(self.draft) as draft, ThreadPoolExecutor(1) as beside:
            yield partial(self._do, draft, beside)

    def name(self, task: ItemTask, /) -> str:
        """The name of the item."""
        return task.item.name

    def limit_s(self, task: ItemTask, /) -> float:
        """Enough for what is slow to unpack, and for an end of what never ends."""
        sizes = [stamp[0] for stamp in stamp_of(task.item.paths) if stamp]
        return self.computing_s + sum(sizes) / 1e6

    def _do(
        self, draft: StoreWriter, beside: ThreadPoolExecutor, task: ItemTask
    ) -> Written | Skipped:
        stamp = stamp_of(task.item.paths)
        try:
            if task.noted is not None and task.noted.stamp == stamp and _holds(draft, task):
                return Written(task.noted, found=True)
            return Written(Entry(stamp, self._read(draft, beside, task)), found=False)
        except UnusableError as error:
            return Skipped(task.item.name, str(error))

    def _read(
        self, draft: StoreWriter, beside: ThreadPoolExecutor, task: ItemTask
    ) -> tuple[bytes, ...]:
        """Put slices while the next ones are read: both wait for disks, and hold no lock.

        The last has no next one: an item of one slice, such as a picture, needs no other thread.
        """
        pairs = zip(task.item.slices, self._planes(task.item), strict=True)
        last = task.first + len(task.item.slices) - 1
        digests: list[bytes] = []
        putting: deque[Future[bytes]] = deque()
        for place, (one, plane) in enumerate(pairs, start=task.first):
            ready = draft.prepare(plane.image, plane.kspace, one.origin)
            while len(putting) == AHEAD or (putting and place == last):
                digests.append(putting.popleft().result())
            if place < last:
                putting.append(beside.submit(draft.put, place, ready))
            else:
                digests.append(draft.put(place, ready))
        return tuple(digests)

    def _planes(self, item: Item) -> Iterator[Plane]:
        """What the reader gives; whatever it raises is a fault of this item."""
        with broken_is_unusable("it cannot be read", item.name, "repair or remove it"):
            yield from self.reader(item)


def _holds(draft: StoreWriter, task: ItemTask) -> bool:
    """Whether the draft still has what was noted: a crash of the machine may have lost it."""
    assert task.noted is not None  # the caller's
    places = range(task.first, task.first + len(task.item.slices))
    return tuple(map(draft.measure, places)) == task.noted.digests
