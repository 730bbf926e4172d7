"""A sweep that goes into a bucket or out of it: moved it stays the sweep, a copy is another."""

import dataclasses
import shutil
from pathlib import Path

import mlflow
import pytest

from sweep.api.best import on_server
from sweep.api.run import sync_folder
from sweep.results.folder import SweepFolder
from sweep.results.place import take_place
from sweep.store import Store
from tests.support.buckets import Node
from tests.support.finished import config_of, run_trial


def there(uri: str) -> Path:
    """Where the objects are."""
    return Path(uri.removeprefix("file://"))


@pytest.fixture
def begun(uri: str, store: Store) -> SweepFolder:
    """A sweep in a bucket without a trial."""
    return SweepFolder.create(uri, config_of(store))


def driven(place: str | Path, said: list[str]) -> SweepFolder:
    folder = SweepFolder.open(place, driving=True)
    with folder.lock():
        take_place(folder, said.append)
    return folder


def test_a_sweep_in_a_bucket_is_the_same_from_every_node(
    begun: SweepFolder, uri: str, node: Node
) -> None:
    said: list[str] = []
    assert begun.identity.place == uri
    node("elsewhere")
    assert driven(uri, said).identity == begun.identity
    assert said == []


def test_a_copy_on_a_disk_is_a_sweep_of_its_own(
    begun: SweepFolder, uri: str, tmp_path: Path
) -> None:
    said: list[str] = []
    copy = driven(Path(shutil.copytree(there(uri), tmp_path / "copy")), said)
    assert copy.identity.sweep_id != begun.identity.sweep_id
    assert said == [
        f"note: {copy.path} is a copy of the sweep in {uri}; it goes on as a sweep of its own, "
        "with runs of its own in MLflow"
    ]
    shutil.rmtree(there(uri))
    moved = Path(shutil.move(copy.path, tmp_path / "moved"))
    assert driven(moved, said).identity.sweep_id == copy.identity.sweep_id
    assert len(said) == 1


def test_a_sweep_that_was_moved_out_of_a_bucket_stays_the_sweep(
    begun: SweepFolder, uri: str, tmp_path: Path
) -> None:
    said: list[str] = []
    before = begun.identity
    moved = driven(Path(shutil.move(there(uri), tmp_path / "moved")), said)
    assert moved.identity == dataclasses.replace(before, place=str(moved.path))
    assert said == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_knows_the_sweep_by_its_uri(
    uri: str, store: Store, tmp_path: Path, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where such a server has artifacts
    server = f"sqlite:///{tmp_path / 'mlflow.db'}"
    config = config_of(store).replace({"tracking.uri": server})
    run_trial(SweepFolder.create(uri, config), config, store, 0)
    for name in ("here", "another"):
        node(name)
        assert sync_folder(Path(uri)) == 1
        client = mlflow.MlflowClient(tracking_uri=server)
        (experiment,) = [one for one in client.search_experiments() if one.name == config.name]
        runs = client.search_runs([experiment.experiment_id])
        assert {run.data.tags["folder"] for run in runs} == {uri}
    (row,) = on_server(server, config.name, None).rows
    assert row.checkpoint.startswith(f"{uri}/checkpoints/trial-0000/")
