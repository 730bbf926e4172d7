"""Finalists, what is said of the sweep, and its report, as readers of trackers find them."""

import csv
import dataclasses
import io
import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest

from sweep.api import finalists as api
from sweep.api.finalists import follow_up
from sweep.api.run import sync_folder
from sweep.cluster import finalists as on_ray
from sweep.config.sweep import TrackingSettings
from sweep.core.records import CLEAN, missing_as_null, without_missing
from sweep.learn.finalist import trial_of
from sweep.results import choice, choice_file, differences, ranking
from sweep.results.callbacks import REPORT, aftermath
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.page import FINALISTS, SWEEPS, TRIALS, VIEW
from sweep.results.trackers import log_report, make_tracker
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finalists import config_with, ended, run_here

pytestmark = [
    pytest.mark.slow,
    # MLflow's own, see test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def steep(config: Any, run: Any, knobs: Any) -> Any:
    """One training diverges: that of batch norm with the second seed."""
    trial = trial_of(config, run, knobs)
    wild = dataclasses.replace(trial.train, lr=1e30, schedule="constant")
    diverges = run.norm == "batch" and run.seed == 1001
    return dataclasses.replace(trial, train=wild) if diverges else trial


@pytest.fixture(scope="module")
def told(
    store: Store, tracking_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> SweepFolder:
    """A sweep of two norms, told of its choice and of two finalists of each as they end."""
    config, place = config_with(store), tmp_path_factory.mktemp("told")
    shutil.copy(tracking_database, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        made = ended(place / "sweep", config, store)
        patch.setattr(api, "run_finalists", run_here)
        patch.setattr(api, "workers_at_a_time", lambda *_, **__: 2)
        patch.setattr(on_ray, "trial_of", steep)
        choice.keep_measured(made, pytest.fail)
        follow_up(made, config, store)
    return made


@pytest.fixture
def copy(told: SweepFolder, with_tables: None, tmp_path: Path) -> SweepFolder:
    """The folder alone, elsewhere, with nothing told yet."""
    shutil.copytree(told.path, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    folder.write_identity(dataclasses.replace(told.identity, place=str(folder.path)))  # as if moved
    return folder


def client(folder: SweepFolder) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=TrackingSettings().server(folder.path))


def runs(folder: SweepFolder, role: str) -> list[mlflow.entities.Run]:
    reader = client(folder)
    experiment = reader.get_experiment_by_name("ledger").experiment_id
    found = reader.search_runs([experiment], f"tags.role = '{role}'")
    return sorted(found, key=lambda run: str(run.info.run_name))


def artifact(folder: SweepFolder, run: mlflow.entities.Run, path: str) -> str:
    return Path(client(folder).download_artifacts(run.info.run_id, path)).read_text()


def table(folder: SweepFolder, run: mlflow.entities.Run, path: str) -> list[dict[str, Any]]:
    """One that MLflow's pages show as a table."""
    assert {"path": path, "type": "table"} in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    found = json.loads(artifact(folder, run, path))
    return [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]


def seen(folder: SweepFolder, *roles: str) -> dict[str, Any]:
    """All that a reader sees of runs, every metric's history and the content of texts included."""
    found: dict[str, Any] = {}
    for run in (run for role in roles for run in runs(folder, role)):
        reader, key = client(folder), run.info.run_id
        history = {
            name: sorted(
                (m.step, m.timestamp, m.value) for m in reader.get_metric_history(key, name)
            )
            for name in run.data.metrics
        }
        names = [item.path for at in (None, "finalists") for item in reader.list_artifacts(key, at)]
        texts = {
            name: artifact(folder, run, name) for name in names if name.endswith((".json", ".csv"))
        }
        tags = {k: v for k, v in run.data.tags.items() if k not in ("folder", "mlflow.parentRunId")}
        info = run.info.status, run.info.start_time, run.info.end_time
        assert run.info.run_name not in found, "a run for each"
        found[str(run.info.run_name)] = info, run.data.params, tags, history, sorted(names), texts
    return found


def test_a_finalist_is_a_run_with_its_scores_at_every_place(told: SweepFolder) -> None:
    finalists = FinalistFolder(told)
    records = {record.run.name: record for record in finalists.records()}
    found = runs(told, "finalist")
    assert [run.info.run_name for run in found] == [
        f"{told.path.name}/{norm}-trial-{number:04d}-seed-{seed}"
        for number, norm in enumerate(("batch", "group"))
        for seed in (1000, 1001)
    ], "by name they stand by norm, configuration and seed"
    assert {run.data.tags["finalist"] for run in found} == set(records)
    for run in found:
        record, values, tags = records[run.data.tags["finalist"]], run.data.metrics, run.data.tags
        params = run.data.params
        assert (params["model.norm"], params["seed"]) == (record.run.norm, str(record.run.seed))
        assert params["train.epochs"] == str(told.config().train.epochs)
        used = {one.tags[0].value for one in run.inputs.dataset_inputs}
        assert used == {"train", "validation", "test"}
        assert values == {
            f"{place}/{name}": value
            for place, scores in record.metrics.items()
            for name, value in without_missing(scores).items()
        }
        assert tags["status"] == record.status
        if record.status == "diverged":
            assert run.info.status == "FAILED"
            assert "not finite" in tags["error"]
            continue
        assert {name.split("/")[0] for name in values} == {"validation", "test"}
        assert json.loads(tags["intervals/test"])["patients"] == 8
        rows = table(told, run, "evaluation.json")
        assert list(rows[0])[:2] == ["cell", "auroc"], "what the page of tables opens with"
        assert len({row["cell"] for row in rows}) == len(rows)
        evaluation = {
            (row["place"], row["artifact"], row["level"], row["label"]): row for row in rows
        }
        for place in ("validation", "test"):
            scores = finalists.scores(record.run.name, place, record.epochs[0]).scores
            for score in scores:
                row = evaluation[place, *score.cell, score.label]
                assert row[score.metric] == score.value
                assert row["held_out"] == (score.cell.artifact in ("blur", "gibbs"))
                assert (row["knob"] == 0) == (score.cell == CLEAN)


def test_the_sweep_says_its_choice_its_finalists_and_their_differences(told: SweepFolder) -> None:
    (run,) = runs(told, "sweep")
    values, tags = run.data.metrics, run.data.tags
    made, found = choice_file.kept(told.path), differences.kept(told)
    assert values["choice/naive"] == made.best.naive
    assert values["choice/group/corrected"] == made.norms["group"].corrected
    assert json.loads(artifact(told, run, "choice.json"))["best"]
    rows = table(told, run, "finalists/table.json")
    counted = {row["norm"]: (row["place"], row["seeds"], row["diverged"]) for row in rows}
    assert counted == {"batch": ("test", 1, 1), "group": ("test", 2, 0)}
    whole = list(csv.DictReader(io.StringIO(artifact(told, run, "finalists/table.csv"))))
    means = {row["norm"]: float(row["clean/auroc"]) for row in whole}
    assert means == {row["norm"]: row["clean/auroc"] for row in rows}
    pairs = table(told, run, "finalists/differences.json")
    assert pairs == found.differences
    headline = next(row for row in pairs if row["score"] == "robust/auroc_mean")
    name = "difference/test/group less batch/robust/auroc_mean"
    assert values[name] == headline["difference"]
    assert {row["norm"] for row in table(told, run, "finalists/norms.json")} == set(counted)
    note = tags["mlflow.note.content"]
    assert headline["sentence"] in note
    assert "Diverged, without a score: trial-0000-seed-1001." in note
    assert "first looked at" in tags["test_access"]
    assert run.info.end_time == max(one.ended_at_ms for one in FinalistFolder(told).records())


def test_from_the_folder_alone_it_is_the_same_and_twice_changes_nothing(
    told: SweepFolder, copy: SweepFolder
) -> None:
    sync_folder(copy.path)
    first = seen(copy, "sweep", "finalist")
    assert first == {**seen(told, "sweep", "finalist")}
    sync_folder(copy.path)
    assert seen(copy, "sweep", "finalist") == first
    server = TrackingSettings().server(copy.path)
    assert {row.trial for row in ranking.of_server(server, "ledger")} == {
        "trial-0000",
        "trial-0001",
    }
    assert len(ranking.of_server(server, "ledger")) == 2, "a finalist is no trial"


def test_finalists_that_were_added_later_are_added_there(
    told: SweepFolder, copy: SweepFolder
) -> None:
    late = copy.path / "finalists" / "trial-0001-seed-1001.json"
    record = late.read_text()
    late.unlink()
    for there in (3, 4):
        differences.keep_measured(copy, copy.config(), pytest.fail)
        tracker = make_tracker("mlflow", copy, copy.config())
        for task in aftermath(copy):
            task(tracker)
        tracker.close(finished=True)
        assert len(runs(copy, "finalist")) == there
        (run,) = runs(copy, "sweep")
        assert sum(row["seeds"] for row in table(copy, run, "finalists/table.json")) == there - 1
        late.write_text(record)
        known = differences.kept(copy).differences
        assert bool(known) == (there == 4), "with as many runs as norms no spread is known"
    assert table(copy, run, "finalists/differences.json") == known
    assert seen(copy, "finalist") == seen(told, "finalist")
    (whole,) = runs(told, "sweep")
    assert run.data.metrics == whole.data.metrics, "the last that is said counts"
    assert run.info.end_time == whole.info.end_time


def test_the_experiment_offers_views_that_find_what_they_show(copy: SweepFolder) -> None:
    sync_folder(copy.path)
    reader = client(copy)
    experiment = reader.get_experiment_by_name("ledger")
    for key, role in {SWEEPS: "sweep", TRIALS: "trial", FINALISTS: "finalist"}.items():
        assert f"viewStateShareKey={key}" in experiment.tags["mlflow.note.content"]
        view = json.loads(experiment.tags[f"{VIEW}{key}"])
        state = json.loads(view["state"])
        order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
        shown = reader.search_runs([experiment.experiment_id], state["searchFilter"], 1, 9, [order])
        there = {"attributes.`Dataset`", "attributes.`Source`"}  # of every run
        for data in (run.data for run in shown):
            kinds = {"metrics": data.metrics, "params": data.params, "tags": data.tags}
            there |= {f"{kind}.`{name}`" for kind, of in kinds.items() for name in of}
        assert set(state["selectedColumns"]) <= there
        if role == "finalist":
            by = [str(run.info.run_name) for run in shown]
        else:
            by = [-run.data.metrics["best/robust/auroc_cvar"] for run in shown]
        assert len(by) == len(runs(copy, role))
        assert by == sorted(by)
    reader.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "my own words")
    make_tracker("mlflow", copy, copy.config())
    again = reader.get_experiment_by_name("ledger").tags
    assert again["mlflow.note.content"] == "my own words"


def test_a_report_is_kept_with_the_run_of_the_sweep(copy: SweepFolder) -> None:
    said: list[str] = []
    make_tracker("mlflow", copy, copy.config()).close(finished=False)
    for page, text in (("elsewhere.html", "<p>early</p>"), (REPORT, "<p>grün</p>")):
        (copy.path / page).write_text(text, encoding="utf-8")
        log_report(copy, copy.path / page, said.append)
        (run,) = runs(copy, "sweep")
        assert artifact(copy, run, REPORT) == text
        assert run.info.status == "KILLED", (
            "a report does not say that an interrupted sweep goes on"
        )
    assert said == []
    (copy.path / REPORT).write_text("<p>later</p>", encoding="utf-8")
    sync_folder(copy.path)
    (run,) = runs(copy, "sweep")
    assert artifact(copy, run, REPORT) == "<p>later</p>"
    assert run.info.status == "FINISHED"


def test_a_server_that_is_down_costs_no_finalist_and_no_report(
    copy: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copy.config().replace({"tracking.uri": "sqlite:////proc/none/mlflow.db"})
    copy.write_config(config)
    follow_up(copy, config, store)
    assert f"run `mrisweep sync {copy.path}`" in capsys.readouterr().err
    said: list[str] = []
    (copy.path / REPORT).write_text("<p>page</p>", encoding="utf-8")
    log_report(copy, copy.path / REPORT, said.append)
    assert f"run `mrisweep sync {copy.path}`" in said[-1]
    follow_up(copy, config, store, without=["mlflow"])
    assert capsys.readouterr().err == "", "who was given up before is not waited for again"


def test_lines_have_each_finalist_once(copy: SweepFolder) -> None:
    copy.write_config(copy.config().replace({"tracking.to": ["jsonl"]}))
    for _ in range(2):
        sync_folder(copy.path)
    lines = map(json.loads, (copy.path / "log.jsonl").read_text().splitlines())
    found = [line for line in lines if line["event"] == "finalist"]
    records = FinalistFolder(copy).records()
    assert [line["name"] for line in found] == [record.run.name for record in records]
    for line, record in zip(found, records, strict=True):
        assert (line["status"], line["seed"]) == (record.status, record.run.seed)
        assert line["metrics"] == {
            place: missing_as_null(scores) for place, scores in record.metrics.items()
        }
