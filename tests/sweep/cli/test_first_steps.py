"""What a user asks before, beside and after a sweep: version, settings, sweeps, rows as a file."""

import csv
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pandas
import pytest
from pyarrow import parquet

import sweep
from sweep.cli import main
from sweep.config.reading import load_yaml
from sweep.config.sweep import SweepConfig
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.data import ROOT

BY = "robust/auroc_cvar"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mrisweep {version('mrisweep')}\n"


def test_the_printed_sweep_is_the_same_sweep_with_nothing_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, changed = str(ROOT / "deploy" / "sweeps" / "brain_tumor.yaml"), ["train.epochs=7"]
    text = printed(capsys, "run", file, "--print-config", "--set", *changed)
    assert SweepConfig.from_dict(load_yaml(text)) == SweepConfig.from_yaml(file, changed)
    assert load_yaml(text)["train"]["epochs"] == 7
    assert list(tmp_path.iterdir()) == []


def test_a_setting_is_explained_and_a_typo_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "settings", "train.lr")
    assert "train.lr: number; a number above 0; default 0.001" in said
    assert "Peak learning rate." in said
    assert "When to change it:" in said
    assert "train.lr" in printed(capsys, "settings").split()
    assert printed(capsys, "settings", "train").count("When to change it:") > 10
    assert "did you mean 'train.lr'?" in complaint(capsys, "settings", "train.rl")


def test_sweeps_are_listed_and_nothing_else(
    sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("a/one", "b/deep/two", ".hidden/three", "a/one/inside"):
        shutil.copytree(sweep_folder, tmp_path / place)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sweep.yaml").write_text("name: mine\n")  # a user's own file
    (tmp_path / "b" / "deep" / "two" / "sweep.yaml").write_text("name: [")
    assert main(["list", str(tmp_path)]) == 0
    said = capsys.readouterr()
    header, *rows = said.out.splitlines()
    assert header.split() == ["folder", "name", "state", "trials", "best", "by"]
    assert [row.split()[0] for row in rows] == [str(tmp_path / "a" / "one")]
    best = sweep.best(sweep_folder, top=1)[0]
    assert f"2/2     {best.metrics[BY]:.3f} ({best.norm}, epoch {best.epoch})" in rows[0]
    assert f"note: {tmp_path / 'b' / 'deep' / 'two'}: the sweep file is not YAML" in said.err
    (plain,) = json.loads(printed(capsys, "list", str(tmp_path / "a"), "--json"))
    assert plain["folder"] == str(tmp_path / "a" / "one")


def test_a_folder_without_sweeps_and_one_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", str(tmp_path)]) == 0
    assert capsys.readouterr().err == f"no sweep is in {tmp_path}\n"
    assert "there is no such folder" in complaint(capsys, "list", str(tmp_path / "no"))


def test_a_folder_with_a_sweep_file_of_the_user_is_no_sweeps_folder(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"store": str(store.path), "train": [1], "validation": [2]}
    (tmp_path / "sweep.yaml").write_text(json.dumps({"name": "mine", "data": data}))
    for command in ("resume", "best", "watch", "sync", "gc"):
        assert "the folder is not a sweep's, as it has no sweep.json" in complaint(
            capsys, command, str(tmp_path)
        )
    assert [one.name for one in tmp_path.iterdir()] == ["sweep.yaml"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_go_into_a_file_with_every_metric(
    ending: str, sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"rows.{ending}"
    table = printed(capsys, "best", str(sweep_folder), "--out", str(file))
    assert table == printed(capsys, "best", str(sweep_folder))
    rows = sweep.best(sweep_folder)
    if ending == "csv":
        with file.open(newline="", encoding="utf-8") as opened:
            found = list(csv.DictReader(opened))
    else:
        found = parquet.read_table(file).to_pylist()
    assert [one["trial"] for one in found] == [row.trial for row in rows]
    for one, row in zip(found, rows, strict=True):
        assert {name: float(one[name]) for name in row.metrics} == row.metrics
        for name, (low, high) in row.intervals.items():
            assert (float(one[f"{name}/low"]), float(one[f"{name}/high"])) == (low, high)
        assert one["model.norm"] == row.params["model.norm"]
        assert one["folder"] == str(sweep_folder)


def test_a_frame_has_a_row_for_each_and_a_column_for_each_setting(sweep_folder: Path) -> None:
    rows = sweep.best(str(sweep_folder), where=["model.norm!=none"])
    found = sweep.frame(rows)
    assert isinstance(found, pandas.DataFrame)
    assert list(found[BY]) == [row.metrics[BY] for row in rows]
    assert list(found["norm"]) == [row.norm for row in rows]
    assert len(sweep.frame([])) == 0


def test_settings_of_several_kinds_in_one_column_are_written_as_texts(
    sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sweep_folder, tmp_path / "one")
    folder = SweepFolder.open(tmp_path / "one")
    for record, value in zip(folder.trials(), ("adaptive", ["a", 1]), strict=True):
        record.params["train.odd"] = value
        folder.write_trial(record)
    printed(capsys, "best", str(folder.path), "--out", str(tmp_path / "rows.parquet"))
    found = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert {one["train.odd"] for one in found} == {"adaptive", '["a", 1]'}


def test_a_file_that_cannot_be_is_refused_before_anything_is_read(
    sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, "best", str(sweep_folder), "--out", str(tmp_path / "rows.xlsx"))
    assert "end its name in .csv or .parquet" in said
    said = complaint(
        capsys, "best", str(sweep_folder), "--failed", "--out", str(tmp_path / "a.csv")
    )
    assert "leave --failed out, or --out" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("condition", "kept"),
    [("norm==group", 1), ("norm!=group", 1), ("status==finished", 2), ("seed==7", 0)],
)
def test_conditions_on_what_tells_trials_apart(
    condition: str, kept: int, sweep_folder: Path
) -> None:
    assert len(sweep.best(sweep_folder, where=[condition])) == kept
