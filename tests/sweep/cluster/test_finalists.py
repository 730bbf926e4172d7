"""Finalists: the same trainings as a plain loop's, asked once where nothing was chosen."""

import dataclasses
import json
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import mrimodels
import sweep
from sweep.api import finalists as api
from sweep.api.finalists import drive_finalists, finalists
from sweep.api.stress import stress_checkpoint
from sweep.cli import main
from sweep.cluster import finalists as on_ray
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UnfinishedError, UserError
from sweep.core.finals import TEST, VALIDATION
from sweep.core.records import CLEAN
from sweep.core.stages import current, stage
from sweep.learn.finalist import train_to_end, trial_of
from sweep.learn.fit import fit
from sweep.learn.trainer import Trainer
from sweep.metrics.robustness import worst_weights
from sweep.metrics.summary import macro_by_cell
from sweep.results.final_table import final_rows, final_table
from sweep.results.finalists import FinalistFolder, accesses, chosen, note_access, said_of_access
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked, of_folder
from sweep.search.study import Study
from sweep.store import Store
from tests.support.commands import without_a_cluster
from tests.support.finalists import FINALISTS, config_with, driven, ended, run_here
from tests.support.hooks import listening
from tests.support.stores import make_store
from tests.support.sweeps import Sweep


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> SweepFolder:
    return ended(tmp_path / "sweep", config_with(store), store)


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker in this process, for the planning around it."""
    monkeypatch.setattr(api, "run_finalists", run_here)
    monkeypatch.setattr(api, "workers_at_a_time", lambda *_, **__: 2)


@pytest.mark.usefixtures("without_ray")
def test_a_finalist_is_what_a_plain_loop_trains_with_its_seed(
    folder: SweepFolder, store: Store, tmp_path: Path
) -> None:
    found = driven(folder, store)
    plan = found.plan()
    assert plan is not None
    run, config = plan.runs[-1], folder.config()
    plain = dataclasses.replace(config.trial(run.params), seed=run.seed)
    history = fit(plain, store, tmp_path / "plain").history
    last = history[-1]
    record = found.record(run.name)
    assert record is not None
    assert record.epochs == (last.epoch,)
    for name in ("clean/auroc", "robust/auroc_cvar", "clean/brier", "robust/sensitivity_mean"):
        assert record.metrics[VALIDATION][name] == last.metrics[name]


@pytest.mark.usefixtures("without_ray")
def test_test_slices_are_scored_as_stress_scores_them(folder: SweepFolder, store: Store) -> None:
    found = driven(folder, store)
    record = found.records()[0]
    checkpoint = found.checkpoints(record.run.name).epoch(record.epochs[0])
    again = stress_checkpoint(checkpoint, store.path, splits=["3"])
    for name in ("clean/auroc", "robust/auroc_mean", "robust/specificity_mean", "clean/ece"):
        assert record.metrics[TEST][name] == pytest.approx(again.metrics[name], abs=1e-6)
    apart = stress_checkpoint(checkpoint, store.path, ["blur", "gibbs"], splits=["3"])
    for name in ("auroc_mean", "brier_mean", "balanced_accuracy_worst"):
        expected = apart.metrics[f"robust/{name}"]
        assert record.metrics[TEST][f"holdout/{name}"] == pytest.approx(expected, abs=1e-6)
    assert not [name for name in record.metrics[VALIDATION] if name.startswith("holdout/")]


def test_while_they_train_that_is_said_and_not_what_was_before(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def room(*_: object, **__: object) -> int:
        stage("looking for room for a finalist")
        return 2

    def trained(*given: Any) -> None:
        said.append(current().text)
        run_here(*given[:7])

    monkeypatch.setattr(api, "run_finalists", trained)
    monkeypatch.setattr(api, "workers_at_a_time", room)
    driven(folder, store)
    assert said == ["training finalists, 0 of 4 done"]


@pytest.mark.usefixtures("without_ray")
def test_the_worst_cells_are_those_of_the_validation_slices(
    folder: SweepFolder, store: Store
) -> None:
    found = driven(folder, store)
    for record in found.records():
        there, here = (
            macro_by_cell(found.scores(record.run.name, place, record.epochs[0]).scores, "auroc")
            for place in (VALIDATION, TEST)
        )
        cells = [cell for cell in there if cell != CLEAN]
        weights = worst_weights(np.array([there[cell] for cell in cells]))
        expected = sum(w * here[cell] for w, cell in zip(weights, cells, strict=True))
        fixed = record.metrics[TEST]["robust/auroc_cvar_fixed"]
        assert fixed == pytest.approx(expected)
        assert fixed >= record.metrics[TEST]["robust/auroc_cvar"] - 1e-12


@pytest.mark.usefixtures("without_ray")
def test_all_have_the_same_seeds_which_no_trial_had(folder: SweepFolder, store: Store) -> None:
    records = driven(folder, store).records()
    seeds: dict[str, list[int]] = {}
    for record in records:
        seeds.setdefault(record.run.trial, []).append(record.run.seed)
    assert len(seeds) == 2
    assert len({tuple(own) for own in seeds.values()}) == 1
    assert not {trial.seed for trial in folder.trials()} & {one.run.seed for one in records}
    used = folder.config().finalists.new_seeds([1000, 1002])
    assert used == (1001, 1003)


@pytest.mark.usefixtures("without_ray")
def test_what_was_interrupted_is_not_done_again(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = driven(folder, store)
    expected = [dataclasses.replace(one, ended_at_ms=0) for one in whole.records()]
    plan, config = whole.plan(), folder.config()
    run = plan.runs[1]
    (whole.path / f"{run.name}.json").unlink()
    later = whole.path / run.name / "results" / f"{TEST}-0002.parquet"
    later.unlink()
    checkpoint = whole.checkpoints(run.name).epoch(2)
    before = checkpoint.stat().st_mtime_ns
    trained: list[int] = []
    monkeypatch.setattr(
        "sweep.learn.finalist.Trainer.train_epoch", lambda *_: trained.append(1) or None
    )
    drive_finalists(folder, config, store)
    assert trained == []
    assert checkpoint.stat().st_mtime_ns == before
    assert [dataclasses.replace(one, ended_at_ms=0) for one in whole.records()] == expected


def test_a_training_goes_on_at_the_epoch_where_it_ended(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = folder.config().trial({"model.norm": "group"})
    whole, broken = (FinalistFolder(folder).checkpoints(name) for name in ("one", "other"))
    assert train_to_end(trial, store, whole, "one", last=1)
    original, calls = Trainer.train_epoch, []

    def dying(self: Trainer, epoch: int) -> Any:
        calls.append(epoch)
        if calls == [1, 2]:
            raise KeyboardInterrupt
        return original(self, epoch)

    monkeypatch.setattr(Trainer, "train_epoch", dying)
    with pytest.raises(KeyboardInterrupt):
        train_to_end(trial, store, broken, "one", last=1)
    assert train_to_end(trial, store, broken, "one", last=1)
    assert calls == [1, 2, 2]
    weights = [mrimodels.load(files.epoch(2), "cpu")[0].state_dict() for files in (whole, broken)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert not broken.epoch(1).exists(), "the rule asks for the last epoch alone"


@pytest.mark.usefixtures("without_ray")
def test_of_the_last_three_epochs_the_mean_counts(folder: SweepFolder, store: Store) -> None:
    config = folder.config().replace({"finalists.rule": "last3", "train.epochs": 4})
    folder.write_config(config)
    found = driven(folder, store)
    record = found.records()[0]
    assert record.epochs == (2, 3, 4)
    each = [
        macro_by_cell(found.scores(record.run.name, TEST, epoch).scores, "auroc")[CLEAN]
        for epoch in record.epochs
    ]
    assert record.metrics[TEST]["clean/auroc"] == pytest.approx(np.mean(each))


@pytest.mark.usefixtures("without_ray")
def test_one_that_diverges_has_no_score_and_is_counted(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = trial_of

    def wild(config: SweepConfig, run: Any, knobs: Any) -> Any:
        trial = original(config, run, knobs)
        steep = dataclasses.replace(trial.train, lr=1e30, schedule="constant")
        return dataclasses.replace(trial, train=steep) if run.norm == "batch" else trial

    monkeypatch.setattr(on_ray, "trial_of", wild)
    records = driven(folder, store).records()
    assert {one.run.norm: one.status for one in records} == {
        "batch": "diverged",
        "group": "finished",
    }
    rows = {row.norm: row for row in final_rows(records)}
    assert (rows["batch"].seeds, rows["batch"].diverged, rows["batch"].mean) == (0, 2, {})
    assert "0 (2 diverged)" in final_table(list(rows.values()), "robust/auroc_cvar")


@pytest.mark.usefixtures("without_ray")
def test_seeds_are_added_to_a_plan_and_its_meaning_stays(folder: SweepFolder, store: Store) -> None:
    found = driven(folder, store)
    first = {one.run.name: one.ended_at_ms for one in found.records()}
    folder.write_config(folder.config().replace({"finalists.seeds": 3}))
    driven(folder, store)
    again = {one.run.name: one.ended_at_ms for one in found.records()}
    assert len(again) == 6
    assert first.items() <= again.items()
    for changes, said in {
        ("finalists.rule", "last3"): "received rule last3 instead of last; put",
        (
            "finalists.holdout",
            ("blur",),
        ): "received holdout blur of test instead of blur, gibbs;",
        ("data.test", ()): "received no test any more; there, which was not there; put",
    }.items():
        there = {"name": "there", "store": str(store.path), "splits": [3]}
        external = [there] if changes[0] == "data.test" else []
        changed = {changes[0]: changes[1], "finalists.external": external}
        with pytest.raises(UserError, match=f"begun are scored by the same rule.*; {said}"):
            drive_finalists(folder, folder.config().replace(changed), store)


@pytest.mark.usefixtures("without_ray")
def test_seeds_are_added_though_the_same_data_lie_elsewhere(
    folder: SweepFolder, store: Store, tmp_path: Path
) -> None:
    driven(folder, store)
    moved = Store.open(shutil.copy(store.path, tmp_path / "moved.h5"))
    changes = {"data.store": str(moved.path), "finalists.seeds": 3}
    folder.write_config(folder.config().replace(changes))
    found = driven(folder, moved)
    assert len(found.records()) == 6
    assert {place.store for place in found.plan().places} == {str(moved.path)}


@pytest.mark.usefixtures("without_ray")
def test_when_test_slices_were_looked_at_is_kept_and_said(
    folder: SweepFolder, store: Store
) -> None:
    assert said_of_access(folder) is None
    checkpoint = Path(of_folder(folder.path)[0].checkpoint)
    stress_checkpoint(checkpoint, store.path, splits=["2"])
    sweep.predict(checkpoint, store.path, splits=["1", "2"])
    assert accesses(folder) == [], "validation and training slices are no test slices"
    driven(folder, store)
    driven(folder, store)
    (first,) = accesses(folder)
    assert (first.what, first.where, first.runs) == ("mrisweep finalists", "test", 4)
    assert "were first looked at on 20" in str(said_of_access(folder))
    stress_checkpoint(checkpoint, store.path, splits=["3"])
    assert "and once more" in str(said_of_access(folder))
    sweep.predict(checkpoint, store.path)
    assert [one.what for one in accesses(folder)[1:]] == ["mrisweep stress", "mrisweep predict"]
    assert "and 2 times more" in str(said_of_access(folder))


def test_of_many_who_look_at_once_none_is_lost(folder: SweepFolder) -> None:
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda at: note_access(folder, f"look {at}", "test", 1), range(200)))
    assert {one.what for one in accesses(folder)} == {f"look {at}" for at in range(200)}


@pytest.mark.usefixtures("without_ray")
def test_further_stores_are_places_of_their_own(
    folder: SweepFolder, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = make_store(tmp_path / "elsewhere.h5", patients=10, per_patient=3, size=20)
    external = {"name": "there", "store": str(elsewhere.path)}
    folder.write_config(folder.config().replace({"finalists.external": [external]}))
    found = driven(folder, store)
    plan = found.plan()
    assert plan.settings == folder.config().finalists, "read back, it is the plan that was made"
    assert [place.name for place in plan.places] == [VALIDATION, TEST, "there"]
    record = found.records()[0]
    _, slices = found.predictions(record.run.name, "there", record.epochs[0])
    assert slices.keys == elsewhere.keys.tolist()
    assert "there" in final_table(final_rows(found.records()), "robust/auroc_cvar")
    assert "named as some that were trained or validated on" in capsys.readouterr().err
    checkpoint = Path(of_folder(folder.path)[0].checkpoint)
    sweep.predict(checkpoint, elsewhere.path)
    assert accesses(folder)[-1][1:] == ("mrisweep predict", "there", 1)


@pytest.mark.usefixtures("without_ray")
def test_a_further_store_that_was_exchanged_is_not_asked_in_its_place(
    folder: SweepFolder, store: Store, tmp_path: Path
) -> None:
    elsewhere = make_store(tmp_path / "elsewhere.h5", patients=10, per_patient=3, size=20)
    external = {"name": "there", "store": str(elsewhere.path)}
    folder.write_config(folder.config().replace({"finalists.external": [external]}))
    found = driven(folder, store)
    (found.path / f"{found.plan().runs[0].name}.json").unlink()
    exchanged = make_store(tmp_path / "new.h5", patients=11, per_patient=3, size=20)
    exchanged.path.replace(elsewhere.path)
    said = f"fingerprint {exchanged.fingerprint} of there instead of {elsewhere.fingerprint}"
    with pytest.raises(UserError, match=said):
        driven(folder, store)
    bound = {**external, "fingerprint": elsewhere.fingerprint}
    folder.write_config(folder.config().replace({"finalists.external": [bound]}))
    with pytest.raises(UserError, match="external there: the store is not the one that the sweep"):
        driven(folder, store)


def other(tmp_path: Path, **changes: Any) -> str:
    return str(make_store(tmp_path / f"{'-'.join(changes)}.h5", **changes).path)


@pytest.mark.usefixtures("without_ray")
def test_slices_that_were_learnt_from_are_no_other_hospital(
    folder: SweepFolder, store: Store, tmp_path: Path
) -> None:
    for given, said in {
        (str(store.path), (2, 3)): "patients of finalists.external there are trained or validated",
        (other(tmp_path, patients=26), ()): "slices of finalists.external there are trained or",
        (other(tmp_path, labels=("a", "c")), ()): "has other labels or another task than the",
    }.items():
        external = {"name": "there", "store": given[0], "splits": list(given[1])}
        folder.write_config(folder.config().replace({"finalists.external": [external]}))
        with pytest.raises(UserError, match=said):
            driven(folder, store)
    assert accesses(folder) == []


def test_finalists_want_slices_that_nothing_was_chosen_on(store: Store) -> None:
    for changes, said in {
        "data.test=[]": "finalists are scored on patients that nothing was chosen on",
        "finalists.seeds=0": "finalists.seeds: seeds cannot take this value|seeds cannot take",
        "finalists.by=clean/aurox": "finalists.by has an unknown name; received 'clean/aurox'",
        "finalists.holdout=[blurr]": "finalists.holdout has an unknown name; received 'blurr'",
        "finalists.primary={between: [batch, layer]}": "between has an unknown name.*'layer'",
        "finalists.primary={between: [batch]}": "two that differ",
        "finalists.primary={between: [batch, group], place: HT}": "is no place where finalists",
        "finalists.external=[{name: test, store: x.h5}]": "a word that is not validation or test",
    }.items():
        name, _, value = changes.partition("=")
        with pytest.raises(UserError, match=said):
            config_with(store).replace({name: yaml.safe_load(value)})


def test_artifacts_that_were_met_are_not_held_out(store: Store) -> None:
    settings = config_with(store, holdout=["holdout", "rician", "spike"]).finalists
    left = settings.held_out({"rician", "blur"})
    assert "blur" not in left
    assert "rician" not in left
    assert {"spike", "gibbs"} <= set(left)


def test_those_scored_in_full_go_first_and_screened_ones_fill_up(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(trial: str, norm: str, value: float, prefix: str = "") -> Ranked:
        metrics = {f"{prefix}robust/auroc_cvar": value}
        return Ranked(trial, norm, 0, 1, {"model.norm": norm}, "", metrics, {}, "finished")

    rows = [
        row("t0", "batch", 0.6),
        row("t1", "batch", 0.9, "screen/"),
        row("t2", "batch", 0.7),
        row("t3", "batch", 0.8, "screen/"),
        row("t4", "group", 0.5),
    ]
    monkeypatch.setattr("sweep.results.ranking.of_folder", lambda path: rows)
    config = folder.config().replace({"finalists.per_norm": 3})
    found = chosen(folder, config, config.finalists)
    assert [one.trial for one in found] == ["t2", "t0", "t1", "t4"]


def _two_files_below(folder: Path) -> bool:
    """The plan and the first record."""
    return len(list(folder.glob("*.json"))) > 1


@pytest.mark.cluster
def test_finalists_follow_a_sweep_and_survive_ctrl_c(
    make_sweep: Callable[..., Sweep],
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Interrupted among them and gone on with, they have the table that one process makes."""
    made = make_sweep(finalists={**FINALISTS, "seeds": 1})
    data = {"train": [1], "validation": [2], "test": [3]}
    command = made.run_arguments(*(f"data.{name}={value}" for name, value in data.items()))
    started = partial(_two_files_below, made.folder / "finalists")
    status, said = made.interrupt(signal.SIGINT, started, *command)
    assert status == 130, said
    assert "mrisweep resume" in said
    resumed = made.command("resume", str(made.folder))
    assert resumed.returncode == 0, resumed.stderr
    assert "finalists: 3 of 3" in resumed.stderr
    shutil.copytree(made.folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "finalists")
    monkeypatch.setattr(api, "run_finalists", run_here)
    monkeypatch.setattr(api, "workers_at_a_time", lambda *_, **__: 2)
    driven(SweepFolder.open(tmp_path / "copy"), store)
    tables = []
    for folder in (made.folder, tmp_path / "copy"):
        assert main(["best", str(folder), "--finalists", "--json"]) == 0
        tables.append(json.loads(capsys.readouterr().out))
    assert tables[0] == tables[1]
    assert [row["norm"] for row in tables[0]] == ["batch", "group", "layer"]


@pytest.mark.usefixtures("without_ray")
def test_asked_again_they_need_no_cluster(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = driven(folder, store).records()

    def refuse(*_: object) -> None:
        raise AssertionError("a cluster is started")

    monkeypatch.setattr("ray.init", refuse)
    assert finalists(folder.path) == records


def all_but_the_last(folder: SweepFolder, *given: Any) -> None:
    """In the place of ``run_finalists``: one does not come to its end."""
    config, plan, staging, workers, count, say, again, *_ = given
    some = dataclasses.replace(plan, runs=plan.runs[:-1])
    run_here(folder, config, some, staging, workers, count, say)
    raise UnfinishedError("1 of 4 finalists did not come to an end", "full", f"run `{again}`")


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("command", ["resume", "finalists"])
def test_a_command_whose_finalists_are_not_whole_has_failed_and_shows_what_there_is(
    folder: SweepFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    config = folder.config().replace({"tracking.to": ["jsonl"], "notify": {"url": "env:MY_HOOK"}})
    folder.write_config(config)
    study = Study(folder.journal, config.name, config.search, config.seed, config.train.epochs)
    for _ in folder.trials():
        study.ask()
    with without_a_cluster(), listening() as hook:
        monkeypatch.setenv("MY_HOOK", hook.address)
        monkeypatch.setattr(api, "run_finalists", all_but_the_last)
        assert main([command, str(folder.path)]) == 1
        failed = capsys.readouterr()
        monkeypatch.setattr(api, "run_finalists", run_here)
        assert main([command, str(folder.path)]) == 0
    said = f"did not come to an end; received full; run `mrisweep {command} {folder.path}`"
    assert said in failed.err
    for out in (failed.out, capsys.readouterr().out):
        assert "holdout/" in out, "the table of finalists"
        assert (f"folder  {folder.path}" in out) == (command == "resume"), "that of trials"
    assert len(FinalistFolder(folder).records()) == 4
    told = ["failure", "end"] if command == "resume" else []
    assert [word["event"] for word in hook.words] == told


def test_a_sweep_that_has_not_ended_has_no_finalists(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    record = folder.trials()[0]
    folder.write_trial(dataclasses.replace(record, status="running"))
    assert main(["finalists", str(folder.path)]) == 2
    assert "chosen once all trials have ended; received 1 that have not" in capsys.readouterr().err
    with pytest.raises(UserError, match="no such setting; received 'finalists"):
        finalists(folder.path, {"seed": 3})
