"""Comparisons as a user asks for them: the same patients, cells and pixels, or none."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sweep.api import finalists as api
from sweep.api.compare import compare
from sweep.cli import main
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Predictions
from sweep.metrics.summary import macro_by_cell
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.stats import checkpoint, difference
from sweep.store import Store
from tests.support.finalists import config_with, driven, run_here
from tests.support.finished import finished_sweep, run_trial
from tests.support.stores import make_store


@pytest.fixture(autouse=True)
def four_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For intervals of the tiny store."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)


@pytest.fixture(scope="module")
def folder(compared_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    path = tmp_path_factory.mktemp("compare") / "sweep"
    return SweepFolder(Path(shutil.copytree(compared_sweep, path)))


def asked(folder: SweepFolder, *arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["compare", str(folder.path), *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_two_trials_differ_by_what_best_says(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(folder, "trial-0000", "trial-0001", capsys=capsys)
    one, other = folder.trials()[:2]
    primary = found["primary"]
    expected = one.metrics["robust/auroc_mean"] - other.metrics["robust/auroc_mean"]
    assert primary["difference"] == pytest.approx(expected), "as many levels of each artifact"
    assert primary["interval"][0] <= primary["difference"] <= primary["interval"][1]
    assert {"metric", "difference", "interval", "p", "patients", "df"} <= set(primary)
    cells = {(cell["artifact"], cell["level"]): cell["difference"] for cell in found["cells"]}
    macros = [
        macro_by_cell(folder.epoch(trial.trial, trial.best_epoch).scores, "auroc")
        for trial in (one, other)
    ]
    assert cells == pytest.approx(
        {tuple(cell): macros[0][cell] - macros[1][cell] for cell in macros[0] if cell != CLEAN}
    )


def test_the_other_way_round_it_is_the_other_sign(folder: SweepFolder) -> None:
    there = compare(folder.path, "trial-0000", "trial-0003").primary
    back = compare(folder.path, "trial-0003", "trial-0000").primary
    assert there.difference == pytest.approx(-back.difference)
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-9)
    assert there.p == pytest.approx(back.p)


def test_a_missing_cell_has_no_p_and_the_others_keep_theirs(
    folder: SweepFolder, tmp_path: Path
) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = SweepFolder.open(tmp_path / "copy")
    record = copy.trials()[0]
    predictions, slices = copy.predictions(record.trial, record.best_epoch)
    lost = predictions[-1].cell
    blank = np.full_like(predictions[-1].log_odds, np.nan)
    holed = [*predictions[:-1], Predictions(lost, blank)]
    epoch = copy.epoch(record.trial, record.best_epoch)
    copy.write_epoch(epoch, holed, slices)
    comparisons = [compare(path, "trial-0000", "trial-0003") for path in (folder.path, copy.path)]
    whole, found = (
        {(cell.artifact, cell.level): cell for cell in one.cells} for one in comparisons
    )
    missing = found.pop(tuple(lost))
    assert missing.reason == f"there is no value in {lost.artifact} {lost.level}"
    assert math.isnan(missing.p)
    assert math.isnan(missing.p_adjusted)
    for cell, one in found.items():
        assert one.p == whole[cell].p
        assert one.p_adjusted <= whole[cell].p_adjusted, "one cell less is adjusted for"


def test_a_trial_in_another_mode_is_compared_with_itself(folder: SweepFolder) -> None:
    found = compare(folder.path, "trial-0000:blend", "trial-0000")
    record = folder.trials()[0]
    expected = record.modes["blend"].metrics["clean/auroc"] - record.metrics["clean/auroc"]
    clean = next(one for one in found.summaries if one.score == "clean/auroc")
    assert clean.difference == pytest.approx(expected)


def test_norms_are_compared_on_what_their_finalists_were_asked(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(folder, "group", "batch", capsys=capsys)
    assert (found["unit"], found["place"]) == ("configurations", "test")
    records = FinalistFolder(folder).records()
    means = {
        norm: [r.metrics["test"]["clean/auroc"] for r in records if r.run.norm == norm]
        for norm in ("group", "batch")
    }
    clean = next(one for one in found["summaries"] if one["score"] == "clean/auroc")
    expected = sum(means["group"]) / 6 - sum(means["batch"]) / 6
    assert clean["difference"] == pytest.approx(expected)
    scores = {one["score"] for one in found["summaries"]}
    assert {"robust/auroc_cvar_fixed", "holdout/auroc_mean"} <= scores
    assert any("first looked at" in note for note in found["notes"])
    means_said = found["norms"]["robust/auroc_mean"]["means"]
    assert [(one["norm"], one["runs"]) for one in means_said] == [("batch", 3), ("group", 3)]
    twins = "a configuration counts once that scores as another with every seed: 1 of"
    assert [note for note in found["notes"] if "counts once" in note] == [
        f"{twins} batch",
        f"{twins} group",
    ], "the two trials of a norm differ by their seed alone, which finalists do not have"
    held_out = [cell for cell in found["cells"] if cell["artifact"] in ("blur", "gibbs")]
    assert held_out


def test_a_rule_stands_for_the_finalist_that_it_chooses_on_validation_patients(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    records = FinalistFolder(folder).records()
    own: dict[str, list[float]] = {}
    for record in records:
        own.setdefault(record.run.trial, []).append(record.metrics["validation"]["clean/brier"])
    least = min(own, key=lambda trial: (sum(own[trial]), -int(trial[-4:])))
    found = asked(folder, "by:clean/brier", "batch", capsys=capsys)
    norm = next(record.run.norm for record in records if record.run.trial == least)
    assert found["notes"][0] == f"by:clean/brier chooses {least} ({norm})"
    clean = next(one for one in found["summaries"] if one["score"] == "clean/auroc")
    means = {
        least: [r.metrics["test"]["clean/auroc"] for r in records if r.run.trial == least],
        "batch": [
            r.metrics["test"]["clean/auroc"]
            for r in records
            if r.run.norm == "batch" and r.run.trial != least
        ],
    }
    expected = sum(means[least]) / len(means[least]) - sum(means["batch"]) / len(means["batch"])
    assert clean["difference"] == pytest.approx(expected)


def test_arms_have_finalists_and_are_compared_as_norms_are(store: Store, tmp_path: Path) -> None:
    arms = {"batch": {"model.norm": "batch"}, "turned": {"model.norm": "batch"}}
    arms["turned"]["train.augment.rotate"] = 20
    config = config_with(store, seeds=2)
    config = config.replace({"search.space": {}, "search.arms": arms})
    made = SweepFolder.create(tmp_path / "sweep", config)
    for number, arm in enumerate(("batch", "turned", "turned")):
        run_trial(made, config, store, number, {"arm": arm})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "run_finalists", run_here)
        patch.setattr(api, "workers_at_a_time", lambda *_, **__: 2)
        records = driven(made, store).records()
    assert sorted((one.run.params["arm"], one.run.seed) for one in records) == [
        ("batch", 1000),
        ("batch", 1001),
        ("turned", 1000),
        ("turned", 1001),
    ]
    config = made.config()
    assert config.trial(records[-1].run.params).train.augment.rotate == 20
    found = compare(made.path, "turned", "batch")
    assert (found.a, found.b, found.place) == ("turned", "batch", "test")
    means = {
        arm: [
            one.metrics["test"]["robust/auroc_mean"]
            for one in records
            if one.run.params["arm"] == arm
        ]
        for arm in arms
    }
    expected = sum(means["turned"]) / 2 - sum(means["batch"]) / 2
    assert found.primary.difference == pytest.approx(expected)
    with pytest.raises(UserError, match="a norm or an arm is compared with another"):
        compare(made.path, "turned", "group")


def test_without_finalists_norms_are_those_of_the_search_and_it_is_said(
    folder: SweepFolder, tmp_path: Path
) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "finalists")
    found = compare(tmp_path / "copy", "group", "batch")
    assert found.place == "validation"
    assert "these are trials of the search" in found.notes[0]
    stops = SweepFolder.open(folder.path).config().search.scheduler != "none"
    assert ("early stopping" in found.notes[0]) == stops
    with pytest.raises(UserError, match="the sweep has no finalists"):
        compare(tmp_path / "copy", "group", "batch", place="test")


def test_a_sweep_stands_for_its_best_trial(folder: SweepFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    found = compare(folder.path, "trial-0001", str(tmp_path / "copy"))
    assert not math.isnan(found.primary.difference)
    config = folder.config()
    for changes, said in {
        "stress.seed": "stress.seed differs; received 0 and 7",
        "data.scan_draws": "data.scan_draws differs",
    }.items():
        value = 7 if changes == "stress.seed" else False
        SweepFolder(tmp_path / "copy").write_config(config.replace({changes: value}))
        with pytest.raises(UserError, match=said):
            compare(folder.path, "trial-0001", str(tmp_path / "copy"))
    SweepFolder(tmp_path / "copy").write_config(config.replace({"stress.grid": "calibrated"}))
    with pytest.raises(UserError, match="one of their cells differs; received bias 5 in one of"):
        compare(folder.path, "trial-0001", str(tmp_path / "copy"))


def test_a_table_is_written_once(
    folder: SweepFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "difference.parquet"
    command = ["compare", str(folder.path), "group", "batch", "--out", str(out)]
    assert main(command) == 0
    table = pq.read_table(out).to_pylist()
    assert table[0]["score"] == "robust/auroc_mean"
    assert {"a", "b", "low", "high", "p", "p_adjusted", "artifact", "level"} <= set(table[0])
    assert "this configuration of group" in capsys.readouterr().out
    assert main(command) == 2
    assert "the output exists" in capsys.readouterr().err
    assert main([*command[:-1], str(tmp_path / "difference.csv")]) == 0
    with (tmp_path / "difference.csv").open(newline="") as file:
        (first, *_) = csv.DictReader(file)
    assert list(first) == list(table[0])
    assert float(first["low"]) == table[0]["low"]


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("trial-0000", "trial-0000", "the two are the same"),
        ("batch", "trial-0000", "a norm or an arm is compared with another"),
        ("trial-0009", "trial-0000", "no such trial; received 'trial-0009'"),
        ("grupp", "batch", "a norm or an arm is compared with another"),
        ("by:clean/aurok", "batch", "no finalist with this score on validation patients"),
        ("by:clean/auroc", "by:1 clean/auroc", "both rules choose the same finalist"),
        ("trial-0000:blond", "trial-0000", "is not scored in this mode; received 'blond'"),
        ("nothing", "trial-0000", "there is no such trial, norm or sweep; received 'nothing'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    folder: SweepFolder, a: str, b: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(folder.path), a, b]) == 2
    assert said in capsys.readouterr().err


def test_too_few_patients_leave_no_interval_between_trials(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST", 10)
    found = asked(folder, "trial-0000", "trial-0001", capsys=capsys)
    assert found["primary"]["interval"] == [None, None]
    assert "a is shown by 4 patients" in found["primary"]["reason"]
    assert found["primary"]["difference"] is not None
    assert difference.RESAMPLES == 2000


def test_too_few_patients_leave_no_test_of_norms(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST", 10)
    found = asked(folder, "group", "batch", capsys=capsys)
    assert found["primary"]["interval"] == [None, None]
    assert found["primary"]["p"] is None
    assert "neither intervals nor tests: a is shown by 4 patients" in found["primary"]["reason"]
    assert len([note for note in found["notes"] if "a is shown by 4 patients" in note]) == 1
    assert found["primary"]["difference"] is not None
    said = found["norms"]["robust/auroc_mean"]
    assert (said["differences"], said["p_alike"]) == ([], None)
    assert {one["interval"][0] for one in said["means"]} == {None}
    assert {cell["p"] for cell in found["cells"]} == {None}


def test_which_norm_is_named_first_does_not_matter(folder: SweepFolder) -> None:
    one, other = (compare(folder.path, *pair) for pair in (("group", "batch"), ("batch", "group")))
    for first, second in zip(
        (one.primary, *one.summaries, *one.cells),
        (other.primary, *other.summaries, *other.cells),
        strict=True,
    ):
        assert second.difference == pytest.approx(-first.difference, nan_ok=True)
        assert second.interval == pytest.approx(
            (-first.interval[1], -first.interval[0]), nan_ok=True
        )
        assert (second.p, second.p_adjusted) == pytest.approx(
            (first.p, first.p_adjusted), nan_ok=True
        )


def test_finalists_have_their_luck_on_the_patients_that_they_were_chosen_by(
    folder: SweepFolder,
) -> None:
    luck = "finalists were chosen on these patients: each has its luck here"
    assert luck in compare(folder.path, "group", "batch", place="validation").notes
    assert luck not in compare(folder.path, "group", "batch").notes


def test_best_shows_finalists(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["best", str(folder.path), "--finalists"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("test\n")
    assert "holdout/auroc_mean" in said.out
    assert "first looked at" in said.err
    assert main(["best", str(folder.path), "--finalists", "--json"]) == 0
    said = capsys.readouterr()
    assert "first looked at" in said.err
    rows = json.loads(said.out)
    assert {(row["norm"], row["seeds"]) for row in rows} == {("batch", 3), ("group", 3)}


def test_patients_of_one_slice_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST", 2)
    thin = make_store(tmp_path / "thin.h5", per_patient=1)
    folder = finished_sweep(tmp_path / "sweep", thin)
    count = len(thin.indices(folder.config().data.validation))
    marked = f"{count} patients have one slice"
    assert main(["best", str(folder.path)]) == 0
    assert marked in " ".join(capsys.readouterr().out.split())
    assert main(["compare", str(folder.path), "trial-0000", "trial-0001"]) == 0
    assert marked in " ".join(capsys.readouterr().out.split())
    assert asked(folder, "batch", "group", capsys=capsys)["patients_of_one_slice"] == count
    assert main(["report", str(folder.path), "--markdown", str(tmp_path / "report.md")]) == 0
    said = f"{count} patients of {count} at validation have one slice"
    assert said in (tmp_path / "report.md").read_text()


def test_finalists_in_the_one_group_of_all_differ_as_they_do_as_a_whole(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(folder, "group", "batch", "--groups", "split", capsys=capsys)
    assert found["place"] == "test"
    (one,) = found["groups"]["groups"]
    whole = {row["score"]: row for row in found["summaries"]}
    clean, mean = one["scores"]
    assert clean == {**whole["clean/auroc"], "p_adjusted": clean["p"]}
    for name in ("difference", "interval", "p"):
        assert mean[name] == found["primary"][name]
