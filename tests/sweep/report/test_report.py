"""The report: its words are those of the tests, its page stands alone, its gaps are seen."""

import base64
import csv
import dataclasses
import io
import json
import re
import shutil
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sweep.api.compare import compare
from sweep.api.finalists import drive_finalists
from sweep.api.report import Outputs, report_of, write_report
from sweep.cli import main
from sweep.core.errors import UserError, WorkError
from sweep.core.records import CLEAN
from sweep.report.answers import answered
from sweep.report.build import build
from sweep.report.calibration import reliability
from sweep.report.data_tables import data_of
from sweep.report.document import Figure, Report, Table, Text
from sweep.report.drawing import svg
from sweep.report.evidence import Evidence, gather
from sweep.report.page import page
from sweep.report.printing import VARIABLE, find_browser, print_page
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finalists import config_with, ended
from tests.support.finished import run_trial


@pytest.fixture(autouse=True)
def four_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For intervals of the tiny store."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)


@pytest.fixture(scope="module")
def folder(compared_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    path = tmp_path_factory.mktemp("report") / "sweep"
    return SweepFolder(Path(shutil.copytree(compared_sweep, path)))


@pytest.fixture(scope="module")
def evidence(folder: SweepFolder) -> Evidence:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        return gather(folder)


@pytest.fixture(scope="module")
def report(evidence: Evidence) -> Report:
    return build(evidence)


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


def table(report: Report, name: str) -> Table:
    blocks = (block for section in report.sections for block in section.blocks)
    return next(one for one in blocks if isinstance(one, Table) and one.name == name)


def text(report: Report, section: str) -> str:
    blocks = next(one for one in report.sections if one.name == section).blocks
    return "\n".join(line for one in blocks if isinstance(one, Text) for line in one.lines)


class Page(HTMLParser):
    """What a browser would load, what can be reached by keyboard, and whether tags are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: dict[str, bytes] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[name] for name in ("src", "href", "xlink:href") if name in found]
        if "download" in found:
            _, content = found["href"].split(",", 1)
            self.links[found["download"]] = base64.b64decode(content)
        if tag not in ("meta", "img", "br", "wbr", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_differences_are_those_of_compare(folder: SweepFolder, report: Report) -> None:
    said = compare(folder.path, "group", "batch")
    own = {row["score"]: row for row in table(report, "differences-test").data}
    for one in (said.primary, *said.summaries):
        assert own[one.score]["difference"] == pytest.approx(one.difference)
        assert (own[one.score]["low"], own[one.score]["high"]) == pytest.approx(one.interval)
        assert own[one.score]["p"] == pytest.approx(one.p)


def test_the_conclusion_says_what_the_tests_say(evidence: Evidence, report: Report) -> None:
    assert len(report.conclusion) == 3
    assert report.conclusion[0].startswith("No comparison was stated before finalists were asked")
    (one,) = evidence.first.by_score["robust/auroc_mean"].differences
    sure = one.p_holm < 0.05 and one.verdict in ("better", "worse")
    expected = f"group is {one.verdict} than batch" if sure else "group is not shown to differ"
    if one.verdict == "equivalent":
        expected = "group is equivalent to batch (each by itself, margin 0.02)"
    assert expected in report.conclusion[1]
    assert "on the test patients" in report.conclusion[1]
    assert report.conclusion[2].startswith(
        "Where nothing was chosen: on the test patients, by holdout/"
    )


def test_what_was_stated_before_the_sweep_comes_first(folder: SweepFolder, tmp_path: Path) -> None:
    for between, said in {
        ("group", "batch"): "robust/auroc_mean of group against batch at test: ",
        ("by:clean/brier", "batch"): "(by:clean/brier chooses trial-",
        ("by:clean/auroc", "by:1 clean/auroc"): "at test: both choose trial-000",
    }.items():
        copy = tmp_path / between[0].replace("/", "-")
        shutil.copytree(folder.path, copy)
        plan = json.loads((copy / "finalists" / "plan.json").read_text())
        plan["settings"]["primary"] = {
            "between": between,
            "score": "robust/auroc_mean",
            "place": "test",
        }
        (copy / "finalists" / "plan.json").write_text(json.dumps(plan))
        found = report_of(copy).conclusion[0]
        assert said in found
        assert found.startswith("Stated before finalists were asked")
    answer = compare(folder.path, "group", "batch").primary
    first = report_of(tmp_path / "group").conclusion[0]
    assert f"difference {answer.difference:+.3f}" in first


def test_the_page_stands_alone(html: str, report: Report) -> None:
    found = Page(html)
    assert not found.open
    assert "script" not in found.tags
    assert [one for one in found.loads if not one.startswith(("data:", "#"))] == []
    assert "url(" not in html.replace("url(#", "")
    assert "@import" not in html
    assert len(found.ids) == len(set(found.ids))
    targets = {one for one in found.loads if one.startswith("#")}
    assert {target.removeprefix("#") for target in targets} <= set(found.ids)
    figures = [b for s in report.sections for b in s.blocks if isinstance(b, Figure)]
    assert {"forest-test", "cells-searched", "front-test", "reliability", "coordinates"} <= {
        one.name for one in figures
    }
    assert found.tags.count("svg") == len(figures)
    assert html.count('role="img"') >= len(figures), "each is named for a screen reader"
    assert len(html) < 1_500_000
    assert 'lang="en"' in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_every_figure_has_its_data_behind_a_link(html: str, report: Report) -> None:
    links = Page(html).links
    for name, rows in data_of(report):
        read = list(csv.DictReader(io.StringIO(links[f"{name}.csv"].decode())))
        assert len(read) == len(rows)
        for one, other in zip(read, rows, strict=True):
            for key, value in other.items():
                if isinstance(value, float):
                    assert float(one[key]) == pytest.approx(value, rel=1e-5)
    for file, content in links.items():
        if file.endswith(".vl.json"):
            assert json.loads(content)["datasets"]["rows"]


def test_it_is_the_same_whenever_it_is_made(folder: SweepFolder, html: str) -> None:
    assert page(report_of(folder.path)) == html


def test_names_of_users_cannot_break_the_page(report: Report) -> None:
    named = dataclasses.replace(report, title="<script>alert(1)</script>")
    assert "<script>" not in page(named)


def test_the_bins_of_calibration_give_the_recorded_error(
    folder: SweepFolder, evidence: Evidence
) -> None:
    record = FinalistFolder(folder).records()[0]
    own = answered(evidence, evidence.first, [CLEAN])[CLEAN][record.run.norm]
    one = own._replace(probabilities=own.probabilities[:1])
    errors = []
    for label in range(len(own.slices.labels)):
        alone = one._replace(
            probabilities=one.probabilities[..., label : label + 1],
            truth=own.truth[:, label : label + 1],
        )
        bins = list(reliability(alone))
        total = sum(row["answers"] for row in bins)
        assert total == len(own.slices.keys)
        errors.append(
            sum(row["answers"] / total * abs(row["predicted"] - row["observed"]) for row in bins)
        )
    assert np.mean(errors) == pytest.approx(record.metrics["test"]["clean/ece"], abs=1e-6)


def test_without_finalists_it_describes_the_search(folder: SweepFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "finalists")
    found = report_of(tmp_path / "copy")
    assert "they describe the search" in found.warnings[0]
    assert "on the validation patients" in found.conclusion[1]
    assert "nothing is known of them" in found.conclusion[2]
    assert "no artifact was held out" in text(found, "not-measured").lower()
    assert page(found)


def test_one_norm_alone_is_said(store: Store, tmp_path: Path) -> None:
    config = config_with(store).replace({"search.space": {"model.norm": {"choice": ["batch"]}}})
    config = config.replace({"search.trials": 2})
    made = SweepFolder.create(tmp_path / "sweep", config)
    for number in range(2):
        run_trial(made, config, store, number, {"model.norm": "batch"})
    found = report_of(made.path)
    assert found.conclusion[1].startswith("There is one norm alone, batch")
    assert "there is one norm alone" in text(found, "differences")
    assert page(found)


def test_what_is_missing_is_seen(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A score of one class, two patients too few, the data gone, a training that diverged."""
    monkeypatch.setattr(checkpoint, "LEAST", 10)
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = SweepFolder.open(tmp_path / "copy")
    config = copy.config()
    copy.write_config(config.replace({"data.store": str(tmp_path / "gone.h5")}))
    finalists = FinalistFolder(copy)
    lost = finalists.records()[0]
    file = finalists.path / f"{lost.run.name}.json"
    plain = json.loads(file.read_text())
    file.write_text(json.dumps({**plain, "status": "diverged", "metrics": {}, "epochs": []}))
    plan = finalists.path / "plan.json"
    own = str(config.data.store)
    plan.write_text(plan.read_text().replace(own, str(tmp_path / "gone.h5")))
    found = report_of(copy.path)
    said = " ".join(found.warnings)
    assert "fewer than 10" in said
    assert "1 of 12 trainings diverged" in said
    measured = text(found, "not-measured")
    assert "The data cannot be opened" in measured
    assert "1 training of finalists diverged" in measured
    assert "There are no pictures" in text(found, "worst")
    rows = table(found, "configurations-test").rows
    assert any("(1 diverged)" in cell for row in rows for cell in row)
    assert page(found)


def test_a_label_that_no_test_slice_shows_leaves_marks_and_no_numbers(
    folder: SweepFolder, tmp_path: Path
) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    finalists = FinalistFolder(SweepFolder.open(tmp_path / "copy"))
    for record in finalists.records():
        name, epoch = record.run.name, record.epochs[0]
        said, slices = finalists.predictions(name, "test", epoch)
        truth = slices.truth.copy()
        truth[:, 0] = False
        scores = finalists.scores(name, "test", epoch)
        again = tuple(
            dataclasses.replace(one, value=float("nan"), positives=0)
            if one.label == slices.labels[0]
            else one
            for one in scores.scores
        )
        finalists.write_scores(
            name,
            "test",
            dataclasses.replace(scores, scores=again),
            said,
            slices._replace(truth=truth),
        )
        finalists.settle(record.run, record.epochs)
    found = report_of(tmp_path / "copy")
    assert "is not known" in found.conclusion[1]
    assert "Cells in which a score is missing" in text(found, "not-measured")
    rows = {row[0]: row for row in table(found, "configurations-test").rows}
    assert "-" in rows["batch"]
    shown = re.sub(r'"data:[^"]*"', "", page(found))
    assert not re.search(r"\bnan\b", shown, re.IGNORECASE)


def test_what_was_stated_cannot_be_changed_once_finalists_were_asked(
    folder: SweepFolder, store: Store, tmp_path: Path
) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = SweepFolder.open(tmp_path / "copy")
    for changes in (
        {"finalists.margin": 0.3},
        {"finalists.primary": {"between": ["group", "batch"], "score": "clean/auroc"}},
        {"finalists.reference": "group"},
    ):
        with pytest.raises(UserError, match="was stated before they were asked, and stays"):
            drive_finalists(copy, copy.config().replace(changes), store)


def test_a_sweep_that_is_not_finished_says_so(folder: SweepFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = SweepFolder.open(tmp_path / "copy")
    copy.write_config(copy.config().replace({"search.trials": 6}))
    assert "The sweep is not finished: 4 of 6 trials" in report_of(copy.path).warnings[0]


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"settings": 3'])
def test_a_damaged_plan_is_said(folder: SweepFolder, tmp_path: Path, damage: str) -> None:
    shutil.copytree(folder.path, tmp_path / "copy")
    (tmp_path / "copy" / "finalists" / "plan.json").write_text(damage)
    with pytest.raises(UserError, match=r"a file of the finalists cannot be read; .*plan\.json"):
        report_of(tmp_path / "copy")


def test_numbers_in_words_are_left_as_they_are_written() -> None:
    spec = {
        "data": {"name": "rows"},
        "mark": "text",
        "encoding": {"text": {"field": "said"}, "x": {"field": "at", "type": "quantitative"}},
    }
    rows = [{"said": "0.000273", "at": 1.23456789}]
    assert ">0.000273<" in svg(Figure("one", "", "", spec, rows))


def test_few_seeds_and_configurations_are_said(report: Report) -> None:
    measured = text(report, "not-measured")
    assert "3 seeds of each configuration" in measured
    assert "not of finalists" in measured, "modes were asked of the search alone"


def test_a_command_writes_page_words_values_and_a_notebook_that_runs(
    folder: SweepFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {name: tmp_path / name for name in ("r.html", "r.md", "data", "r.ipynb")}
    command = ["report", str(folder.path), "--out", str(out["r.html"])]
    command += ["--markdown", str(out["r.md"]), "--data", str(out["data"])]
    command += ["--notebook", str(out["r.ipynb"])]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{out['r.html']}\n"
    words = out["r.md"].read_text()
    report = report_of(folder.path)
    assert all(f"**{sentence}**" in words for sentence in report.conclusion)
    assert "[r.html](r.html)" in words
    for name, rows in data_of(report):
        assert pq.read_table(out["data"] / f"{name}.parquet").num_rows == len(rows)
    cells = json.loads(out["r.ipynb"].read_text())["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    place: dict[str, object] = {}
    for source in ["import matplotlib; matplotlib.use('agg')", *code]:
        exec(compile(source, "cell", "exec"), place)
    assert report.conclusion[0] in capsys.readouterr().out
    assert main(command) == 2
    assert "the output exists" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0


def test_the_page_in_the_folder_is_given_to_trackers_that_are_there(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Path] = []
    monkeypatch.setattr("sweep.api.report.log_report", lambda folder, page, say: told.append(page))
    shutil.copytree(folder.path, tmp_path / "copy")
    write_report(tmp_path / "copy", Outputs())
    assert told == [], "no database is made for it"
    (tmp_path / "mlflow.db").touch()
    write_report(tmp_path / "copy", Outputs(page=tmp_path / "elsewhere.html"))
    assert told == []
    write_report(tmp_path / "copy", Outputs())
    assert told == [tmp_path / "copy" / "report.html"]


def test_without_pictures_no_slice_is_shown(folder: SweepFolder, tmp_path: Path) -> None:
    shown = write_report(folder.path, Outputs(page=tmp_path / "shown.html")).read_text()
    hidden = Outputs(page=tmp_path / "named.html", pictures=False)
    named = write_report(folder.path, hidden).read_text()
    assert "image/png" in shown
    assert "image/png" not in named
    assert "worst-slices.csv" in named, "what was said of them is there"


def test_the_page_lies_in_the_folder_by_default_and_is_replaced(folder: SweepFolder) -> None:
    for _ in range(2):
        assert write_report(folder.path, Outputs()) == folder.path / "report.html"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "there is no such folder of a sweep"),
        (["{folder}", "--metric", "aurok"], "--metric has an unknown name"),
        (["{folder}", "--out", "{folder}"], "the output is a folder"),
        (["{folder}", "--data", "{folder}"], "the output folder is not empty"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    folder: SweepFolder, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *(one.format(folder=folder.path) for one in arguments)]) == 2
    assert said in capsys.readouterr().err


def test_a_sweep_without_a_score_has_no_report(store: Store, tmp_path: Path) -> None:
    made = ended(tmp_path / "sweep", config_with(store), store, trials=0)
    with pytest.raises(UserError, match="no trial has a score yet"):
        report_of(made.path)


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program that is called as a browser is, and writes what it was asked to."""
    made = tmp_path / "browser"
    made.write_text(
        '#!/bin/sh\nfor one in "$@"; do case $one in --print-to-pdf=*) '
        "echo '%PDF' > \"${one#--print-to-pdf=}\";; esac; done\n"
    )
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return made


def test_a_browser_prints_the_page(
    browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(browser))
    target = tmp_path / "page.html"
    target.write_text("<p>page</p>")
    print_page(target, tmp_path / "page.pdf", find_browser())
    assert (tmp_path / "page.pdf").read_text() == "%PDF\n"
    browser.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(WorkError, match=r"made no PDF; received .*broken; open .*page.html"):
        print_page(target, tmp_path / "page.pdf", find_browser())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(UserError, match=re.escape(f"{VARIABLE}={tmp_path / 'none'}")):
        find_browser()
