"""The screen: lines below all others on a terminal, dated lines in a log."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pyte
import pytest

from sweep.core.saying import say
from sweep.core.stages import stage
from sweep.terminal import Screen, on_screen

DATE = "2026-01-02 03:04:05  "
SIZE = ("COLUMNS", "LINES")


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


class Body:
    def lines(self, width: int, height: int) -> list[str]:
        return [f"row {number} of {width} columns".ljust(300, ".") for number in range(height)]

    def line(self) -> str:
        return "3 of 8 ended"


@pytest.fixture(autouse=True)
def _no_stage() -> Iterator[None]:
    stage("")
    yield
    stage("")


def logged(now: Clock) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(out, now, lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), out


def at_work(monkeypatch: pytest.MonkeyPatch, now: Clock) -> None:
    monkeypatch.setattr("sweep.core.stages.time.monotonic", now)


def test_a_log_has_a_date_before_every_line() -> None:
    screen, out = logged(Clock())
    screen.say("one")
    screen.tell("two")
    screen.fact("folder", "sweeps/one")
    screen.fact("folder", "sweeps/one")
    assert out.getvalue() == f"{DATE}one\n{DATE}two\n{DATE}folder  sweeps/one\n"


def test_a_log_names_a_stage_that_takes_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Clock()
    at_work(monkeypatch, now)
    screen, out = logged(now)
    stage("starting Ray")
    screen.look()
    assert out.getvalue() == ""
    now.time = 0.6
    screen.look()
    screen.look()
    assert out.getvalue() == f"{DATE}starting Ray\n"


def test_a_stage_comes_before_what_is_said_in_it() -> None:
    screen, out = logged(Clock())
    stage("starting Ray")
    screen.say("note: one")
    assert out.getvalue() == f"{DATE}starting Ray\n{DATE}note: one\n"


def test_what_is_said_as_its_stage_is_one_line() -> None:
    screen, out = logged(Clock())
    stage("stopping")
    screen.say("stopping")
    screen.say("done")
    assert out.getvalue() == f"{DATE}stopping\n{DATE}done\n"


def test_a_log_is_never_silent_for_more_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Clock()
    at_work(monkeypatch, now)
    screen, out = logged(now)
    stage("starting Ray")
    for second in range(1, 130):
        now.time = float(second)
        screen.look()
    assert out.getvalue().splitlines() == [
        f"{DATE}starting Ray",
        f"{DATE}starting Ray, for 1:01",
        f"{DATE}starting Ray, for 2:01",
    ]
    screen.show(Body())
    now.time += 61
    screen.look()
    assert out.getvalue().splitlines()[-1] == f"{DATE}3 of 8 ended"


def test_what_is_said_anywhere_goes_through_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    with on_screen() as outer:
        with on_screen() as inner:
            assert inner is outer, "a process has one"
        say("note: one")
    say("after")
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  note: one", first)
    assert second == "after"


class Faulty:
    """Cannot be shown twice, and can from then on."""

    def __init__(self) -> None:
        self.asked, self.shown = 0, threading.Event()

    def lines(self, width: int, height: int) -> list[str]:
        return [self.line()]

    def line(self) -> str:
        self.asked += 1
        if self.asked <= 2:
            raise ZeroDivisionError("by nothing")
        self.shown.set()
        return "3 of 8 ended"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_cannot_be_drawn_neither_ends_the_drawing_nor_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sweep.terminal.screen.POLL_S", 0.01)
    out, body = Tty(), Faulty()
    with Screen(out) as screen:
        screen.show(body)
        assert body.shown.wait(10)
        screen.say("note: one")
    assert "cannot be shown: ZeroDivisionError: by nothing" in out.getvalue()
    assert "3 of 8 ended" in out.getvalue()
    assert "note: one" in out.getvalue()


def test_a_log_goes_on_after_what_it_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.terminal.screen.POLL_S", 0.01)
    monkeypatch.setattr("sweep.terminal.screen.EVERY_S", 0.0)
    body, out = Faulty(), io.StringIO()
    with Screen(out) as screen:
        screen.show(body)
        assert body.shown.wait(10)
    assert "  cannot be shown: ZeroDivisionError: by nothing\n" in out.getvalue()


def test_a_line_that_a_library_has_begun_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Tty()
    with Screen(out):
        sys.stderr.write("from a library, without an end")
    assert "from a library, without an end" in out.getvalue()


def test_the_screen_of_two_threads_is_there_until_both_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inside, gone = threading.Event(), threading.Event()

    def first() -> None:
        with on_screen():
            inside.set()
            assert second_inside.wait(10)
        gone.set()

    second_inside = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with on_screen():
        second_inside.set()
        assert gone.wait(10)
        say("note: one")
    thread.join()
    say("after")
    one, after = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  note: one", one)
    assert after == "after"


SCRIPT = """
    import sys, time
    from sweep.core.saying import say
    from sweep.core.stages import stage
    from sweep.terminal import on_screen
    from tests.sweep.terminal.test_screen import Body

    with on_screen() as screen:
        stage("starting Ray on this machine")
        screen.fact("folder", "sweeps/one")
        say("note: a line that stays, however long it is: " + "word " * 30)
        print("from a library", file=sys.stderr)
        screen.show(Body() if "body" in sys.argv else None)
        time.sleep({seconds})
        if "prints" in sys.argv:
            print("from a plugin", flush=True)
            time.sleep({seconds})
        if "dies" in sys.argv:
            import os
            os.kill(os.getpid(), 9)
    print("the result")
"""


def on_terminal(
    columns: int, rows: int, *arguments: str, seconds: float = 0.7, **environment: str
) -> tuple[list[list[str]], bytes]:
    """What a terminal of that size shows: before it is drawn anew, and last; no empty lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    script = textwrap.dedent(SCRIPT).replace("{seconds}", str(seconds))
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Variables say the size where the tests run, not that of this terminal.
        env={
            **{name: value for name, value in os.environ.items() if name not in SIZE},
            "TERM": "xterm",
            **environment,
        },
    )
    os.close(theirs)
    raw = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        raw += piece
    process.wait()
    os.close(ours)
    screen, seen = pyte.Screen(columns, rows), []
    stream = pyte.ByteStream(screen)
    for drawing in re.split(rb"(?=\r\x1b\[2K)", raw):
        stream.feed(drawing)
        seen.append([line.rstrip() for line in screen.display if line.strip()])
    return seen, raw


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_terminal_shows_clock_stage_folder_and_body_without_a_broken_line(columns: int) -> None:
    seen, _ = on_terminal(columns, 24, "body")
    drawn = [lines[-16:] for lines in seen if "from a library" in lines and len(lines) >= 16]
    rows = [f"row {number} of {columns} columns" for number in range(14)]
    whole = [
        lines  # of the others a part alone has come
        for lines in drawn
        if [line.rstrip(".") for line in lines[2:]] == rows
    ]
    assert whole, "clock, folder and body take two thirds of the terminal"
    for head, folder, *body in whole:
        assert re.fullmatch(r"0:0\d {6}starting Ray on this machine(, for 0:0\d)?", head)
        assert folder == "folder    sweeps/one"
        assert all(len(line) == columns - 1 for line in body)


def test_a_low_terminal_shows_the_body_before_the_places() -> None:
    seen, _ = on_terminal(80, 8, "body")
    low = [lines[-5:] for lines in seen if any(line.startswith("row 3") for line in lines)]
    assert low
    assert all("folder" not in line for lines in low for line in lines)


def test_its_clock_ticks() -> None:
    seen, _ = on_terminal(80, 24, seconds=2.5)
    clocks = {line.split()[0] for lines in seen for line in lines if re.match(r"\d:\d\d ", line)}
    assert {"0:00", "0:01", "0:02"} <= clocks


def test_nothing_of_it_stays_but_what_was_said() -> None:
    seen, _ = on_terminal(80, 24, "body", "prints")
    text = "\n".join(seen[-1])
    assert "folder" not in text
    assert "row 0" not in text
    assert "note: a line that stays" in text
    assert "from a library" in text
    assert "from a plugin" in text
    assert seen[-1][-1] == "the result"


@pytest.mark.parametrize("columns", [60, 80])
def test_what_is_said_is_broken_between_words(columns: int) -> None:
    seen, _ = on_terminal(columns, 24)
    said = [line for line in seen[-1] if "word" in line]
    assert len(said) > 1
    assert all(len(line) <= columns for line in said)
    assert set(" ".join(said).split()[-29:]) == {"word"}


def test_a_terminal_of_a_killed_process_has_its_cursor() -> None:
    _, raw = on_terminal(80, 24, "dies")
    assert b"\x1b[?25l" not in raw


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_that_cannot_move_its_cursor_gets_a_log(environment: dict[str, str]) -> None:
    _, raw = on_terminal(80, 24, "body", **environment)
    assert b"\x1b" not in raw
    assert re.search(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  folder  sweeps/one", raw)


def test_no_color_means_none() -> None:
    _, raw = on_terminal(80, 24, "body", NO_COLOR="1")
    assert not re.search(rb"\x1b\[[0-9;]*m", raw)


def test_a_terminal_without_utf8_gets_what_it_can_show() -> None:
    _, raw = on_terminal(80, 24, "body", PYTHONIOENCODING="ascii", LC_ALL="C")
    raw.decode("ascii")
    assert b"the result" in raw
