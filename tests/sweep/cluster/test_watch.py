"""Who hangs is found by what is not said, whoever else hangs with it."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from sweep.cluster import watch
from sweep.cluster.signs import Heard, Signs
from sweep.cluster.tries import Tries
from sweep.cluster.watch import LOOK_S, StoreWatch, Watch
from sweep.core.errors import WorkError
from sweep.core.failures import Failure
from sweep.core.pulse import At
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


@dataclass
class Ray:
    """Calls that answer at once, and who was ended."""

    heard: dict[str, Heard] = field(default_factory=dict)
    killed: list[object] = field(default_factory=list)
    exceptions = ray.exceptions

    def wait(self, calls: list[object], timeout: float) -> tuple[list[object], list[object]]:
        return calls, []

    def get(self, call: object) -> Signs:
        return Signs(process="1", silent_s=0.0, heard=self.heard)

    def kill(self, worker: object, no_restart: bool = True) -> None:
        self.killed.append(worker)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Ray:
    made = Ray()
    monkeypatch.setattr(watch, "ray", made)
    return made


@pytest.mark.parametrize("begins", [True, False])
def test_a_worker_that_never_gets_ready_for_its_next_trial_is_ended(
    begins: bool, cluster: Ray
) -> None:
    """Tune says nothing of a trial before its worker, which had another one, is ready for it."""
    clock, worker, said = Clock(), object(), []
    evaluator = SimpleNamespace(signs=SimpleNamespace(remote=object))
    one = Watch([evaluator], 1.0, said.append, clock)
    given = [("trial-1", worker)]
    for step in range(1, 15):
        clock.at = step * LOOK_S
        if begins and step > 2:
            cluster.heard = {"trial-1": Heard(1.0, None)}
            if step == 3:
                one.began("trial-1", worker)
        one.look(lambda: given)
    assert cluster.killed == ([] if begins else [worker])
    assert one.hung == (set() if begins else {"trial-1"})


def test_who_looks_on_is_told_where_the_training_of_a_trial_is(cluster: Ray) -> None:
    clock, said, seen = Clock(), [], []
    evaluator = SimpleNamespace(signs=SimpleNamespace(remote=object))
    one = Watch([evaluator], None, said.append, clock, lambda *at: seen.append(at))
    one.began("trial-1", object())
    cluster.heard = {"trial-1": Heard(900.0, At(2, 40, 120)), "trial-0": Heard(0.0, At(9, 1, 2))}
    for step in range(1, 4):
        clock.at = 2.5 * step
        one.look()
    assert set(seen) == {("trial-1", At(2, 40, 120))}, "of trials that are at work"
    assert cluster.killed == [], "nobody asked for that"


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
