"""Who hangs is found by what is not said, whoever else hangs with it."""

from pathlib import Path
from typing import Any

import pytest

from sweep.cluster.tries import Tries
from sweep.cluster.watch import LOOK_S, StoreWatch
from sweep.core.errors import WorkError
from sweep.core.failures import Failure
from sweep.store import Store
from tests.support.stores import change_pixels

DIED, FULL, OWN = (
    Failure(kind, "so")
    for kind in ("died", "surroundings", "raised")  # type: ignore[arg-type]
)


def test_what_may_go_well_is_tried_again_and_then_ends_the_trial_or_the_sweep() -> None:
    tries = Tries(retries=2)
    assert tries.verdict("a", OWN) == "fails"
    assert [tries.verdict("a", DIED) for _ in range(3)] == ["again", "again", "fails"]
    assert [tries.verdict("b", FULL) for _ in range(3)] == ["again", "again", "halt"]


class Clock:
    """Goes on when it is told."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Store:
    path = tmp_path / "copy.h5"
    path.write_bytes(store.path.read_bytes())
    return Store.open(path)


def _gone(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _other(path: Path) -> None:
    path.write_bytes(b"something else")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_gone, "vanished"),
        (_cut, "changed"),
        (_other, ""),
        (change_pixels, "was changed in place while the sweep was running"),
    ],
)
def test_a_store_that_vanishes_or_changes_is_seen(copy: Store, harm: Any, words: str) -> None:
    clock = Clock()
    watch = StoreWatch(copy, clock)
    clock.at = LOOK_S
    assert watch.look() is None
    harm(copy.path)
    clock.at = 1.5 * LOOK_S
    assert watch.look() is None, "it looks now and then"
    clock.at = 2 * LOOK_S
    error = watch.look()
    assert error is not None
    assert words in str(error)
    assert str(copy.path) in str(error)


def test_a_store_that_changed_before_anybody_looked_is_seen_at_once(copy: Store) -> None:
    watch = StoreWatch(copy, Clock())
    change_pixels(copy.path)
    with pytest.raises(WorkError, match=r"changed in place .*; put it back as it was, then resume"):
        watch.require()


def test_a_store_that_was_put_back_or_touched_is_the_same(copy: Store, store: Store) -> None:
    clock = Clock()
    watch = StoreWatch(copy, clock)
    copy.path.unlink()
    copy.path.write_bytes(store.path.read_bytes())
    clock.at = LOOK_S
    assert watch.look() is None
