"""``mrisweep best`` as a person meets it: several sweeps, each norm, JSON, and little evidence."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import sweep
from sweep.api.best import Found, doubts, in_folders, on_server
from sweep.cli import main
from sweep.core.errors import UserError
from sweep.core.records import Basis
from sweep.results.choice_file import FILE
from sweep.results.folder import SweepFolder
from sweep.results.sweep_file import asked as of_sweep

BY = "robust/auroc_cvar"


@pytest.fixture
def two(sweep_folder: Path, tmp_path: Path) -> list[SweepFolder]:
    """Two sweeps with scores that can be compared, of two trials each."""
    made = []
    for name in ("one", "other"):
        shutil.copytree(sweep_folder, tmp_path / name / "sweep")
        made.append(SweepFolder.open(tmp_path / name / "sweep"))
    return made


def scored(folder: SweepFolder, number: int, value: float, **changes: Any) -> None:
    """Give a trial another score."""
    record = folder.trials()[number]
    metrics = {**record.metrics, BY: value}
    folder.write_trial(dataclasses.replace(record, metrics=metrics, **changes))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["best", *arguments]) == 0
    return capsys.readouterr().out


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(printed(capsys, *arguments, "--json"))
    return rows


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["best", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def paths(folders: list[SweepFolder]) -> list[str]:
    return [str(folder.path) for folder in folders]


def test_several_sweeps_are_ranked_together_and_named(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, number, value in ((0, 0, 0.5), (0, 1, 0.9), (1, 0, 0.7), (1, 1, 0.6)):
        scored(two[folder], number, value)
    rows = asked(capsys, *paths(two))
    assert [row["metrics"][BY] for row in rows] == [0.9, 0.7, 0.6, 0.5]
    assert [row["folder"] for row in rows] == [paths(two)[at] for at in (0, 1, 1, 0)]
    ranked = sweep.best(paths(two))
    assert [row.checkpoint for row in ranked] == [row["checkpoint"] for row in rows]
    table = printed(capsys, *paths(two)).split("\n\n")[0].splitlines()
    assert table[0].split()[:3] == ["#", "sweep", "trial"]
    assert [line.split()[1] for line in table[2:]] == [
        f"{name}/sweep" for name in ("one", "other", "other", "one")
    ]
    alone = printed(capsys, paths(two)[0], paths(two)[0])
    assert "sweep" not in alone.splitlines()[0], "the same one twice is one"


def test_remarks_and_choices_say_which_sweep_they_are_on(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    (two[1].path / FILE).write_text(json.dumps({"objective": BY, "reason": "why", **EMPTY}))
    main(["best", *paths(two)])
    said = capsys.readouterr()
    assert "other/sweep: the score of the best is not corrected for its luck: why." in said.out
    assert all(line.startswith("note: o") for line in said.err.splitlines())
    assert "note: one/sweep: fewer than 4 trials of batch (1), group (1)" in said.err


EMPTY = {"trials": 2, "epochs": 4, "best": None, "norms": {}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stress.seed": 5}, "compared on the same data and stress test only, and stress.seed"),
        ({"stress.levels": [1]}, "one of their cells differs; received bias 5 in one of them"),
        ({"data.fingerprint": "f"}, "and data.fingerprint differs"),
    ],
)
def test_sweeps_that_cannot_be_compared_are_refused(
    two: list[SweepFolder],
    changes: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    two[1].write_config(two[1].config().replace(changes))
    said = complaint(capsys, *paths(two))
    assert message in said
    assert all(path in said for path in paths(two))
    with pytest.raises(UserError, match="compared on the same data"):
        sweep.best(paths(two))


def test_what_changes_no_score_keeps_nobody_from_comparing(two: list[SweepFolder]) -> None:
    two[1].write_config(two[1].config().replace({"data.normalize": "max", "data.test": [4]}))
    assert len(sweep.best(paths(two))) == 4


def test_rows_of_a_server_that_may_not_be_comparable_are_doubted(two: list[SweepFolder]) -> None:
    """An experiment may have several sweeps, whose folders may be here or not."""
    both = in_folders(paths(two))
    assert doubts(both) == doubts(Found(both.rows, BY, (), asked=both.asked)) == []
    here = {path: both.asked[path] for path in paths(two)[:1]}
    (line,) = doubts(Found(both.rows, BY, (), asked=here))
    assert f"is not known, as {paths(two)[1]} is not on this machine" in line
    two[1].write_config(two[1].config().replace({"stress.seed": 5}))
    now = {path: of_sweep(Path(path)) for path in paths(two)}
    (line,) = doubts(Found(both.rows, BY, (), asked=now))
    assert "compared on the same data and stress test only, and stress.seed differs" in line
    assert doubts(Found(both.rows[:1], BY, (), asked=now)) == []


def test_what_sweeps_of_a_server_were_set_to_is_told_where_it_differs(
    two: list[SweepFolder],
) -> None:
    """From what the server has of them, whose folders may be anywhere."""
    rows = in_folders(paths(two)).rows
    same = {"data.fingerprint": "f", "train.epochs": "2", "seed": "0", "data.store": "/a.h5"}

    def said(*settings: dict[str, str]) -> list[str]:
        told = dict(zip(paths(two), settings, strict=True))
        return doubts(Found(rows, BY, (), settings=told))

    assert said(same, {**same, "data.store": "/b.h5"}) == [], "a place is no difference"
    (line,) = said(same, {**same, "train.epochs": "6", "seed": "1", "search.sampler": "gp"})
    one, other = (f"{folder.path.parent.name}/{folder.path.name}" for folder in two)
    assert line == (
        f"the sweeps differ in train.epochs: 2 ({one}), 6 ({other}); seed: 0 ({one}), 1 ({other})"
    )
    unlike, line = said(same, {**same, "stress.seed": "5", "train.epochs": "6"})
    assert unlike.startswith(
        "the scores of the sweeps cannot be compared, as they differ in stress."
    )
    assert "searched or not set" in unlike
    assert line.startswith("the sweeps differ in train.epochs")
    many = {f"train.x{number}": "1" for number in range(9)}
    (line,) = said(same, {**same, **many})
    assert "and 3 more: train.x6, train.x7, train.x8" in line
    (line,) = said(same, {})
    assert "is not known" in line


def test_sweeps_with_other_objectives_are_ranked_by_what_is_named(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    two[1].write_config(two[1].config().replace({"search.objective": "clean/auroc"}))
    said = complaint(capsys, *paths(two))
    assert f"objectives of the sweeps differ; received clean/auroc, {BY}; say which by" in said
    assert len(asked(capsys, *paths(two), "--by", "clean/auroc")) == 4


def test_the_best_of_each_norm(two: list[SweepFolder], capsys: pytest.CaptureFixture[str]) -> None:
    for folder, number, value in ((0, 0, 0.9), (0, 1, 0.5), (1, 0, 0.8), (1, 1, 0.6)):
        scored(two[folder], number, value)  # batch, group, batch, group

    def found(*more: str) -> list[tuple[str, float]]:
        rows = asked(capsys, *paths(two), "--per-norm", *more)
        return [(row["norm"], row["metrics"][BY]) for row in rows]

    assert found() == [("batch", 0.9), ("group", 0.6)]
    assert found("--top", "2") == [("batch", 0.9), ("batch", 0.8), ("group", 0.6), ("group", 0.5)]
    assert found("--where", f"{BY}<0.85") == [("batch", 0.8), ("group", 0.6)]
    assert [row.norm for row in sweep.best(paths(two), per_norm=True)] == ["batch", "group"]
    assert "the best of each norm are two questions" in complaint(
        capsys, *paths(two), "--per-norm", "--pareto", "--by", f"clean/auroc,{BY}"
    )


def test_finalists_are_those_of_one_sweep(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "received 2 folders; give one folder" in complaint(capsys, *paths(two), "--finalists")


def test_json_has_the_worth_of_a_choice_at_what_was_chosen(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two[0]
    scored(folder, 0, 0.9)
    scored(folder, 1, 0.5)
    assert [row["choice"] for row in asked(capsys, str(folder.path))] == [None, None]
    norms = {"batch": [0.9, 0.8], "group": [0.5, 0.4]}
    kept = {**EMPTY, "objective": BY, "reason": None, "best": [0.9, 0.7], "norms": norms}
    (folder.path / FILE).write_text(json.dumps(kept))
    first, second = (row["choice"] for row in asked(capsys, str(folder.path)))
    assert first["of_sweep"] == {"naive": 0.9, "corrected": 0.7}
    assert first["of_norm"] == {"naive": 0.9, "corrected": 0.8}
    assert (first["objective"], first["trials"], first["epochs"]) == (BY, 2, 4)
    assert second["of_sweep"] is None
    assert second["of_norm"]["corrected"] == 0.4
    (by_other,) = asked(capsys, str(folder.path), "--by", "clean/auroc", "--norm", "batch")
    assert by_other["choice"] == first, "it is of what the sweep chose by, whatever is asked for"
    (folder.path / FILE).write_text("{}")
    for json_or_table in ([], ["--json"]):
        assert main(["best", str(folder.path), *json_or_table]) == 2
        said = capsys.readouterr()
        assert all(trial in said.out for trial in ("trial-0000", "trial-0001"))
        assert "what the choice of the best is worth cannot be read; received" in said.err


def test_json_has_the_command_of_every_row(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    for row in asked(capsys, *paths(two)):
        assert row["command"].startswith(f"mrisweep run {row['folder']}/sweep.yaml --out ")
        assert f"model.norm={row['norm']}" in row["command"]


def test_little_evidence_is_marked(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    """A norm with a single trial, one norm, two seeds, one seed: each is said below the table."""
    text = printed(capsys, str(two[0].path))
    assert (
        "evidence: batch 1 trial, group 1 trial; 2 seeds. A single trial of batch, group: " in text
    )
    assert "Two seeds only: " in text
    one = two[0].trials()
    two[0].write_trial(dataclasses.replace(one[1], norm="batch", seed=0))
    text = printed(capsys, str(two[0].path), "--top", "1")
    assert "evidence: batch 2 trials; 1 seed. One norm only: nothing here says" in text
    assert "One seed only: how far another would move a score is not known." in text
    three = two[1].trials()[0]
    for number in (2, 3):
        other = {"trial": f"trial-000{number}", "number": number, "seed": number, "norm": "group"}
        two[1].write_trial(dataclasses.replace(three, **other))
    two[1].write_trial(dataclasses.replace(three, trial="trial-0004", number=4))
    text = printed(capsys, str(two[1].path))
    assert "evidence: batch 2 trials, group 3 trials; 4 seeds. The worst cells were chosen" in text


def test_a_trial_that_has_not_ended_runs_only_while_a_process_drives_its_sweep(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = two[0], str(two[0].path)
    scored(folder, 1, 0.9, status="running", ended_at_ms=None, intervals={}, basis=None)
    with folder.lock():
        text = printed(capsys, path)
        assert "trial-0001 (running)" in text
        assert "interrupted" not in text
        assert [row["status"] for row in asked(capsys, path)] == ["running", "finished"]
    text = printed(capsys, path)
    assert "trial-0001 (interrupted)" in text
    assert (
        "interrupted: no process drives the sweep, and `mrisweep resume` goes on with 1 t" in text
    )
    rows = asked(capsys, path, "--where", "status==interrupted")
    assert [(row["trial"], row["status"]) for row in rows] == [("trial-0001", "interrupted")]
    assert asked(capsys, path, "--where", "status==running") == []
    assert "no such status of a trial; received 'interupted' in" in complaint(
        capsys, path, "--where", "status==interupted"
    )


def test_a_server_is_not_believed_that_a_trial_runs_where_its_folder_knows_better(
    two: list[SweepFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, rows = two[0], in_folders(paths(two)).rows
    told = [dataclasses.replace(row, status="running") for row in rows]
    shutil.rmtree(two[1].path)
    monkeypatch.setattr("sweep.results.ranking.of_server", lambda *_: told)
    monkeypatch.setattr("sweep.results.ranking.objective_of_server", lambda *_: BY)
    monkeypatch.setattr("sweep.results.ranking.objectives_of_server", lambda *_: ())
    monkeypatch.setattr("sweep.results.ranking.settings_of_server", lambda *_: {})

    def states() -> set[tuple[bool, str]]:
        found = on_server("http://nobody.example", "ledger").rows
        return {(row.folder == str(here.path), row.status) for row in found}

    assert states() == {(True, "interrupted"), (False, "running")}
    with here.lock():
        assert states() == {(True, "running"), (False, "running")}


def test_why_nothing_is_ranked_depends_on_what_was_asked(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(two[0].path)
    assert main(["best", path, "--where", f"{BY}>2"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first == "no trial meets what was asked for"
    assert second.startswith(f"nearest to {BY}>2: 0.")


def test_what_is_missing_or_refused_is_marked(
    two: list[SweepFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = two[0]
    assert "is missing" not in printed(capsys, str(folder.path))
    basis = Basis(4, {"a": 2}, {}, "a is shown by 2 patients: fewer than 10")
    scored(folder, 1, float("nan"), intervals={}, basis=basis)
    text = printed(capsys, str(folder.path))
    assert "- for a score: it is missing, as a cell of it is or a label has one class." in text
    assert "no brackets: no interval in 1 row, as a is shown by 2 patients: fewer than 10." in text
    assert "brackets: 95 % intervals over 8 patients" in text
