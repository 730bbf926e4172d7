"""Messages cost nothing where nobody reads them."""

import errno
import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweep.core.saying import is_terminal, said_if_long, say

# Speaks, waits until the reader is gone, speaks on, and ends with a status of its own.
SPEAKER = """
import sys
from sweep.core.saying import is_terminal, say
say("first")
sys.stdin.readline()
for _ in range(3):
    say("nobody reads this", end="")
print("nor this", file=sys.stderr)
sys.exit(7)
"""


def status_of_speaker(read: int, write: int) -> int:
    """Of one that is heard once, and then by nobody."""
    here = Path(__file__).parents[3]
    command = [sys.executable, "-c", SPEAKER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=write, cwd=here) as process:
        os.close(write)
        assert os.read(read, 100).strip() == b"first"
        os.close(read)
        process.communicate(b"\n", timeout=30)
    return process.returncode


def test_a_reader_that_is_gone() -> None:
    assert status_of_speaker(*os.pipe()) == 7


def test_a_terminal_that_is_closed() -> None:
    assert status_of_speaker(*pty.openpty()) == 7


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_and_a_closed_stream(tmp_path: Path) -> None:
    say("lost", stream=Full())
    with (tmp_path / "log").open("w") as log:
        say("kept", stream=log)
    say("lost", stream=log)
    assert (tmp_path / "log").read_text() == "kept\n"


class Piped(io.StringIO):
    """None of the system's, with a reader that is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_stream_that_is_none_of_the_systems() -> None:
    say("lost", stream=Piped())


def test_what_an_encoding_does_not_have_is_an_escape_and_the_rest_is_said() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    say("folder  Köln", stream=stream)
    assert raw.getvalue() == b"folder  K\\xf6ln\n"


def test_what_is_closed_or_can_only_be_written_to_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    only_written: Any = SimpleNamespace(write=None, flush=None)
    assert not is_terminal(closed)
    assert not is_terminal(only_written)


def test_what_is_waited_for_is_said_once_it_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    with said_if_long("waiting for nobody", quiet_s=30):
        pass
    assert capsys.readouterr().err == ""
    with said_if_long("waiting for somebody", quiet_s=0.01):
        time.sleep(0.3)
    assert capsys.readouterr().err == "waiting for somebody\n"
