"""Batches on the device before they are asked for."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cache
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from sweep.core.pulse import beat

DEPTH = 2  # batches under way beside the one in use

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


class OnDevice(Protocol):
    """Something that was loaded to a device."""

    def tensors(self) -> Iterator[Tensor]:
        """All that lies there."""


Batch = TypeVar("Batch", bound=OnDevice)


def prefetched(
    load: Callable[[Item], Batch], items: Iterable[Item], device: torch.device
) -> Generator[Batch]:
    """``load(item)`` for each item, in order; on a GPU ahead of its use.

    There a thread loads the next ones while the caller computes. Its copies have a stream of
    their own: the caller's stream waits for them, the caller does not. On a CPU there is no
    thread, as the store's map is where the data are used.

    The thread ends when the generator does: use ``contextlib.closing``. Each item that is taken is
    a sign of life (``core.pulse``), as training and stress tests alike get from here what they
    compute on.

    Args:
        load: Puts an item on ``device``, with all its work in the current stream.
        items: What to load.
        device: Where to.

    Raises:
        Exception: Whatever ``load`` raises, when its item's turn comes.

    """
    if device.type == "cuda":
        yield from _through_side_stream(load, _beating(items), device)
    else:
        yield from map(load, _beating(items))


def _beating(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        beat()
        yield item


def ahead(load: Callable[[Item], Loaded], items: Iterable[Item], depth: int) -> Generator[Loaded]:
    """``load(item)`` for each item, in order, by a thread that is up to ``depth`` items ahead.

    Items are taken by the caller's thread. An exception of ``load`` is raised when its item's turn
    comes. However the generator ends, what has not begun is dropped, and the thread has ended.
    """
    waiting: deque[Future[Loaded]] = deque()
    reader = ThreadPoolExecutor(1, "reader")
    try:
        for item in items:
            waiting.append(reader.submit(load, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        reader.shutdown(cancel_futures=True)


def _through_side_stream(
    load: Callable[[Item], Batch], items: Iterable[Item], device: torch.device
) -> Generator[Batch]:
    side = _side_stream(device)

    def load_aside(item: Item) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(side):
            return load(item), side.record_event()

    with closing(ahead(load_aside, items, DEPTH)) as arriving:
        for batch, arrived in arriving:
            current = torch.cuda.current_stream(device)
            current.wait_event(arrived)
            for tensor in batch.tensors():
                # Its memory is the side stream's, which would use it again as soon as Python lets
                # go of the tensor, while the caller's kernels still read it.
                tensor.record_stream(current)
            yield batch


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    # One for all: torch gives memory that one stream has freed to no other.
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch does not annotate it
