"""A finished sweep, for each test one of its own."""

import dataclasses
import shutil
import warnings
from pathlib import Path

import mlflow
import pytest

from sweep.config.sweep import SweepConfig
from sweep.results.folder import SweepFolder
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finished import config_of


@pytest.fixture(autouse=True)
def four_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For intervals of the tiny store."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)


@pytest.fixture(scope="session")
def config(store: Store) -> SweepConfig:
    return config_of(store)


@pytest.fixture(scope="session")
def tracking_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, empty: to make them takes five seconds, to copy them none."""
    file = tmp_path_factory.mktemp("tables") / "mlflow.db"
    with warnings.catch_warnings(action="ignore"):  # MLflow's own, see test_mlflow.py
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def with_tables(tracking_database: Path, tmp_path: Path) -> None:
    """Beside the folder of the test there are MLflow's tables."""
    shutil.copy(tracking_database, tmp_path)


@pytest.fixture
def folder(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """Two finished trials, of a sweep that has always been here."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    copy = SweepFolder.open(tmp_path / "sweep")
    copy.write_identity(dataclasses.replace(copy.identity, place=str(copy.path)))
    return copy
