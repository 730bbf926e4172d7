"""A folder that was moved is the same sweep, a copy is another; what a kill left goes."""

import dataclasses
import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.results.leftovers import clear_leftovers
from sweep.results.place import take_place


def driven(path: Path, said: list[str]) -> SweepFolder:
    folder = SweepFolder.open(path)
    take_place(folder, said.append)
    return SweepFolder.open(path)


def test_a_folder_that_was_moved_stays_the_sweep(folder: SweepFolder, tmp_path: Path) -> None:
    said: list[str] = []
    before = folder.identity
    moved = driven(folder.path.rename(tmp_path / "moved"), said)
    assert moved.identity == dataclasses.replace(before, place=str(moved.path))
    assert not said


def test_a_copy_is_a_sweep_of_its_own(folder: SweepFolder, tmp_path: Path) -> None:
    said: list[str] = []
    copy = driven(Path(shutil.copytree(folder.path, tmp_path / "copy")), said)
    assert copy.identity.sweep_id != folder.identity.sweep_id
    assert said == [
        f"note: {copy.path} is a copy of the sweep in {folder.path}; it goes on as a sweep of its "
        "own, with runs of its own in MLflow"
    ]
    again = driven(copy.path, said)
    assert again.identity == copy.identity
    assert driven(folder.path, said).identity == folder.identity
    assert len(said) == 1


def test_a_copy_whose_original_is_gone_is_the_sweep(folder: SweepFolder, tmp_path: Path) -> None:
    said: list[str] = []
    shutil.copytree(folder.path, tmp_path / "copy")
    shutil.rmtree(folder.path)
    copy = driven(tmp_path / "copy", said)
    assert not said
    assert json.loads((copy.path / "sweep.json").read_text())["place"] == str(copy.path)


def test_a_place_that_no_record_can_have_is_not_written(
    folder: SweepFolder, tmp_path: Path
) -> None:
    before = folder.identity
    moved = folder.path.rename(tmp_path / os.fsdecode(b"t\xfc"))
    with pytest.raises(UserError, match=r"cannot say where it is; received .*; rename the folder"):
        driven(moved, [])
    assert SweepFolder.open(moved).identity == before
    assert driven(moved.rename(tmp_path / "renamed"), []).identity.sweep_id == before.sweep_id


def test_a_folder_by_another_path_is_no_copy(folder: SweepFolder, tmp_path: Path) -> None:
    """As where a machine has the file system of another one under another name."""
    other = str(tmp_path / "by another name")
    Path(other).symlink_to(folder.path)
    folder.write_identity(dataclasses.replace(folder.identity, place=other))
    said: list[str] = []
    assert driven(folder.path, said).identity.sweep_id == folder.identity.sweep_id
    assert not said


def test_a_folder_of_an_earlier_version_gets_its_place(folder: SweepFolder) -> None:
    plain = json.loads((folder.path / "sweep.json").read_text())
    del plain["place"]
    (folder.path / "sweep.json").write_text(json.dumps(plain))
    said: list[str] = []
    known = driven(folder.path, said).identity
    assert (known.sweep_id, known.place) == (plain["sweep_id"], str(folder.path))
    assert not said


def test_what_a_kill_has_left_goes_and_what_a_writer_holds_stays(folder: SweepFolder) -> None:
    before = set(folder.path.rglob("*"))
    held = folder.path / "results" / ".epoch-0009.parquet.0a1b2c3d.tmp"  # of another host, by now
    left = [folder.path / "trials" / ".trial-0000.json.0a1b2c3d.tmp"]
    for path in (held, *left):
        path.touch()
    os.utime(left[0], (0, 0))
    locks = [folder.path / f"optuna.journal.lock{end}" for end in ("", "0a1b.rename")]
    for path in locks:
        path.symlink_to(folder.journal)
    clear_leftovers(folder)
    assert set(folder.path.rglob("*")) == before | {held}


@pytest.mark.parametrize(("number", "goes_on"), [(errno.ENOLCK, True), (errno.EIO, False)])
def test_a_file_system_without_locks_is_said(
    number: int,
    goes_on: bool,
    folder: SweepFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuses(file: object, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuses)
    if goes_on:
        with folder.lock():
            assert "takes no locks (No locks available)" in capsys.readouterr().err
    else:
        with pytest.raises(OSError, match="Input/output error"), folder.lock():
            pass
