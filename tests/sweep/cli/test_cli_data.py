"""``mrisweep data show``: what a person and a script get to see of a store."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from sweep.cli import main
from sweep.store import Store, write_store
from sweep.store.slices import Slice
from tests.support.stores import make_store


@pytest.fixture
def copied(tmp_path: Path) -> Store:
    """Two patients in two splits, and the slice of one is that of the other."""
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    slices = [Slice(f"{of}/0", of, split, frozenset({"a"}), "") for of, split in ("ax", "by")]
    return write_store(
        tmp_path / "copied.h5",
        slices,
        [image, image],
        shape=(64, 64),
        label_names=("a",),
        task="multilabel",
        source={"kind": "test"},
    )


def damaged(path: Path, row: int) -> Path:
    store = make_store(path)
    with h5py.File(path) as file:
        place = file["images"].id.get_offset() + row * store.images[0].nbytes
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), b"\xff", place)
    return path


def test_counts_source_and_near_duplicates_are_shown(
    copied: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "show", str(copied.path)]) == 0
    shown = capsys.readouterr()
    assert copied.fingerprint in shown.out
    assert "kind: test" in shown.out
    assert "1 pair, of 2 of 2 slices, 2 patients, splits x, y" in shown.out
    assert "a/0" in shown.out.splitlines()[-2]
    assert shown.err == ""


def test_a_script_gets_one_object(copied: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", str(copied.path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["fingerprint"] == copied.fingerprint
    assert answer["shape"] == [64, 64]
    (pair,) = answer["near_duplicates"]["pairs"]
    assert (pair["one"]["key"], pair["other"]["key"]) == ("a/0", "b/0")


def test_the_sheet_is_drawn_and_its_place_told(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    assert main(["data", "show", str(store.path), "--sheet", str(out), "--per-split", "3"]) == 0
    shown = capsys.readouterr()
    assert str(out) in shown.err
    assert str(out) not in shown.out
    with Image.open(out) as picture:
        assert picture.format == "PNG"


def test_an_intact_store_is_said_to_be(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", str(store.path), "--verify"]) == 0
    assert f"all {len(store)} slices are as they were written" in capsys.readouterr().err


def test_damaged_slices_are_named_and_the_work_has_failed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = damaged(tmp_path / "s.h5", row=6)
    assert main(["data", "show", str(path)]) == 0, "without --verify no pixel is checked"
    capsys.readouterr()
    assert main(["data", "show", str(path), "--verify"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1 of 96" in shown.err
    assert "'p1/s2'" in shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sheet", "sheet.jpg"), "sheet.jpg"),
        (("--sheet", "sheet.png", "--per-split", "0"), "received 0"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(
    options: tuple[str, ...],
    message: str,
    store: Store,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "show", str(store.path), *options]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"file,label,patient\n"])
def test_what_is_no_store_is_refused(
    content: bytes | None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.h5"
    if content is not None:
        path.write_bytes(content)
    assert main(["data", "show", str(path)]) == 2
    shown = capsys.readouterr()
    assert str(path) in shown.err
    assert shown.out == ""
