"""Data of one's own on the command line: a dataset by its name, columns of a manifest."""

from pathlib import Path

import pytest
import yaml

from sweep.cli import main
from sweep.store import Store
from tests.support.collections import Collection
from tests.support.datasets import PLACE


def test_a_dataset_is_ingested_with_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.h5"
    sets = ("--set", "items=10", "--set", "broken=[3]", "--set", "site=B")
    asked = ("--folds", "2", "--workers", "1", "--size", "4")
    assert main(["ingest", "dataset", f"{PLACE}:Pictures", "--out", str(out), *sets, *asked]) == 0
    shown = capsys.readouterr()
    assert "left out, as they cannot be used: 1 item" in shown.err
    assert "item 3: " in shown.err
    store = Store.open(out)
    assert store.images.shape == (9, 4, 4)
    assert set(store.column("site")) == {"B"}
    assert main(["data", "show", str(out), "--verify"]) == 0
    assert ["site", "B", "5", "9"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((f"{PLACE}:Pictures", "--set", "items"), "--set cannot be read; received 'items'; give k"),
        ((f"{PLACE}:Pictures", "--set", "site=2020-01-01"), "options of the dataset are not texts"),
        ((f"{PLACE}:Pictres",), "cannot be imported"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ingest", "dataset", *arguments, "--out", str(tmp_path / "s.h5")]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_check_makes_the_store_that_the_sweep_file_describes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    file, path = tmp_path / "sweep.yaml", tmp_path / "own.h5"
    data = {"store": str(path), "dataset": f"{PLACE}:Large", "train": [1, 2], "validation": [3]}
    file.write_text(
        yaml.safe_dump(
            {
                "name": "own",
                "data": data,
                "model": {"width": 4},
                "train": {"epochs": 1, "batch_size": 4},
                "stress": {"artifacts": ["bias"], "levels": [1], "grid": "physical"},
            }
        )
    )
    assert main(["check", str(file)]) == 0
    assert f"there is no {path} yet; it is made now" in capsys.readouterr().err
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().err == f"read {file}; looking at data and cluster\n"


def test_columns_of_a_manifest_are_kept(
    collection: Collection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"{n}.png", "x", f"p{n}", "ab"[n % 2]) for n in range(6)]
    collection.describe(*rows, header="file,label,patient,site")
    start = ["ingest", "images", str(collection.manifest), "--images", str(collection.images)]
    end = ["--folds", "2", "--workers", "1", "--out", str(tmp_path / "s.h5"), "--columns"]
    assert main([*start, *end, "sight"]) == 2
    assert "'sight' (did you mean 'site'?)" in capsys.readouterr().err
    assert main([*start, *end, "site"]) == 0
    assert Store.open(tmp_path / "s.h5").column("site").tolist() == ["a", "b"] * 3
