"""What is refused before Ray is started or a folder made, or a sweep gone on with."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from sweep.api.run import _drive, resume, run
from sweep.cli import main
from sweep.cluster.packing import Plan
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results import choice
from sweep.results.folder import SweepFolder
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study
from sweep.store import Store
from sweep.terminal import Screen
from tests.support.finished import run_trial
from tests.support.stores import change_pixels, make_store
from tests.support.sweeps import settings

PLAN = Plan(places=(), trials=1, idle_gpus=())


@pytest.fixture
def config(store: Store, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return SweepConfig.from_dict(settings(store))


def test_more_than_this_machine_has(config: SweepConfig, tmp_path: Path) -> None:
    greedy = config.replace({"cluster.trial.cpu": 4000})
    with pytest.raises(UserError, match="received 4000 CPU, where no node has more than"):
        run(greedy, tmp_path / "out")
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []


def test_in_a_ray_job_a_folder_that_ray_would_delete(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")  # as Ray sets it in a job
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is not an absolute path.*; received 'here'; add --out"):
        run(config, Path("here"))
    assert list(tmp_path.iterdir()) == []


def _replaced(path: Path) -> None:
    make_store(path.with_name("other.h5"), patients=26).path.replace(path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [(_replaced, "is not the one that the sweep is bound to"), (change_pixels, "changed in place")],
)
def test_a_store_that_changes_while_ray_starts_is_not_trained_on(
    config: SweepConfig,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path], None],
    said: str,
) -> None:
    path = Path(shutil.copy(store.path, tmp_path / "s.h5"))

    @contextmanager
    def starting(*_: object) -> Iterator[None]:
        harm(path)
        yield

    monkeypatch.setattr("sweep.api.run.session", starting)
    monkeypatch.setattr("sweep.api.run.wait_for_room", lambda *_, **__: PLAN)
    monkeypatch.setattr("sweep.cluster.tune.serving", lambda *_: pytest.fail("it is used"))
    with pytest.raises(UserError, match=said):
        run(config.replace({"data.store": str(path), "tracking.to": []}), tmp_path / "out")
    assert SweepFolder.open(tmp_path / "out").trials() == []


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("stress.options", {"rician-again": {}, "bias": {}}, None),
        ("stress.batch_size", 8, None),
        ("stress.artifacts", ["rician"], "another bias 1, bias 5 in"),
        ("stress.levels", [1, 2, 5], "another rician 2, bias 2 in"),
        ("stress.knobs", {"bias": [1, 2, 2.1, 2.2, 2.3]}, "another bias 1, bias 5 in"),
        ("stress.seed", 3, "another stress.seed in"),
    ],
)
def test_a_sweep_goes_on_with_the_stress_test_of_its_trials_alone(
    sweep_folder: Path, tmp_path: Path, name: str, value: object, named: str | None
) -> None:
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    # More CPUs than there are, so that Ray is not started for what is not refused.
    changed = folder.config().replace({name: value, "cluster.trial.cpu": 4000})
    folder.write_config(changed)
    with pytest.raises(UserError) as raised:
        resume(folder.path)
    if named is None:
        assert "4000" in str(raised.value)
    else:
        assert named in str(raised.value)
        assert "is not the one that the sweep's trials were scored by" in str(raised.value)


def test_a_sweep_with_options_is_not_resumed_with_others(store: Store, tmp_path: Path) -> None:
    config = SweepConfig.from_dict(
        settings(
            store,
            stress={
                "artifacts": ["motion-late"],
                "levels": [5],
                "grid": "physical",
                "options": {"motion-late": {"window": [0.5, 1.0]}},
            },
            train={"epochs": 1, "batch_size": 16},
            cluster={"trial": {"cpu": 4000}},
        )
    )
    folder = SweepFolder.create(tmp_path / "sweep", config)
    run_trial(folder, config, store, 0)
    with pytest.raises(UserError, match="4000"):
        resume(folder.path)
    folder.write_config(config.replace({"stress.options.motion-late.window": [0.4, 1.0]}))
    with pytest.raises(UserError, match=r"scored by; received another motion-late 5 in"):
        resume(folder.path)


def test_a_folder_of_before_there_was_a_budget_goes_on_as_it_began(
    config: SweepConfig, tmp_path: Path
) -> None:
    """Its trials need not divide among the norms, and a seed that was searched still is."""
    folder = SweepFolder.create(tmp_path / "sweep", config)
    plain = config.to_plain()
    plain["search"] |= {"trials": 20, "sampler": "tpe", "scheduler": "asha"}
    plain["search"]["space"]["seed"] = {"choice": [0, 1]}
    for name in ("budget", "equal", "subject_to", "start", "from"):
        del plain["search"][name]
    (folder.path / "sweep.yaml").write_text(yaml.safe_dump(plain))
    before = SweepFolder.open(folder.path).config()
    assert (before.search.budget, before.search.total) == ("turns", 20)
    folder.write_config(before)
    assert folder.config() == before
    assert before.search.extended(5).total == 25
    with pytest.raises(UserError, match=r"sweeps that earlier versions began.*; set it to equal"):
        run(before, tmp_path / "new")


@pytest.mark.parametrize(("written", "taken"), [(1, 1), (2, 2), (10, 2)])
def test_a_folder_of_before_topk_goes_on_with_its_grace(
    config: SweepConfig, tmp_path: Path, written: int, taken: int
) -> None:
    """The first epoch was the default; a grace above the epochs was taken as all of them."""
    folder = SweepFolder.create(tmp_path / "sweep", config)
    plain = config.to_plain()
    plain["search"]["grace_epochs"] = written
    plain["train"]["epochs"] = 2
    del plain["search"]["keep"]
    (folder.path / "sweep.yaml").write_text(yaml.safe_dump(plain))
    before = SweepFolder.open(folder.path).config()
    assert before.search.grace(before.train.epochs) == taken
    folder.write_config(before)
    assert folder.config() == before


def test_more_trials_than_a_grid_has(sweep_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    folder.write_config(folder.config().replace({"search.sampler": "grid"}))
    before = (folder.path / "sweep.yaml").read_text()
    with pytest.raises(
        UserError, match=r"no trials beyond its combinations.*received 3 more than 2"
    ):
        resume(folder.path, more=3)
    assert (folder.path / "sweep.yaml").read_text() == before
    assert not ray.is_initialized()


def killed(sweep_folder: Path, to: Path, second_epoch: bool, **changes: Any) -> SweepFolder:
    """Both trials are under way; their worker wrote epochs of which the driver heard nothing."""
    shutil.copytree(sweep_folder, to)
    folder = SweepFolder.open(to)
    search = {"search.stratify": None, "search.scheduler": "topk", "search.keep": 1}
    config = folder.config().replace({**search, "tracking.to": ["jsonl"], **changes})
    folder.write_config(config)
    study = Study(folder.journal, config.name, config.search, config.seed, config.train.epochs)
    for record in folder.trials():
        study.ask()
        unheard = {"status": "running", "ended_at_ms": None, "best_epoch": None}
        folder.write_trial(dataclasses.replace(record, **unheard, metrics={}, intervals={}))
        first = folder.epoch(record.trial, 1)
        (folder.path / "results" / record.trial / "epoch-0002.parquet").unlink()
        if second_epoch:
            same = dataclasses.replace(first, epoch=2, evaluated_at_ms=first.evaluated_at_ms + 1)
            folder.write_epoch(same, *folder.predictions(record.trial, 1))
    return folder


def test_a_trial_that_waits_counts_though_the_driver_died_before_it_heard_of_it(
    sweep_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = killed(sweep_folder, tmp_path / "sweep", second_epoch=False)
    asked = []

    def goes_on(*given: Any) -> None:
        searcher = next(one for one in given if isinstance(one, StudySearcher))
        asked.append(searcher.suggest("one")["trial"])
        assert all(one.intermediate_values.keys() == {1} for one in searcher.study.trials())

    monkeypatch.setattr("sweep.api.run.run_trials", goes_on)
    _drive(folder, folder.config(), Store.open(folder.config().data.store), PLAN, (), Screen())
    (left_out,) = [one for one in folder.trials() if one.trial not in asked]
    assert (left_out.status, left_out.best_epoch, left_out.error) == ("pruned", 1, None)


def test_a_trial_that_ended_by_itself_does_not_wait_though_the_driver_died_first(
    sweep_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch in which patience ends it is that at which others wait."""
    changes = {"train.epochs": 3, "train.patience": 1, "search.grace_epochs": 2}
    folder = killed(sweep_folder, tmp_path / "sweep", second_epoch=True, **changes)

    def ends(*given: Any) -> None:
        (searcher,) = [one for one in given if isinstance(one, StudySearcher)]
        (scheduler,) = [one for one in given if isinstance(one, StratifiedScheduler)]
        assert scheduler.waiting == {}
        assert len(searcher.unfinished) == 2

    monkeypatch.setattr("sweep.api.run.run_trials", ends)
    _drive(folder, folder.config(), Store.open(folder.config().data.store), PLAN, (), Screen())
    assert [one.status for one in folder.trials()] == ["running", "running"]


# MLflow's own, see tests/sweep/results/test_mlflow.py.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_sweep_in_which_all_is_done_starts_no_cluster_and_says_so(
    sweep_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_cluster(*_: object) -> None:
        pytest.fail("a cluster was started")

    shutil.copytree(sweep_folder, tmp_path / "sweep")
    choice.keep_measured(SweepFolder.open(tmp_path / "sweep"), lambda text: None)
    monkeypatch.setattr("sweep.api.run.session", no_cluster)
    result = resume(str(tmp_path / "sweep"))
    assert result.path == tmp_path / "sweep"
    assert "all of it is done" in capsys.readouterr().err
    assert main(["resume", str(tmp_path / "sweep")]) == 0
    resumed = capsys.readouterr()
    first = resumed.err.splitlines()[0]
    assert first.startswith(
        "the sweep has finished: all 2 trials have ended; to add some: mrisweep"
    )
    assert main(["best", str(tmp_path / "sweep")]) == 0
    asked = capsys.readouterr()
    assert "how to read it: " in asked.out
    assert "\nto train trial-000" in asked.out
    assert resumed.out.startswith(asked.out), "the end of a run says all that best says"
    assert set(asked.err.splitlines()) <= set(resumed.err.splitlines())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"norm": "btch"}}, "did you mean 'batch'"),
        ({"model": {"width": "sixteen"}}, "model.width cannot take this value"),
        ({"data": {"train": [1]}}, "data.store is missing"),
    ],
)
def test_settings_that_a_script_made_of_anything_are_checked_before_anything_is_done(
    changes: dict[str, object], said: str, config: SweepConfig, tmp_path: Path
) -> None:
    made = dataclasses.replace(config, **changes)
    with pytest.raises(UserError, match=said):
        run(made, str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["sweep.yaml", {"name": "a"}, None])
def test_what_is_no_config_is_called_so(given: Any) -> None:
    with pytest.raises(UserError, match=r"run takes a SweepConfig; received .*from_yaml"):
        run(given)
