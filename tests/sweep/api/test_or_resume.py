"""``run --or-resume``: whatever the last try left, the same command goes on with it."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from sweep.api.or_resume import changed, run_or_resume
from sweep.api.preflight import bind
from sweep.cli import main
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results import choice
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.finished import config_of
from tests.support.sweeps import settings

GREEDY = {"cluster.trial.cpu": 4000}  # so that Ray is not started for what is not refused before


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    assert not ray.is_initialized()


@pytest.fixture
def folder(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """A sweep whose trials have ended, and what follows them has not been done."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    return SweepFolder.open(tmp_path / "sweep")


def finish(folder: SweepFolder) -> None:
    choice.keep_measured(folder, print)


def test_a_sweep_that_has_ended_prints_its_table_at_once(
    folder: SweepFolder, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(folder)
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(config_of(store).to_plain()))
    command = ("run", "--or-resume", str(file), "--out", str(folder.path))
    assert main(command) == 0
    said = capsys.readouterr()
    assert "trial-0001" in said.out
    assert f"folder  {folder.path}" in said.out
    assert "has ended; nothing is left to do" in said.err
    assert main((*command, "--set", "cluster.evaluators=2")) == 0
    assert main((*command, "--set", "train.epochs=5")) == 2
    assert "train.epochs 5 where the folder has 2;" in capsys.readouterr().err


def goes_on(folder: SweepFolder, config: SweepConfig) -> None:
    """It comes as far as the cluster, which is too small."""
    with pytest.raises(UserError, match=r"400[01] CPU"):
        run_or_resume(config.replace(GREEDY), folder.path)


def test_what_is_left_to_do_is_done(folder: SweepFolder, store: Store) -> None:
    config = config_of(store)
    goes_on(folder, config)  # nothing has said yet what the choice is worth
    finish(folder)
    trial = folder.trials()[0]
    folder.write_trial(trial)  # later than that
    goes_on(folder, config)
    with_rows = {"stress.modes": ["blend"]}
    folder.write_config(folder.config().replace(with_rows))
    finish(folder)
    goes_on(folder, config.replace(with_rows))


def test_a_sweep_with_finalists_ends_with_them(folder: SweepFolder, store: Store) -> None:
    finalists = {"per_norm": 1, "seeds": 1}
    with_finalists = {"finalists": finalists, "data.train": [1], "data.test": [2]}
    folder.write_config(folder.config().replace(with_finalists))
    finish(folder)
    goes_on(folder, config_of(store).replace(with_finalists))


def test_where_a_sweep_runs_may_change_and_is_kept_only_if_it_can(
    folder: SweepFolder, store: Store
) -> None:
    config = config_of(store).replace({"tracking.to": ["jsonl"], "search.limits.hours": 2.0})
    before = (folder.path / "sweep.yaml").read_text()
    assert changed(folder, config).keys() == {"tracking", "search.limits"}
    goes_on(folder, config)
    assert (folder.path / "sweep.yaml").read_text() == before


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("train.lr", 0.5, "train.lr 0.5 where the folder has"),
        ("search.trials", 4, "search.trials 4 where the folder has 2"),
        ("seed", 3, "seed 3 where the folder has 0"),
        ("data.validation", [4], r"data.validation \[4\] where the folder has \[3\]"),
        ("stress.knobs", {"bias": [1, 2, 3, 4, 5]}, r"stress.knobs.bias \[1.0, 2.0, 3.0, 4.0"),
        ("data.fingerprint", "other", "data.fingerprint 'other' where"),
    ],
)
def test_another_sweep_is_refused_by_what_differs(
    folder: SweepFolder, store: Store, name: str, value: Any, said: str
) -> None:
    with pytest.raises(UserError, match=rf"holds another sweep than .*{said}.*mrisweep resume"):
        run_or_resume(config_of(store).replace({name: value}), folder.path)


def test_what_a_beginning_writes_into_the_folder_is_no_difference(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.path.parent)
    asked = SweepConfig.from_dict(settings(store)).replace(
        {"data.store": store.path.name, "stress.artifacts": ["bias"]}
    )
    bound = bind(asked, store).config
    assert bound != asked
    folder = SweepFolder.create(tmp_path / "out", bound)
    assert changed(folder, asked) == {}
    elsewhere = shutil.copy(store.path, tmp_path / "moved.h5")
    moved = asked.replace({"data.store": str(elsewhere)})
    assert changed(folder, moved) == {"data.store": str(elsewhere)}


def test_trials_that_were_added_stay(folder: SweepFolder, store: Store) -> None:
    longer = folder.config().search.extended(2)
    folder.write_config(folder.config().replace({"search.trials": longer.trials}))
    assert changed(folder, config_of(store)) == {}


@pytest.mark.parametrize("left", [(), ("sweep.json",), ("sweep.json", ".levels.json.ab12.tmp")])
def test_a_folder_that_a_kill_left_half_made_is_begun(
    left: tuple[str, ...], store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in left:
        (out / name).write_text("{}")
    goes_on(SweepFolder(out), SweepConfig.from_dict(settings(store)))
    assert {file.name for file in out.iterdir()} == {*left}, "a new sweep begins when it may run"


def test_a_folder_of_something_else_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"no sweep\.yaml; received .*thesis\.tex"):
        run_or_resume(SweepConfig.from_dict(settings(store)), tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"sweep.json", "thesis.tex"}


def test_a_process_that_is_coming_to_its_end_is_waited_for(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with folder.lock():
        with pytest.raises(UserError, match="another process drives this sweep"):
            run_or_resume(config_of(store).replace(GREEDY), folder.path, patience_s=0.2)
        done = threading.Event()

        def later() -> None:
            goes_on(folder, config_of(store))
            done.set()

        waiting = threading.Thread(target=later)
        waiting.start()
        assert not done.wait(0.3)
    waiting.join(10)
    assert done.is_set()
    assert capsys.readouterr().err.count("waiting up to") == 2


def test_a_job_of_another_version_is_said(
    folder: SweepFolder,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finish(folder)
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(config_of(store).to_plain()))
    command = ("run", "--or-resume", str(file), "--out", str(folder.path))
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", '{"metadata": {"mrisweep": "0.0.9"}}')
    assert main(command) == 0
    assert "submitted by mrisweep 0.0.9, and the cluster has mrisweep " in capsys.readouterr().err
    for noted in ("{}", "[1]", "torn", '{"metadata": null}'):
        monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", noted)
        assert main(command) == 0
        assert "submitted by" not in capsys.readouterr().err
