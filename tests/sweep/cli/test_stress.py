"""`stress` as a person reads it: a short table, on which slices, and what had been seen of them."""

import csv
import json
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.config.settings import TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.learn.fit import fit
from sweep.store import Store
from tests.support.stores import make_store
from tests.support.sweeps import settings


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Enough patients of each fold for intervals."""
    return make_store(tmp_path_factory.mktemp("wide") / "wide.h5", patients=66, per_patient=1)


@pytest.fixture(scope="module")
def checkpoint(wide: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    trial: TrialConfig = SweepConfig.from_dict(settings(wide)).trial({"train.epochs": 1})
    return str(fit(trial, wide, tmp_path_factory.mktemp("fit")).checkpoint)


def stressed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    assert main(["stress", *map(str, arguments)]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_a_short_table_says_mean_and_worst_of_each_artifact_with_intervals(
    checkpoint: str, wide: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ("--artifacts", "rician", "bias", "--levels", "1", "5", "--grid", "physical")
    out, _ = stressed(capsys, checkpoint, "--data", wide.path, *cells)
    lines = out.splitlines()
    assert len(lines) < 20
    assert lines[0] == "scored on split 3 (22 patients, 22 slices)"
    assert lines[2].split() == ["artifact", "levels", "mean", "auroc", "worst", "at", "level"]
    answer = json.loads(stressed(capsys, checkpoint, "--data", wide.path, *cells, "--json")[0])
    assert answer["splits"] == [{"split": "3", "patients": 22, "slices": 22}]
    for line, one in zip(lines[4:6], answer["artifacts"], strict=True):
        low, high = one["interval"]
        assert low <= one["mean"] <= high
        mean = f"{one['mean']:.3f} [{low:.3f}, {high:.3f}]"
        level = str(one["worst_level"])
        assert line.split() == [one["artifact"], "1", "5", *mean.split(), line.split()[-2], level]
        assert line.split()[-2] == f"{one['worst']:.3f}"
    low, high = answer["intervals"]["robust/auroc_cvar"]
    assert f"{answer['metrics']['robust/auroc_cvar']:.3f} [{low:.3f}, {high:.3f}]" in out
    assert "brackets: 95 % intervals over 22 patients" in out
    assert "cvar: the mean of the worst quarter" in out


def test_too_few_patients_for_an_interval_are_said(
    checkpoint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = make_store(tmp_path / "few.h5", patients=12)
    out, _ = stressed(capsys, checkpoint, "--data", few.path, "--grid", "physical")
    assert "no brackets: no interval, as a is shown by 2 patients; b is shown by 2 pat" in out
    assert "[" not in out.partition("no brackets")[0]


def test_slices_that_were_trained_on_are_said_and_pooled_splits_are_named(
    checkpoint: str, wide: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ("--data", wide.path, "--grid", "physical")
    out, err = stressed(capsys, checkpoint, *grid, "--split", "1", "3")
    assert out.startswith(
        "scored on 2 splits, pooled: 1 (22 patients, 22 slices), 3 (22 patients, 22 slices)\n"
    )
    assert "note: training: 22 of the 44 patients (22 of 44 slices, of split 1) were" in err
    assert "note: validation: 22 of the 44 patients (22 of 44 slices, of split 3) are th" in err
    _, err = stressed(capsys, checkpoint, *grid)
    assert "training: " not in err
    assert "note: validation: all 22 patients (22 slices, of split 3) are those that" in err


def test_in_another_store_slices_are_known_by_content_and_names_are_doubted(
    checkpoint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copied = make_store(tmp_path / "copied.h5", patients=60, per_patient=1)  # the same slices
    grid = ("--grid", "physical", "--split", "1")
    _, err = stressed(capsys, checkpoint, "--data", copied.path, *grid)
    assert "note: training: all 20 patients (20 slices, of split 1) were trained on; what" in err
    other = make_store(tmp_path / "other.h5", patients=24, per_patient=2)
    _, err = stressed(capsys, checkpoint, "--data", other.path, *grid)
    assert "patients of this store have names that it was trained on, such as 'p0'; if they" in err


def test_a_level_that_is_not_reached_is_left_out_with_a_note(
    checkpoint: str, wide: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    values = {"rician": [0.01, 0.02, None, None, None], "bias": [0.4, 0.8, 1.2, 1.6, 2.0]}
    artifacts = {name: {"values": knobs} for name, knobs in values.items()}
    record = {"format": "mrisweep-levels", "version": 1, "artifacts": artifacts}
    (tmp_path / "levels.json").write_text(json.dumps(record))
    cells = ("--artifacts", "rician", "bias", "--grid", tmp_path / "levels.json", "--levels")
    out, err = stressed(capsys, checkpoint, "--data", wide.path, *cells, "3")
    assert "note: left out, as no knob value reaches that level: rician 3" in err
    assert [line.split()[0] for line in out.splitlines()[4:5]] == ["bias"]


def test_every_cell_on_request_and_in_a_file(
    checkpoint: str, wide: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "cells.csv"
    cells = ("--artifacts", "bias", "--levels", "1", "5", "--grid", "physical", "--cells")
    out, _ = stressed(capsys, checkpoint, "--data", wide.path, *cells, "--out", file)
    assert "artifact  level  macro" in out
    assert "robust/ece_mean" in out, "all metrics"
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    found = {(row["artifact"], row["level"], row["label"]) for row in rows}
    assert found == {
        (artifact, level, label)
        for artifact, level in (("clean", "0"), ("bias", "1"), ("bias", "5"))
        for label in ("a", "b")
    }
    assert main(["stress", checkpoint, "--data", str(wide.path), "--out", str(file)]) == 2
    assert "the output exists" in capsys.readouterr().err


def test_groups_of_the_slices_score_what_they_score_alone(
    checkpoint: str, wide: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ("--artifacts", "rician", "--levels", "1", "5", "--grid", "physical")
    asked = (checkpoint, "--data", wide.path, *cells)
    both = (*asked, "--split", "2", "3", "--groups", "split")
    found = json.loads(stressed(capsys, *both, "--json")[0])["groups"]
    alone = json.loads(stressed(capsys, *asked, "--split", "2", "--json")[0])
    assert alone["groups"] is None
    assert [one["group"] for one in found["scores"]] == ["2", "3"]
    own = found["scores"][0]
    assert own["metrics"] == {name: alone["metrics"][name] for name in own["metrics"]}
    assert own["intervals"] == {name: alone["intervals"][name] for name in own["intervals"]}
    assert "a line is scored on the slices of one group alone" in stressed(capsys, *both)[0]
    assert main(["stress", *map(str, asked), "--groups", "site"]) == 2
    assert "no such column in the store; received 'site'" in capsys.readouterr().err
