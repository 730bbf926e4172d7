"""Scores by group as a user asks for them: of the folder alone, joined by slice, or why not."""

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import sweep
from sweep.cli import main
from sweep.core.errors import UserError, WorkError
from sweep.metrics.summary import score, summarize
from sweep.results.folder import SweepFolder
from sweep.results.slice_columns import FILE, column_names, column_of, keep_columns
from sweep.store import Store
from tests.support.sites import site_of, store_of_sites, sweep_of_sites
from tests.support.stores import make_store


@pytest.fixture(autouse=True)
def four_patients_are_enough() -> None:
    """Here ten are asked for, as everywhere but in the tests of the tiny store."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_sites(tmp_path / "store.h5")


@pytest.fixture
def folder(tmp_path: Path, store: Store) -> SweepFolder:
    made = sweep_of_sites(tmp_path / "sweep", store)
    keep_columns(made.path, store, made.config().data.validation)
    return made


def files_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time and its content."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(one) for one in arguments]) == 0
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(one) for one in arguments]) == 2
    return capsys.readouterr().err


def by_group(row: dict[str, Any]) -> dict[str, Any]:
    return {one["group"]: one for one in row["groups"]["scores"]}


def test_a_site_scores_what_its_slices_do(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(said(capsys, "best", folder.path, "--groups", "site", "--json"))
    assert [row["trial"] for row in rows] == ["trial-0001", "trial-0000"]
    for row in rows:
        predictions, slices = folder.predictions(row["trial"], 1)
        inside = np.array([site_of(int(key[1:3])) == "HT" for key in slices.keys])
        part = slices.at(np.flatnonzero(inside))
        own = [type(p)(p.cell, p.log_odds[inside]) for p in predictions]
        alone = summarize(score(own, part.truth, part.labels, part.patients))
        found = by_group(row)["HT"]
        assert found["metrics"] == pytest.approx({k: alone[k] for k in found["metrics"]})
        assert found["slices"] == inside.sum()
        assert found["patients"] == len(set(part.patients))
        for name, (low, high) in found["intervals"].items():
            assert low <= found["metrics"][name] <= high
        assert list(by_group(row)) == ["DU", "HT", "unknown"]
        few = by_group(row)["unknown"]
        assert set(few["metrics"].values()) == {None}
        assert few["reason"].endswith("fewer than 10")
        gaps = {gap["score"]: gap for gap in row["groups"]["gaps"]}
        values = {name: by_group(row)[name]["metrics"]["clean/auroc"] for name in ("DU", "HT")}
        clean = gaps["clean/auroc"]
        assert clean["difference"] == pytest.approx(max(values.values()) - min(values.values()))
        assert clean["worst"] == min(values, key=lambda name: values[name])


def test_the_table_has_a_line_for_each_site_and_says_what_is_missing_and_why(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "best", folder.path, "--groups", "site")
    assert out.count("trial-0001") >= 4
    assert "a line is scored on the slices of one group alone" in out
    assert "- for site unknown: a is shown by 1 patient" in out
    assert "gap: the best less the worst group" in out
    top = said(capsys, "best", folder.path, "--groups", "site", "--top", "1")
    assert "trial-0000" not in top


def test_a_question_changes_nothing(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / FILE).unlink()  # as of an earlier version
    before = files_in(folder.path)
    said(capsys, "best", folder.path, "--groups", "site")
    said(capsys, "compare", folder.path, "trial-0000", "trial-0001", "--groups", "site")
    assert files_in(folder.path) == before


def test_the_folder_says_the_same_as_the_store_and_needs_it_not(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert column_names(folder.path) == ("age", "scanner", "site")
    asked = "best", folder.path, "--groups", "site", "--json"
    of_table = said(capsys, *asked)
    known = column_of(folder.path, "site")
    (folder.path / FILE).unlink()
    assert said(capsys, *asked) == of_table
    assert known.items() <= column_of(folder.path, "site").items()
    keep_columns(folder.path, store, folder.config().data.validation)
    store.path.unlink()
    assert said(capsys, *asked) == of_table


def test_without_table_and_store_it_is_said_and_the_ranking_is_there(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / FILE).unlink()
    store.path.unlink()
    assert f"the folder has no {FILE}" in complaint(capsys, "best", folder.path, "--groups", "site")
    said(capsys, "best", folder.path)
    assert column_names(folder.path) == ()


def test_another_store_in_the_place_of_the_first_is_no_answer(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / FILE).unlink()
    store.path.unlink()
    make_store(store.path)
    message = complaint(capsys, "best", folder.path, "--groups", "split")
    assert "not the one that the sweep is bound to" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--groups", "sight"), "have no such column; received 'sight', and they have age"),
        (("--groups", "sight"), "did you mean 'site'?"),
        (("--groups", "age"), "more than 12 values.*--bands 40,60"),
        (("--groups", "site", "--bands", "1,2"), "values that are no numbers.*'DU'"),
        (("--bands", "40"), "none are asked for; received --bands 40"),
        (("--min-patients", "4"), "none are asked for; received --min-patients 4"),
        (("--groups", "site", "--min-patients", "0"), "--min-patients is below 1; received 0"),
        (("--groups", "site", "--failed"), "--groups scores the rows of the ranking"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_remedy(
    folder: SweepFolder,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert re.search(message, complaint(capsys, "best", folder.path, *arguments))


def test_groups_of_a_tracking_server_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = "best", "--mlflow", "sqlite:///none.db", "--experiment", "x", "--groups", "site"
    assert "the sweep's folder alone keeps" in complaint(capsys, *asked)


def test_ages_are_banded(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    asked = "best", folder.path, "--groups", "age", "--bands", "40,60", "--json"
    rows = json.loads(said(capsys, *asked, "--min-patients", "1"))
    found = by_group(rows[0])
    assert list(found) == ["<40", "40 to <60", ">=60"]
    ages = column_of(folder.path, "age")
    young = {key for key, age in ages.items() if float(age) < 40}
    assert found["<40"]["slices"] == len(young)
    assert sum(one["slices"] for one in found.values()) == len(ages)


def test_predictions_that_were_not_kept_are_said_and_the_others_scored(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / "predictions" / "trial-0000" / "epoch-0001.parquet").unlink()
    rows = json.loads(said(capsys, "best", folder.path, "--groups", "site", "--json"))
    assert by_group(rows[0])["DU"]["metrics"]["clean/auroc"] > 0.5
    assert rows[1]["groups"]["scores"] == []
    assert rows[1]["groups"]["reason"].startswith("its predictions are not there: no file")
    out = said(capsys, "best", folder.path, "--groups", "site")
    assert "no scores of trial-0000: its predictions are not there" in out
    (folder.path / "predictions" / "trial-0001" / "epoch-0001.parquet").unlink()
    assert "no scores of trial-0001" in said(capsys, "best", folder.path, "--groups", "site")


def test_a_damaged_table_of_slices_is_said_and_the_store_asked_once_it_is_gone(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder.path / FILE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(WorkError, match=r"table of slices cannot be read.*remove the file"):
        sweep.best(folder.path, groups="site")
    file.unlink()
    assert sweep.best(folder.path, groups="site")[0].groups is not None


def test_a_table_that_lacks_slices_is_not_joined(folder: SweepFolder) -> None:
    file = folder.path / FILE
    pq.write_table(pq.read_table(file).slice(0, 10), file)
    with pytest.raises(WorkError, match=r"lacks some.*remove slices.parquet"):
        sweep.best(folder.path, groups="site")


def test_a_script_gets_rows_and_columns(folder: SweepFolder, tmp_path: Path) -> None:
    rows = sweep.best(folder.path, groups="site")
    frame = sweep.frame(rows)
    assert rows[0].groups is not None
    own = {one.group: one for one in rows[0].groups.scores}
    assert frame["clean/auroc[site=DU]"][0] == own["DU"].metrics["clean/auroc"]
    assert frame["clean/auroc[site=DU]/low"][0] == own["DU"].intervals["clean/auroc"][0]
    assert frame["patients[site=unknown]"][0] == 2
    assert math.isnan(frame["clean/auroc[site=unknown]"].astype(float)[0])
    assert {frame["clean/auroc[site: worst]"][0], frame["clean/auroc[site: best]"][0]} == {
        "DU",
        "HT",
    }
    banded = sweep.best(folder.path, groups="age", bands=(50,), min_patients=1)
    assert banded[0].groups is not None
    assert [one.group for one in banded[0].groups.scores] == ["<50", ">=50"]
    with pytest.raises(UserError, match="have no such column"):
        sweep.best(folder.path, groups="sight")
    with pytest.raises(UserError, match="none are asked for"):
        sweep.best(folder.path, bands=(50,))
    assert sweep.best(folder.path)[0].groups is None
    for ending in ("csv", "parquet"):
        out = tmp_path / f"rows.{ending}"
        assert main(["best", str(folder.path), "--groups", "site", "--out", str(out)]) == 0
        if ending == "csv":
            with out.open() as file:
                names = next(csv.reader(file))
        else:
            names = pq.read_schema(out).names
        assert set(frame.columns) == set(names)


def test_two_trials_are_compared_in_each_site_and_the_whole_stays_what_it_was(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = "compare", folder.path, "trial-0001", "trial-0000", "--json"
    whole = json.loads(said(capsys, *asked))
    found = json.loads(said(capsys, *asked, "--groups", "site"))
    groups = found.pop("groups")
    assert whole.pop("groups") is None
    assert found == whole, "the comparison that counts"
    by_name = {one["group"]: one for one in groups["groups"]}
    assert list(by_name) == ["DU", "HT", "unknown"]
    assert by_name["unknown"]["scores"] == []
    rows = json.loads(said(capsys, "best", folder.path, "--groups", "site", "--json"))
    values = {row["trial"]: by_group(row)["DU"]["metrics"]["clean/auroc"] for row in rows}
    clean = by_name["DU"]["scores"][0]
    assert clean["score"] == "clean/auroc"
    assert clean["difference"] == pytest.approx(values["trial-0001"] - values["trial-0000"])
    assert clean["p_adjusted"] >= clean["p"]
    assert {gap["score"] for gap in groups["gaps"]} == {"clean/auroc", "robust/auroc_mean"}
    out = said(capsys, *asked[:-1], "--groups", "site", "--out", tmp_path / "c.csv")
    assert "by site: looked at beside the comparison above" in out
    assert "- for site unknown: a is shown by 1 patient" in out
    with (tmp_path / "c.csv").open() as file:
        written = list(csv.DictReader(file))
    assert {row["group"] for row in written} == {"", "site=DU", "site=HT"}


def test_two_norms_are_compared_in_each_site_by_the_trials_of_the_search(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    made = sweep_of_sites(tmp_path / "four", store, trials=4)
    asked = "compare", made.path, "group", "batch"
    found = json.loads(said(capsys, *asked, "--groups", "site", "--json"))
    groups = {one["group"]: one for one in found["groups"]["groups"]}
    rows = {row.trial: row for row in sweep.best(made.path, groups="site")}

    def clean(trial: str) -> float:
        of = rows[trial].groups
        assert of is not None
        return {one.group: one for one in of.scores}["HT"].metrics["clean/auroc"]

    expected = (clean("trial-0001") + clean("trial-0003") - clean("trial-0000")) / 2
    expected -= clean("trial-0002") / 2
    assert groups["HT"]["scores"][0]["difference"] == pytest.approx(expected)
    assert groups["unknown"]["scores"] == []
    assert "looked at beside the comparison" in said(capsys, *asked, "--groups", "site")


def test_the_report_has_a_section_for_each_column_that_makes_groups(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pages = [tmp_path / f"{number}.html" for number in range(3)]
    said(capsys, "report", folder.path, "--out", pages[0], "--no-pictures")
    page = pages[0].read_text()
    assert "By site" in page
    assert "By scanner" in page
    assert "By age" not in page
    assert "Scores by age, as a column of numbers has more than 12 values" in page
    assert "unknown has no score: a is shown by 1 patient" in page
    assert "looked at beside the comparison" in page
    said(
        *(capsys, "report", folder.path, "--out", pages[1], "--no-pictures"),
        *("--groups", "age", "site", "--bands", "50", "--data", tmp_path / "data"),
    )
    page = pages[1].read_text()
    assert "By age" in page
    assert "By scanner" not in page
    rows = pq.read_table(tmp_path / "data" / "by-age.parquet").to_pylist()
    assert {row["age"] for row in rows} == {"<50", ">=50"}
    wrong = "report", folder.path, "--out", pages[2], "--no-pictures", "--groups", "sight"
    assert "have no such column" in complaint(capsys, *wrong)
    assert not pages[2].exists()


def test_what_is_kept_is_what_is_scored_and_is_written_once(tmp_path: Path, store: Store) -> None:
    made = sweep_of_sites(tmp_path / "sweep", store, trials=0)
    keep_columns(made.path, store, made.config().data.validation)
    known = column_of(made.path, "site")
    rows = store.indices(made.config().data.validation)
    assert list(known) == store.keys[rows].tolist()
    before = (made.path / FILE).stat().st_mtime_ns
    keep_columns(made.path, store, made.config().data.validation)
    assert (made.path / FILE).stat().st_mtime_ns == before
    assert column_of(made.path, "sequence")["p04/s1"] == "T2"
    plain = make_store(tmp_path / "plain.h5")
    other = SweepFolder.create(tmp_path / "other", made.config())
    keep_columns(other.path, plain, [3])
    assert column_names(other.path) == ()
