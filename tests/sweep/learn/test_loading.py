"""Loading ahead: in order, bounded, and over when its user is; the same data on every device."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
import torch

from sweep.learn.inputs import gather
from sweep.learn.loading import DEPTH, ahead, prefetched
from sweep.store import Store

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CPU = torch.device("cpu")


def readers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("reader")]


@pytest.fixture(autouse=True)
def no_reader_left() -> Iterator[None]:
    yield
    assert not readers()


def test_results_come_in_order_each_once_from_another_thread() -> None:
    loaded = list(ahead(lambda item: (item, threading.current_thread()), range(50), 3))
    assert [item for item, _ in loaded] == list(range(50))
    assert len({thread for _, thread in loaded}) == 1
    assert loaded[0][1] is not threading.current_thread()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_fewer_items_than_the_depth_are_enough(count: int) -> None:
    assert list(ahead(str, range(count), 5)) == [str(item) for item in range(count)]


def test_what_is_loaded_is_up_to_the_depth_ahead_and_no_more() -> None:
    begun = threading.Semaphore(0)
    asked: list[int] = []

    def load(item: int) -> int:
        asked.append(item)
        begun.release()
        return item

    with closing(ahead(load, range(100), 3)) as loaded:
        assert next(loaded) == 0
        for _ in range(4):  # the one in use, and three more without anybody asking
            assert begun.acquire(timeout=10)
        assert asked == [0, 1, 2, 3]
        assert next(loaded) == 1
        assert begun.acquire(timeout=10)
        assert not begun.acquire(blocking=False)


class DiskGoneError(Exception):
    """Raised by a reader."""


def fails_at(bad: int) -> Callable[[int], int]:
    def load(item: int) -> int:
        if item == bad:
            raise DiskGoneError(item)
        return item

    return load


def test_an_exception_reaches_the_loop_when_its_item_is_due() -> None:
    seen: list[int] = []
    with pytest.raises(DiskGoneError, match="4"):
        seen.extend(ahead(fails_at(4), range(100), 2))
    loaded = ahead(fails_at(2), range(9), 2)
    assert [next(loaded), next(loaded)] == [0, 1]
    with pytest.raises(DiskGoneError):
        next(loaded)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_leaving_the_loop_ends_the_thread(error: type[BaseException]) -> None:
    asked: list[int] = []
    alive: list[int] = []

    def loop() -> None:
        with closing(ahead(asked.append, range(1000), 2)) as loaded:
            for _ in loaded:
                alive.append(len(readers()))
                raise error

    with pytest.raises(error):
        loop()
    assert alive == [1]
    assert not readers()
    assert len(asked) <= 3


def test_a_loop_that_is_broken_off_without_closing_ends_the_thread_too() -> None:
    for item in ahead(int, range(1000), 2):
        if item == 5:
            break
    assert not readers()


def test_on_a_cpu_there_is_no_thread_and_nothing_is_read_before_it_is_used(store: Store) -> None:
    asked: list[np.ndarray] = []
    rows = [np.array([n, n + 1]) for n in range(5)]

    def load(item: np.ndarray) -> object:
        asked.append(item)
        return gather(store, item, CPU)

    for number, batch in enumerate(prefetched(load, rows, CPU), start=1):
        assert len(asked) == number
        assert not readers()
        np.testing.assert_array_equal(batch.signals.images.numpy(), store.read(rows[number - 1]))


@ON_GPU
@pytest.mark.parametrize("signal", ["images", "kspace"])
def test_what_arrives_on_a_gpu_is_what_the_cpu_has(kspace_store: Store, signal: str) -> None:
    device = torch.device("cuda")
    generator = np.random.default_rng(0)
    rows = [generator.integers(0, len(kspace_store), 16) for _ in range(40)]

    def load(item: np.ndarray) -> object:
        return gather(kspace_store, item, device, signal)

    busy = torch.ones(2048, 2048, device=device)
    sums = []
    with closing(prefetched(load, rows, device)) as batches:
        for batch in batches:
            for _ in range(5):  # the copies of later batches overtake this one's work
                busy = (busy @ busy).clamp(max=1)
            sums.append(batch.signals.clean() * busy[0, 0])
            del batch
    for item, arrived in zip(rows, sums, strict=True):
        expected = gather(kspace_store, item, CPU, signal).signals.clean()
        torch.testing.assert_close(arrived.cpu(), expected, rtol=1e-4, atol=1e-3)


@ON_GPU
def test_copies_to_a_gpu_have_a_stream_of_their_own(store: Store) -> None:
    device = torch.device("cuda")
    streams = []

    def load(item: np.ndarray) -> object:
        streams.append(torch.cuda.current_stream(device))
        return gather(store, item, device)

    rows = [np.arange(n, n + 4) for n in range(DEPTH + 4)]
    with closing(prefetched(load, rows, device)) as batches:
        next(batches)
    assert torch.cuda.current_stream(device) not in streams
    assert len(set(streams)) == 1
