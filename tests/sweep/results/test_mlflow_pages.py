"""What a person finds in MLflow: how far a sweep is, what was set, which data, and where it is."""

import dataclasses
import json
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from sweep.api.run import sync_folder
from sweep.config.sweep import SweepConfig, TrackingSettings
from sweep.core.records import TrialRecord
from sweep.results import ranking
from sweep.results.callbacks import history
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.server import artifacts_beside
from sweep.results.mlflow.tracker import MLflowTracker
from sweep.store import Store
from tests.support.tracked import contents, differing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("with_tables"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def runs_of(folder: SweepFolder, role: str, uri: str | None = None) -> dict[str, Run]:
    """By trial, where there are any."""
    client = mlflow.MlflowClient(tracking_uri=uri or TrackingSettings().server(folder.path))
    experiment = client.get_experiment_by_name("ledger").experiment_id
    found = client.search_runs([experiment], f"tags.role = '{role}'")
    return {run.data.tags.get("trial", ""): run for run in found}


def sweep_run(folder: SweepFolder) -> Run:
    (run,) = runs_of(folder, "sweep").values()
    return run


def running(record: TrialRecord) -> TrialRecord:
    return dataclasses.replace(record, status="running", ended_at_ms=None)


def test_the_sweeps_run_says_how_far_it_is_and_which_trial_is_the_best_while_it_runs(
    folder: SweepFolder,
) -> None:
    objective = folder.config().search.objective
    records = folder.trials()
    for record in records:
        folder.write_trial(running(record))
    tracker = MLflowTracker(folder, folder.config())
    tags = sweep_run(folder).data.tags
    assert (tags["trials"], tags["best_trial"]) == ("0 of 2", "none yet")
    assert "No trial has a score yet" in tags["mlflow.note.content"]
    for record in records:
        folder.write_trial(record)
        tracker.began(record)
        tracker.ended(record)
        ended = [one for one in folder.trials() if one.status != "running"]
        rows = ranking.of_trials(folder.path, ended)
        (best,) = ranking.best(rows, objective, top=1)
        run = sweep_run(folder)
        assert run.data.tags["trials"] == f"{len(ended)} of 2"
        assert run.data.tags["best_trial"] == best.trial
        assert run.data.tags["best_norm"] == best.norm
        assert run.data.metrics[f"best/{objective}"] == best.metrics[objective]
        assert f"Best: {best.trial} ({best.norm})" in run.data.tags["mlflow.note.content"]
    live = contents(TrackingSettings().server(folder.path), "ledger")
    sync_folder(folder.path)  # the choice is not measured of so few patients
    again = sweep_run(folder)
    assert again.data.metrics[f"best/{objective}"] == best.metrics[objective]
    key = next(key for key in live if key[1] == "sweep")
    told = contents(TrackingSettings().server(folder.path), "ledger")
    assert told[key][0].metrics == live[key][0].metrics


def test_sweeps_that_differ_in_a_fixed_setting_do_not_compare_as_equal(
    folder: SweepFolder, config: SweepConfig
) -> None:
    sync_folder(folder.path)
    for record in folder.trials():
        run = runs_of(folder, "trial")[record.trial]
        fixed = config.fixed(record.params)
        params = run.data.params
        assert params["train.epochs"] == str(config.train.epochs)
        assert params["train.lr"] == json.dumps(fixed.train.lr)
        assert params["stress.artifacts"] == json.dumps(list(config.stress.artifacts))
        assert params["data.normalize"] == config.data.normalize
        assert params["seed"] == str(config.seed)
        assert not [name for name in params if name.startswith(("search.", "cluster."))]
    params = sweep_run(folder).data.params
    assert params["search.sampler"] == config.search.sampler
    assert params["search.space.model.norm.choice"] == '["batch", "group"]'
    assert "model.norm" not in params, "it is searched, and has no one value"
    assert "search.trials" not in params, "which a resumed sweep may have more of"


def test_a_setting_longer_than_mlflow_takes_is_cut_and_many_are_all_there(
    folder: SweepFolder,
) -> None:
    names = [f"motion-{'x' * 60}{number}" for number in range(101)]
    options = {name: {"order": "interleaved"} for name in names}
    wanted = {"stress.options": options, "train.augment.artifacts": names}
    folder.write_config(folder.config().replace(wanted))
    sync_folder(folder.path)
    params = runs_of(folder, "trial")["trial-0000"].data.params
    told = [name for name in params if name.startswith("stress.options")]
    assert len(told) == len(names)
    assert len(params["train.augment.artifacts"]) == 6000
    assert params["train.augment.artifacts"].endswith("...")
    assert params["train.epochs"] == "2"


def test_data_are_the_input_of_sweep_and_trials_with_fingerprint_use_and_place(
    folder: SweepFolder, store: Store
) -> None:
    folder.write_config(folder.config().replace({"data.fingerprint": store.fingerprint}))
    sync_folder(folder.path)
    runs = [sweep_run(folder), *runs_of(folder, "trial").values()]
    for run in runs:
        used = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
        assert [(use, one.name) for use, one in sorted(used.items())] == [
            ("train", "tiny [1, 2]"),
            ("validation", "tiny [3]"),
        ]
        for one in used.values():
            assert store.fingerprint.startswith(one.digest)
            assert json.loads(one.profile)["fingerprint"] == store.fingerprint
            assert mlflow.data.get_source(one).uri == str(store.path)


def test_runs_are_named_with_their_sweep_and_say_where_they_come_from(folder: SweepFolder) -> None:
    sync_folder(folder.path)
    assert runs_of(folder, "trial")["trial-0001"].info.run_name == "sweep/trial-0001-group"
    for run in (sweep_run(folder), *runs_of(folder, "trial").values()):
        version = folder.identity.code_version
        assert run.data.tags["mlflow.source.name"] == f"mrisweep {version}"
        assert run.data.tags["mlflow.source.type"] == "LOCAL"


def test_what_an_earlier_version_told_is_completed_and_stays_what_it_was(
    folder: SweepFolder,
) -> None:
    """Its runs had the searched values alone as parameters, no data, and another digest."""
    uri = TrackingSettings().server(folder.path)
    client = mlflow.MlflowClient(tracking_uri=uri)
    record, other = folder.trials()
    place, mine = str(folder.path.parent / "artifacts"), {"mlflow.note.content": "mine"}
    experiment = client.create_experiment("ledger", artifact_location=place, tags=mine)
    identity = folder.identity
    parent = client.create_run(experiment, tags={"sweep_id": identity.sweep_id, "role": "sweep"})
    for one in (record, other):
        tags = {"sweep_id": identity.sweep_id, "role": "trial", "trial": one.trial, "told": "old"}
        tags |= {"norm": one.norm, "seed": "0", "status": one.status, "folder": str(folder.path)}
        tags |= {"mlflow.parentRunId": parent.info.run_id}
        run = client.create_run(experiment, tags=tags, run_name=f"{one.trial}-{one.norm}")
        client.log_param(run.info.run_id, "model.norm", one.norm)
        for name, value in {"best/epoch": 1, "best/robust/auroc_cvar": 0.5}.items():
            client.log_metric(run.info.run_id, name, value, timestamp=1, step=0)
        client.set_terminated(run.info.run_id)
    before = {name: run.info.run_id for name, run in runs_of(folder, "trial").items()}
    asked = ranking.of_server(uri, "ledger")
    assert [row.params for row in asked] == [{"model.norm": row.norm} for row in asked]
    sync_folder(folder.path)
    after = runs_of(folder, "trial")
    assert {name: run.info.run_id for name, run in after.items()} == before
    for run in after.values():
        assert run.data.params["train.epochs"] == "2"
        assert len(run.inputs.dataset_inputs) == 2
    first = contents(uri, "ledger")
    assert client.get_experiment_by_name("ledger").tags["mlflow.note.content"] == "mine"
    sync_folder(folder.path)
    assert differing(first, contents(uri, "ledger")) == []
    rows = ranking.best(ranking.of_server(uri, "ledger"), "robust/auroc_cvar")
    assert [row.params for row in rows] == [{"model.norm": row.norm} for row in rows]


def test_artifacts_lie_beside_a_database_of_ones_own_and_not_where_a_process_works(
    folder: SweepFolder,
    tracking_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine, work = tmp_path / "mine", tmp_path / "work"
    mine.mkdir()
    work.mkdir()
    (mine / "own.db").write_bytes(tracking_database.read_bytes())
    monkeypatch.chdir(work)
    uri = f"sqlite:///{mine / 'own.db'}"
    folder.write_config(folder.config().replace({"tracking.uri": uri, "tracking.models": 1}))
    sync_folder(folder.path)
    assert list(work.iterdir()) == []
    assert sorted(one.name for one in mine.iterdir()) == ["mlartifacts", "own.db"]
    assert list((mine / "mlartifacts" / "models").iterdir())
    for run in runs_of(folder, "trial", uri).values():
        assert run.info.artifact_uri.startswith((mine / "mlartifacts").as_uri())


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("sqlite:////data/x.db", "file:///data/mlartifacts"),
        ("sqlite+pysqlite:////data/x.db", "file:///data/mlartifacts"),
        ("sqlite://", "file:///sweeps/mlartifacts"),
        ("postgresql://ann@db/mlflow", "file:///sweeps/mlartifacts"),
        ("mysql+pymysql://ann@db/mlflow", "file:///sweeps/mlartifacts"),
        ("http://mlflow.example:5000", None),
        ("databricks", None),
    ],
)
def test_no_database_leaves_its_artifacts_in_the_current_folder(
    address: str, place: str | None
) -> None:
    assert artifacts_beside(address, Path("/sweeps/one")) == place


def test_history_is_told_twice_and_changes_nothing(folder: SweepFolder) -> None:
    uri = TrackingSettings().server(folder.path)
    for _ in range(2):
        tracker = MLflowTracker(folder, folder.config())
        for task in history(folder):
            task(tracker)
    first = contents(uri, "ledger")
    for task in history(folder):
        task(tracker)
    assert differing(first, contents(uri, "ledger")) == []
