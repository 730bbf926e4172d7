"""A finished sweep, for each test one of its own."""

import shutil
from pathlib import Path

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


@pytest.fixture
def folder(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """Two finished trials."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    return SweepFolder.open(tmp_path / "sweep")
