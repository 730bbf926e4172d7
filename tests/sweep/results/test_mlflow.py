"""MLflow holds what the folder holds, once, however often it is written."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.utils.proto_json_utils import parse_tf_serving_input

import mrimodels
from sweep.api.run import sync_folder
from sweep.config.sweep import SweepConfig, TrackingSettings
from sweep.core.errors import UserError
from sweep.core.records import without_missing
from sweep.learn.inputs import normalize
from sweep.metrics import metrics
from sweep.results import ranking
from sweep.results.folder import SweepFolder
from sweep.results.trackers import start_trackers
from sweep.store import Store
from tests.support import networks
from tests.support.finished import run_trial, score_modes
from tests.support.plugins import install
from tests.support.tracked import contents, differing

# MLflow's own: its mappers use a loader strategy that SQLAlchemy is about to drop, and its tracing
# and signature helpers warn of each other.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("with_tables"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def client(folder: SweepFolder) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=TrackingSettings().server(folder.path))


def snapshot(folder: SweepFolder) -> dict[Any, Any]:
    return contents(TrackingSettings().server(folder.path), "ledger")


def trial_runs(folder: SweepFolder) -> dict[str, mlflow.entities.Run]:
    reader = client(folder)
    experiment = reader.get_experiment_by_name("ledger").experiment_id
    runs = reader.search_runs([experiment], "tags.role = 'trial'")
    return {run.data.tags["trial"]: run for run in runs}


def test_syncing_twice_changes_nothing(folder: SweepFolder, config: SweepConfig) -> None:
    assert sync_folder(folder.path) == 2
    first = snapshot(folder)
    assert sync_folder(folder.path) == 2
    assert differing(first, snapshot(folder)) == []


def test_the_front_of_two_objectives_is_told_once(folder: SweepFolder) -> None:
    two = ("clean/auroc", "robust/auroc_mean")
    wanted = {"search.objectives": list(two), "search.objective": "auto"}
    folder.write_config(folder.config().replace(wanted))
    sync_folder(folder.path)
    first = snapshot(folder)
    rows = ranking.best(ranking.of_folder(folder.path), two[0], objectives=two)
    for row in rows:
        tag = trial_runs(folder)[row.trial].data.tags["pareto"]
        assert tag == ("front" if row.pareto_rank == 0 else "behind")
    (parent,) = client(folder).search_runs(
        [trial_runs(folder)["trial-0000"].info.experiment_id], "tags.role = 'sweep'"
    )
    covered = ranking.hypervolumes(rows, two)
    told = {name: value for name, value in parent.data.metrics.items() if "pareto" in name}
    assert told == {
        "pareto/hypervolume": covered[None],
        "pareto/hypervolume/batch": covered["batch"],
        "pareto/hypervolume/group": covered["group"],
    }
    assert ranking.objectives_of_server(TrackingSettings().server(folder.path), "ledger") == two
    sync_folder(folder.path)
    assert differing(first, snapshot(folder)) == []


def test_what_the_contract_names_is_there(folder: SweepFolder, config: SweepConfig) -> None:
    sync_folder(folder.path)
    reader, runs = client(folder), trial_runs(folder)
    parents = reader.search_runs([runs["trial-0000"].info.experiment_id], "tags.role = 'sweep'")
    assert [run.info.status for run in parents] == ["FINISHED"]
    for record in folder.trials():
        run = runs[record.trial]
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert run.data.params["model.norm"] == record.norm
        for name, value in {"norm": record.norm, "arch": "preact_resnet18"}.items():
            assert run.data.tags[name] == value
        for epoch in folder.epochs(record.trial):
            present = without_missing({**epoch.metrics, "train/loss": epoch.train_loss})
            for name, value in present.items():
                points = {m.step: m.value for m in reader.get_metric_history(run.info.run_id, name)}
                assert points[epoch.epoch] == value
        best = folder.epoch(record.trial, record.best_epoch)
        curve = reader.get_metric_history(run.info.run_id, "stress/rician/auroc")
        assert sorted(point.step for point in curve) == [0, 1, 5]
        at_5 = [
            score.value
            for score in best.scores
            if (score.cell, score.metric) == (("rician", 5), "auroc")
        ]
        assert {p.step: p.value for p in curve}[5] == pytest.approx(sum(at_5) / 2)
        files = {item.path for item in reader.list_artifacts(run.info.run_id)}
        assert files >= {"config.yaml", "severity.png"}
        assert run.data.metrics["best/robust/auroc_cvar"] == record.metrics["robust/auroc_cvar"]


def logged(folder: SweepFolder) -> dict[str, mlflow.entities.LoggedModel]:
    """By the names of their trials; of each one, linked at its epoch."""
    runs, found = trial_runs(folder), {}
    records = {record.trial: record for record in folder.trials()}
    experiment = next(iter(runs.values())).info.experiment_id
    for model in client(folder).search_logged_models([experiment]):
        trial = model.tags["trial"]
        assert trial not in found
        found[trial] = model
        outputs = client(folder).get_run(runs[trial].info.run_id).outputs.model_outputs
        assert [(one.model_id, one.step) for one in outputs] == [
            (model.model_id, records[trial].best_epoch)
        ]
    return found


def loaded(folder: SweepFolder, model: mlflow.entities.LoggedModel) -> torch.nn.Module:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(TrackingSettings().server(folder.path))
    try:
        return mlflow.pytorch.load_model(f"models:/{model.model_id}")
    finally:
        mlflow.set_tracking_uri(before)


def best_checkpoint(folder: SweepFolder, trial: str) -> torch.nn.Module:
    (record,) = (record for record in folder.trials() if record.trial == trial)
    return mrimodels.load(folder.checkpoint(record.trial, record.best_epoch))[0].eval()


def probabilities(folder: SweepFolder, trial: str, images: torch.Tensor) -> torch.Tensor:
    """What the network of a trial says of images (N, 1, H, W) as they are stored."""
    scaled = normalize(images[:, 0], folder.config().data.normalize)
    with torch.inference_mode():
        return best_checkpoint(folder, trial)(scaled).softmax(dim=1)


def test_a_logged_model_takes_images_as_stored_and_gives_probabilities_without_code(
    folder: SweepFolder, config: SweepConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_config(config.replace({"tracking.models": 1}))
    sync_folder(folder.path)
    models = logged(folder)
    assert set(models) == set(trial_runs(folder)), "the best of each norm"
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    for trial, model in models.items():
        assert model.tags["format"] == "pt2"
        network = loaded(folder, model)
        for images in (store.images[:1], store.images[:5, :20, :17]):
            x = torch.from_numpy(images.copy())[:, None]
            torch.testing.assert_close(network(x), probabilities(folder, trial, x))


def test_a_logged_model_answers_as_a_server_asks_it_and_says_what_it_takes(
    folder: SweepFolder, config: SweepConfig, store: Store
) -> None:
    """``mlflow models serve`` reads JSON, holds it to the signature, and calls ``predict``."""
    folder.write_config(config.replace({"tracking.models": 1}))
    sync_folder(folder.path)
    trial, model = next(iter(logged(folder).items()))
    served = mlflow.pyfunc.load_model(str(Path(model.artifact_location.removeprefix("file://"))))
    images = store.images[:2]
    given = json.loads(json.dumps({"inputs": images[:, None].tolist()}))
    answer = served.predict(parse_tf_serving_input(given, served.metadata.get_input_schema()))
    expected = probabilities(folder, trial, torch.from_numpy(images.copy())[:, None])
    np.testing.assert_allclose(answer, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
    labels = ", ".join(store.label_names)
    assert served.metadata.get_output_schema().input_names() == [f"probabilities of {labels}"]
    assert "as stored" in model.tags["mlflow.note.content"]
    assert labels in model.tags["mlflow.note.content"]
    place = Path(model.artifact_location.removeprefix("file://"))
    needed = (place / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in needed)
    assert not [line for line in needed if line.startswith("mrisweep")]


def test_models_of_before_stay_and_are_read_beside_new_ones(
    folder: SweepFolder, config: SweepConfig, store: Store
) -> None:
    """Each trial had one, which was pickled."""
    sync_folder(folder.path)
    trial, run = next(iter(trial_runs(folder).items()))
    old, there = best_checkpoint(folder, trial), client(folder)
    tags = {"trial": trial, "epoch": "1"}
    model = there.create_logged_model(run.info.experiment_id, "old", run.info.run_id, tags)
    mlflow.pytorch.save_model(
        old, str(folder.path / "old"), serialization_format="pickle", pip_requirements=["torch"]
    )
    there.log_model_artifacts(model.model_id, str(folder.path / "old"))
    there.finalize_logged_model(model.model_id, "READY")
    folder.write_config(config.replace({"tracking.models": "all"}))
    sync_folder(folder.path)
    models = {
        one.tags["trial"]: one for one in there.search_logged_models([run.info.experiment_id])
    }
    assert set(models) == set(trial_runs(folder))
    assert models[trial].model_id == model.model_id
    x = torch.from_numpy(store.images[:2].copy())[:, None]
    torch.testing.assert_close(loaded(folder, models[trial])(x), old(x), atol=0, rtol=0)


def test_a_network_that_is_no_graph_is_logged_as_it_is(
    config: SweepConfig, store: Store, tmp_path: Path
) -> None:
    own = {"arch": f"{networks.__name__}:Choosing", "norm": "batch"}
    wanted = {"model": own, "search.space": {}, "search.trials": 1, "tracking.models": "all"}
    folder = SweepFolder.create(tmp_path / "sweep", config.replace(wanted))
    run_trial(folder, folder.config(), store, 0, {"train.lr": 0.001})
    sync_folder(folder.path)
    (trial, model), *_ = logged(folder).items()
    assert model.tags["format"] == "pickle"
    x = torch.from_numpy(store.images[:2].copy())[:, None]
    torch.testing.assert_close(loaded(folder, model)(x), probabilities(folder, trial, x))


def test_folder_and_server_give_the_same_answer(folder: SweepFolder, store: Store) -> None:
    score_modes(folder, store, "blend", "precise")
    sync_folder(folder.path)
    uri = TrackingSettings().server(folder.path)
    assert ranking.objective_of_server(uri, "ledger") == "robust/auroc_cvar"
    assert ranking.objectives_of_server(uri, "ledger") == ()
    answers = [
        ranking.best(ranking.of_folder(folder.path), "robust/auroc_cvar"),
        ranking.best(ranking.of_server(uri, "ledger"), "robust/auroc_cvar"),
    ]
    as_json = [json.dumps([dataclasses.asdict(row) for row in a], sort_keys=True) for a in answers]
    assert as_json[0] == as_json[1]
    assert sorted(row.mode for row in answers[0]) == ["blend", "precise", "trained", "trained"]


def test_an_experiment_that_is_not_there_is_named_with_those_that_are(
    folder: SweepFolder, config: SweepConfig
) -> None:
    sync_folder(folder.path)
    with pytest.raises(
        UserError, match=r"no such experiment on .*; received 'leger'; take one of .*ledger"
    ):
        ranking.of_server(TrackingSettings().server(folder.path), "leger")


def test_a_new_metric_is_there_without_a_line_for_it(
    folder: SweepFolder, config: SweepConfig
) -> None:
    sync_folder(folder.path)
    record, run = folder.trials()[0], trial_runs(folder)["trial-0000"]
    name = "robust/balanced_accuracy_cvar"
    assert run.data.metrics[name] == folder.epochs("trial-0000")[-1].metrics[name]
    assert run.data.metrics[f"best/{name}"] == record.metrics[name]
    assert run.data.metrics[f"interval/{name}/low"] == record.intervals[name][0]
    curve = client(folder).get_metric_history(run.info.run_id, "stress/bias/balanced_accuracy")
    assert sorted(point.step for point in curve) == [0, 1, 5]


def test_a_metric_that_a_package_added_after_the_sweep_is_left_out(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path / "site",
        monkeypatch,
        {"mrisweep.metrics": {"late": "late_metric:LATE"}},
        late_metric="from sweep.metrics import Metric\n"
        "from sweep.metrics.functions import auroc\n"
        "LATE = Metric('late', auroc)\n",
    )
    metrics.cache_clear()
    try:
        assert "late" in metrics()
        assert sync_folder(folder.path) == len(folder.trials())
    finally:
        metrics.cache_clear()
    runs = trial_runs(folder).values()
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not [name for run in runs for name in run.data.metrics if "late" in name]


def test_a_trial_that_failed_is_a_run_that_failed(folder: SweepFolder, config: SweepConfig) -> None:
    failed = dataclasses.replace(
        folder.trials()[0], status="failed", error="it diverged", best_epoch=None, metrics={}
    )
    folder.write_trial(failed)
    sync_folder(folder.path)
    run = trial_runs(folder)[failed.trial]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "it diverged")


def test_a_trial_that_is_tried_again_leaves_no_failure_behind(
    folder: SweepFolder, config: SweepConfig
) -> None:
    """Its run is then as if it had gone well at once."""
    sync_folder(folder.path)
    before = snapshot(folder)
    record = folder.trials()[0]
    lost = dataclasses.replace(record, status="failed", error="its worker died", failure="died")
    for one in (lost, dataclasses.replace(record, status="running"), record):
        folder.write_trial(one)
        sync_folder(folder.path)
        run = trial_runs(folder)[record.trial]
        assert ("error" in run.data.tags) == ("failure" in run.data.tags) == (one is lost)
    assert snapshot(folder) == before


def test_a_server_that_is_down_is_said_and_raises_nothing(
    folder: SweepFolder, config: SweepConfig
) -> None:
    said: list[str] = []
    tracking = TrackingSettings(uri="sqlite:////proc/none/mlflow.db")
    (running,) = start_trackers(folder, dataclasses.replace(config, tracking=tracking), said.append)
    running.began(folder.trials()[0])
    running.close(finished=True)
    assert said[0].startswith("MLflow does not take the results; received ")
    assert f"run `mrisweep sync {folder.path}`" in said[-1]
