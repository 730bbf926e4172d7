"""Where a command is to write: refused before the work, by trying it."""

import sys
from pathlib import Path

import pytest

from sweep.api import output
from sweep.api.output import check_place
from sweep.core.errors import UserError


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_place_that_permissions_let_write_and_the_system_does_not() -> None:
    with pytest.raises(UserError, match="the output's folder cannot be written; received '/proc'"):
        check_place(Path("/proc/none/sweep"))


def test_a_place_is_left_as_it_was(tmp_path: Path) -> None:
    check_place(tmp_path / "new" / "sweep")
    assert list(tmp_path.iterdir()) == []


def test_a_file_on_the_way_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="a part of the output's path is no folder"):
        check_place(tmp_path / "file" / "sweep")


def test_a_folder_that_is_there_need_not_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that a container has mounted in a place that only its root can write."""
    monkeypatch.setattr(output, "may_write_in", lambda folder: folder == tmp_path)
    check_place(tmp_path)
    monkeypatch.setattr(output, "may_write_in", lambda folder: folder != tmp_path)
    with pytest.raises(UserError, match="cannot be written"):
        check_place(tmp_path)
