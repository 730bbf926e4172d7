"""What a sweep in a bucket does not keep goes there, too; what stays in doubt stays."""

import shutil
from pathlib import Path

import pytest

from sweep.api.gc import gc, tidy
from sweep.cli import main
from sweep.core.errors import UserError
from sweep.results import choice
from sweep.results.folder import SweepFolder
from sweep.results.inventory import inventory, sizes
from sweep.results.keeper import Keeper
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.buckets import Node
from tests.support.finished import config_of, run_trial


@pytest.fixture(autouse=True)
def four_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For intervals of the tiny store."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)


def there(uri: str) -> Path:
    """Where the objects are."""
    return Path(uri.removeprefix("file://"))


def objects(uri: str) -> dict[str, int]:
    return {
        path.relative_to(there(uri)).as_posix(): path.stat().st_size
        for path in there(uri).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def ended(uri: str, sweep_folder: Path, store: Store, tmp_path: Path) -> str:
    """The URI of a sweep of two trials that have ended, whose choice of the best is measured."""
    made = SweepFolder(Path(shutil.copytree(sweep_folder, tmp_path / "made")))
    made.write_config(made.config().replace({"keep.predictions": "all", "tracking.to": []}))
    choice.keep_measured(made, pytest.fail)
    shutil.copytree(made.path, there(uri), ignore=shutil.ignore_patterns(".*"))
    return uri


def test_gc_removes_from_the_bucket_and_says_what_of(
    ended: str, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    before = objects(ended)
    node("laptop")
    asked = ["gc", ended, "--keep", "predictions=best", "--keep", "top=1"]
    assert main([*asked, "--dry-run", "--files"]) == 0
    said = capsys.readouterr()
    assert "predictions/trial-000" in said.out
    assert "  0 bytes" not in said.out, "sizes are those of the objects"
    assert objects(ended) == before
    node("another")
    assert main(asked) == 0
    assert f"mrisweep gc {ended} --keep" in (there(ended) / "removed.jsonl").read_text()
    after = objects(ended)
    gone = before.keys() - after.keys()
    assert gone
    assert all(name.startswith("predictions/") for name in gone)
    assert after.keys() - before.keys() == {"removed.jsonl"}
    node("third")
    _, trial, table = min(gone).split("/")
    epoch = int(table.removeprefix("epoch-").removesuffix(".parquet"))
    with pytest.raises(UserError, match=r"removed by `mrisweep gc file://"):
        SweepFolder.open(ended).predictions(trial, epoch)


def test_a_driver_removes_what_workers_on_other_nodes_have_left(
    uri: str, store: Store, node: Node
) -> None:
    """Its own mirror has not heard of the files: the bucket is asked for them."""
    config = config_of(store).replace({"keep.predictions": "each"})
    folder = SweepFolder.create(uri, config)
    for number in range(2):
        run_trial(folder, config, store, number)
    (there(uri) / "checkpoints" / "trial-0000" / "state.pt").write_bytes(b"left")
    for kind in ("checkpoints", "predictions"):
        shutil.rmtree(folder.path / kind, ignore_errors=True)
    assert folder.predictions("trial-0000", 1)
    record = folder.trial("trial-0000")
    Keeper(folder, config).before_settled(record)
    names = objects(uri)
    assert "checkpoints/trial-0000/state.pt" not in names
    assert f"checkpoints/trial-0000/epoch-{record.best_epoch:04d}.pt" in names
    choice.keep_measured(folder, pytest.fail)
    tidy(folder, config)
    kept = {name for name in objects(uri) if name.startswith("predictions/trial-0000/")}
    assert kept == {f"predictions/trial-0000/epoch-{record.best_epoch:04d}.parquet"}
    assert folder.predictions("trial-0000", record.best_epoch or 0)


def test_a_sweep_that_is_driven_is_only_looked_at(ended: str, node: Node) -> None:
    with SweepFolder.open(ended, driving=True).lock():
        for name in ("here", "elsewhere"):
            node(name)
            assert gc(ended, dry_run=True).driven
            with pytest.raises(UserError, match="another process drives this sweep"):
                gc(ended)
    assert not gc(ended, dry_run=True).driven


def test_what_stands_for_an_object_has_its_size(ended: str) -> None:
    folder = SweepFolder.open(ended)
    assert (folder.path / "predictions").exists()
    known = {file.path: file.size for file in inventory(folder.path, "predictions", "checkpoints")}
    assert known == {
        name: size for name, size in objects(ended).items() if name.startswith(("pred", "check"))
    }
    assert sum(sizes(inventory(folder.path)).values()) >= sum(known.values()) > 0
