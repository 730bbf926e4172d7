"""The store of a sweep whose file names a dataset: made once, and then the store alone counts."""

from pathlib import Path

import pytest

from sweep.api.dataset import make_store
from sweep.api.preflight import bind, open_data
from sweep.config.settings import DataSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.store import Store
from tests.support.datasets import PLACE
from tests.support.sweeps import settings

DATASET = f"{PLACE}:Large"


def data_of(path: Path, **changes: object) -> DataSettings:
    return DataSettings(**{"store": str(path), "train": (1, 2), "validation": (3,), **changes})


def make(data: DataSettings) -> list[str]:
    said: list[str] = []
    make_store(data, said.append)
    return said


def test_the_store_is_made_once_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "own" / "s.h5"
    data = data_of(path, dataset=DATASET, dataset_options={"items": 10, "broken": [3]})
    said = "\n".join(make(data))
    assert f"there is no {path} yet; it is made now, of the dataset {DATASET}" in said
    assert "item 3: " in said
    assert f"9 slices of 5 patients in {path}" in said
    assert "near-duplicates across splits: " in said
    before = path.read_bytes()
    assert make(data) == []
    assert path.read_bytes() == before


def test_without_a_dataset_nothing_is_made(tmp_path: Path) -> None:
    assert make(data_of(tmp_path / "s.h5")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_something_else_is_refused(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "s.h5"
    make(data_of(path, dataset=DATASET, dataset_options={"items": 10}))
    other = data_of(path, dataset=DATASET, dataset_options={"items": 12})
    with pytest.raises(UserError, match=r"with {'items': 12}; received .*Large with {'items': 10}"):
        make(other)
    with pytest.raises(UserError, match=r"made of nothing that it says; choose another"):
        make(data_of(store.path, dataset=DATASET))


def test_in_a_ray_job_a_store_that_ray_would_delete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")  # as Ray sets it in a job
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"store of the dataset in a Ray job .*; received 's\.h5'"):
        make(data_of(Path("s.h5"), dataset=DATASET))
    assert list(tmp_path.iterdir()) == []
    make(data_of(tmp_path / "s.h5", dataset=DATASET))


def test_an_interrupted_one_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    data = data_of(tmp_path / "s.h5", dataset=f"{PLACE}:stopped")
    with pytest.raises(KeyboardInterrupt):
        make_store(data, said.append)
    assert "is not done; the same command goes on where it stopped" in said[-1]


def test_a_sweep_is_bound_to_the_store_alone(store: Store) -> None:
    plain = SweepConfig.from_dict(settings(store))
    named = plain.replace({"data.dataset": DATASET, "data.dataset_options": {"items": 10}})
    assert bind(named, open_data(named)).config == bind(plain, store).config
