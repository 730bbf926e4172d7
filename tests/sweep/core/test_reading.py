"""Files are read whole, from regular files alone, and damage is one kind of error."""

import json
import os
from pathlib import Path

import pytest

from sweep.core.errors import UserError, WorkError
from sweep.core.reading import NoFileError, opened_text, read_bytes, read_json, read_text, readable


def test_what_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa,b\r\n1,\xc3\xa9\r\n")
    assert read_bytes(tmp_path / "a")[3:4] == b"a"
    with opened_text(tmp_path / "a") as file:
        assert file.read() == "a,b\r\n1,é\r\n"


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises((NoFileError, IsADirectoryError)):
        read_text(tmp_path / place)


def test_a_file_larger_than_any_of_its_kind(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(5 << 30)  # of which none is on the disk
    with pytest.raises(NoFileError, match="it has 5368709120 bytes, more than"):
        read_json(tmp_path / "large")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff", "1" * 5000])
def test_damage_is_one_kind_of_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    for kind in (UserError, WorkError):
        with (
            pytest.raises(kind, match=r"it is odd; received '.*a\.json' \(\w+: .*\); mend it"),
            readable("it is odd", tmp_path / "a.json", "mend it", kind),
        ):
            read_json(tmp_path / "a.json")


def test_what_is_not_there_is_left_to_the_caller_and_errors_of_ours_are_as_they_are(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError), readable("a", tmp_path, "b"):
        read_json(tmp_path / "a.json")
    with pytest.raises(WorkError, match=r"^x; received y; z$"), readable("a", tmp_path, "b"):
        raise WorkError("x", "y", "z")


def test_a_library_that_shows_all_that_it_was_given_is_cut_short(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised, readable("a", tmp_path, "b"):
        raise ValueError("\x1b[31m" + json.dumps(list(range(10_000))))
    assert len(str(raised.value)) < 700
    assert "\x1b" not in str(raised.value)
