"""A signal that is lost where it arrives is found again, and each is answered at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep.core.interruption import SIGNALS, interruptible, stop_if_asked


class Ending:
    """Its end gets a signal, in code whose exceptions Python loses."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_at_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_came_where_exceptions_are_lost_is_raised_later(
    number: signal.Signals,
) -> None:
    with interruptible():
        stop_if_asked()
        ending = Ending(number)
        del ending
        with pytest.raises(KeyboardInterrupt):
            stop_if_asked()


def test_nothing_is_remembered_from_before() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    stop_if_asked()
    with interruptible():
        stop_if_asked()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    """SIGINT in the background of a shell, SIGHUP under nohup."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def signalled_twice(first: signal.Signals, again: signal.Signals, done: list[str]) -> None:
    with interruptible():
        try:
            os.kill(os.getpid(), first)
        finally:
            os.kill(os.getpid(), again)
            done.append("what is done in the end")


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_program_twice_does_not_disturb_its_end(again: signal.Signals) -> None:
    """A shell whose terminal is closed passes on what its jobs have been sent already."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        signalled_twice(signal.SIGHUP, again, done)
    assert done


def test_a_second_ctrl_c_ends_at_once() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        signalled_twice(signal.SIGINT, signal.SIGINT, done)
    assert not done


def release_a_lock() -> None:
    """Stands for a library that a signal comes upon, and that then fails in a way of its own."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        raise FileNotFoundError("the lock is gone") from None


def test_what_a_library_makes_of_an_interruption_is_the_interruption() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        release_a_lock()
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_an_error_that_nobody_asked_for_stays_one() -> None:
    with pytest.raises(FileNotFoundError), interruptible():
        raise FileNotFoundError("no signal has come")


# In C code that no signal interrupts: a lock that is held, as in the start of Ray.
IN_A_LIBRARY = """
import ctypes, sys
from sweep.core.interruption import interruptible
with interruptible():
    print("in it", flush=True)
    lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the lock is glibc's")
def test_a_signal_is_answered_while_a_library_does_not_come_back() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_LIBRARY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "in it\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline() == "stopping, as it was asked to\n"
        assert time.monotonic() - began < 5
        process.kill()


def test_a_signal_is_answered_once_and_nothing_is_said_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with interruptible():
        pass
    assert capsys.readouterr().err == ""
    with pytest.raises(KeyboardInterrupt):
        signalled_twice(signal.SIGHUP, signal.SIGTERM, [])
    assert capsys.readouterr().err == "stopping, as it was asked to\n"
