"""How large a sweep's folder will be: as large as a real one, and by the settings."""

from pathlib import Path
from typing import Any

import pytest

from sweep.api.check import estimate
from sweep.api.pace import Room
from sweep.api.space import Space
from sweep.config.sweep import SweepConfig
from sweep.results.folder import SweepFolder
from sweep.results.inventory import inventory, sizes
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finished import config_of, run_trial

FACTOR = 1.25


def space(config: SweepConfig, store: Store, **changes: Any) -> Space:
    values = {name.replace("__", "."): value for name, value in changes.items()}
    return estimate(config.replace(values), store, Room(1)).space


@pytest.fixture(scope="module")
def config(store: Store) -> SweepConfig:
    """Four trials of four epochs, of which the last is scored in full, and the best."""
    return config_of(store).replace(
        {"search.trials": 4, "search.scheduler": "none", "train.epochs": 4}
    )


def test_a_folder_is_as_large_as_it_was_said_to_be(
    config: SweepConfig, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST", 2)  # few patients are enough for intervals
    folder = SweepFolder.create(tmp_path / "sweep", config)
    for number in range(4):
        run_trial(folder, config, store, number)
    found, said = sizes(inventory(folder.path)), space(config, store).end
    for kind in ("checkpoints", "predictions", "scores", "records"):
        assert found[kind] / FACTOR < said[kind] < found[kind] * FACTOR, kind
    total = sum(found.values())
    assert total / FACTOR < sum(said.values()) < total * FACTOR


def test_what_is_kept_decides_how_large_it_is(config: SweepConfig, store: Store) -> None:
    usual = space(config, store)
    best = space(config, store, keep__checkpoints="best", keep__top=1)
    whole = space(config, store, keep__checkpoints="all", keep__predictions="all")
    none = space(config, store, keep__checkpoints="none", keep__predictions="none")
    assert best.end["checkpoints"] == usual.end["checkpoints"] / 2, "one of each norm"
    assert whole.end["checkpoints"] == usual.end["checkpoints"] * 4, "of every epoch"
    assert whole.end["predictions"] > usual.end["predictions"]
    assert {"checkpoints", "predictions"}.isdisjoint(none.end)
    for one in (usual, best, whole, none):
        assert one.peak > sum(one.end.values())
    modes = {"keep__checkpoints": "none", "stress__modes": ["blend"]}
    assert space(config, store, **modes).peak > none.peak, "they wait until they are scored"


def test_trials_that_wait_for_each_other_are_the_peak(config: SweepConfig, store: Store) -> None:
    many = config.replace({"search.trials": 100})
    usual = space(many, store, search__scheduler="topk")
    assert usual.waiting
    assert usual.peak > 2 * sum(usual.end.values()), "with what each goes on from"
    assert "while trials wait for each other" in usual.text()
    other = space(many, store, search__scheduler="asha")
    assert not other.waiting
    assert other.peak < usual.peak


def test_finalists_count(config: SweepConfig, store: Store) -> None:
    data = {"data.train": [1], "data.validation": [2], "data.test": [3]}
    asked = config.replace({**data, "finalists": {"per_norm": 1, "seeds": 3, "holdout": ["blur"]}})
    usual = space(asked, store)
    assert usual.end["checkpoints of finalists"] == 6 / 4 * usual.end["checkpoints"]
    best = space(asked, store, keep__finalists="best")
    assert best.end["checkpoints of finalists"] == 2 / 4 * best.end["checkpoints"]
    assert usual.end["predictions of finalists"] > 0
