"""A folder with a file of every kind, for each test one of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.commands import without_a_cluster
from tests.support.furnished import furnished

VICTIMS = ("epoch-0007.pt", "state.pt", "epoch-0001.parquet", "trial-0000.json")


@pytest.fixture(scope="session")
def whole(sweep_folder: Path, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be read only."""
    return furnished(tmp_path_factory.mktemp("furnished") / "sweep", sweep_folder, store).path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> SweepFolder:
    """A copy, two folders deep, with the work of others beside and above it."""
    path = tmp_path / "users" / "me" / "sweep"
    shutil.copytree(whole, path)
    for place in (tmp_path, tmp_path / "users", tmp_path / "users" / "me"):
        (place / "victim").mkdir()
        for name in VICTIMS:
            (place / "victim" / name).write_text("years of work")
    return SweepFolder.open(path)


@pytest.fixture(autouse=True)
def no_cluster() -> Iterator[None]:
    with without_a_cluster():
        yield
