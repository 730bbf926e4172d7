"""`watch` and `run --or-resume` on a sweep whose folder is in a bucket."""

import json
import shutil
import threading
from pathlib import Path

import pytest
import ray
import yaml

from sweep.api.or_resume import run_or_resume
from sweep.api.watch import standing, watch
from sweep.cli import main
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results import choice
from sweep.results.folder import SweepFolder
from sweep.results.locks import driven
from sweep.store import Store
from tests.support.bare import add_trial, bare_sweep
from tests.support.buckets import Node
from tests.support.finished import config_of
from tests.support.sweeps import settings

GREEDY = {"cluster.trial.cpu": 4000}  # so that Ray is not started for what is not refused before


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def there(uri: str) -> Path:
    """Where the objects are."""
    return Path(uri.removeprefix("file://"))


@pytest.fixture
def under_way(uri: str) -> SweepFolder:
    """The objects of a sweep of two trials, whose second one is under way."""
    folder = bare_sweep(there(uri), trials=2)
    add_trial(folder, 0, 10, "finished", 0.7)
    add_trial(folder, 1, 2, value=0.8)
    return folder


@pytest.fixture
def ended(uri: str, sweep_folder: Path, tmp_path: Path) -> str:
    """The URI of a sweep whose trials have ended, and all that follows them."""
    made = SweepFolder(Path(shutil.copytree(sweep_folder, tmp_path / "made")))
    choice.keep_measured(made, pytest.fail)
    shutil.copytree(made.path, there(uri), ignore=shutil.ignore_patterns(".*"))
    return uri


def test_a_running_sweep_is_watched_from_another_node(
    under_way: SweepFolder, uri: str, node: Node
) -> None:
    driver = SweepFolder.open(uri, driving=True)
    node("laptop")
    looks = watch(uri, 0.01)
    first = next(looks)
    assert (first.state, first.driven) == ("interrupted", False)
    assert first.plain()["folder"] == uri
    node("here")
    with driver.lock():
        node("laptop")
        add_trial(under_way, 1, 10, "finished", 0.8)
        second = next(looks)
        assert (second.state, second.driven) == ("finishing", True)
        assert [entry.record.trial for entry in second.fresh] == ["trial-0001"]
    (under_way.path / "choice.json").write_text("{}")
    assert [found.state for found in looks] == ["finished"]


def test_a_look_writes_nothing_into_the_bucket(
    under_way: SweepFolder, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in there(uri).rglob("*")}
    assert main(["watch", uri, "--once"]) == 0
    assert f"mrisweep resume {uri}" in capsys.readouterr().out
    assert main(["watch", uri, "--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == uri
    assert {path: path.stat().st_mtime_ns for path in there(uri).rglob("*")} == before


def test_a_driver_that_was_killed_drives_no_more_once_its_lease_is_over(
    under_way: SweepFolder, uri: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = {"owner": "x", "host": "gone", "pid": 1, "renewed": 3, "lease_s": 600.0}
    (there(uri) / ".lease").write_text(json.dumps(holder))
    node("laptop")
    path = SweepFolder.open(uri).path
    assert driven(path)
    (there(uri) / ".lease").write_text(json.dumps({**holder, "lease_s": 0.0}))
    assert driven(path) is False
    assert standing(uri).state == "interrupted"
    # One of this node has a lock here, which says at once that it is dead.
    (there(uri) / ".lease").write_text(json.dumps(holder))
    own = SweepFolder.open(uri, driving=True).path
    (own / ".owner").write_text("x")
    assert driven(path) is False


def goes_on(uri: str, config: SweepConfig) -> None:
    """It comes as far as the cluster, which is too small."""
    with pytest.raises(UserError, match=r"400[01] CPU"):
        run_or_resume(config.replace(GREEDY), Path(uri))
    assert not ray.is_initialized()


def test_a_sweep_that_has_ended_prints_its_table_at_once(
    ended: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(config_of(store).to_plain()))
    command = ("run", "--or-resume", str(file), "--out", ended)
    assert main(command) == 0
    said = capsys.readouterr()
    assert f"folder  {ended}" in said.out
    assert f"the sweep in {ended} has ended; nothing is left to do" in said.err
    assert main((*command, "--set", "train.epochs=5")) == 2
    said = capsys.readouterr()
    assert f"the folder {ended} holds another sweep" in said.err
    assert "nodes" not in said.err


def test_what_is_not_there_is_begun_and_what_is_not_over_goes_on(
    ended: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    new = f"{ended}-new"
    goes_on(new, SweepConfig.from_dict(settings(store)))
    (there(new) / "sweep.json").write_text("{}")
    goes_on(new, SweepConfig.from_dict(settings(store)))
    assert not (there(new) / "sweep.yaml").exists()
    (there(ended) / "choice.json").unlink()
    goes_on(ended, config_of(store))
    assert f"the sweep in {ended} was begun before, and goes on" in capsys.readouterr().err


def test_a_bucket_with_something_else_stays_as_it_is(uri: str, store: Store) -> None:
    there(uri).mkdir()
    (there(uri) / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"no sweep\.yaml.*received '(file://).*thesis\.tex"):
        run_or_resume(SweepConfig.from_dict(settings(store)), Path(uri))
    assert [path.name for path in there(uri).iterdir()] == ["thesis.tex"]


def test_a_driver_on_another_node_is_waited_for(
    ended: str, store: Store, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = SweepFolder.open(ended, driving=True)
    (there(ended) / "choice.json").unlink()
    with driver.lock():
        node("another")
        with pytest.raises(UserError, match="another process drives this sweep"):
            run_or_resume(config_of(store).replace(GREEDY), Path(ended), patience_s=0.2)
        done = threading.Event()

        def later() -> None:
            goes_on(ended, config_of(store))
            done.set()

        waiting = threading.Thread(target=later)
        waiting.start()
        assert not done.wait(0.5)
    waiting.join(20)
    assert done.is_set()
    assert "waiting up to" in capsys.readouterr().err
