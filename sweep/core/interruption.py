"""Being stopped from outside: by Ctrl-C, a job that is ended, a terminal that is closed."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sweep.core.saying import say
from sweep.core.stages import stage

ANSWER = "stopping, as it was asked to"
# SIGTERM is how a job is ended, SIGHUP how a terminal is closed; under `nohup` it is ignored.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """While inside, ``SIGNALS`` raise ``KeyboardInterrupt``, and are remembered.

    Python raises it wherever the main thread is. In a callback of C code it is lost, and the
    program would go on as if nobody had asked: ``stop_if_asked`` raises it again. What a library
    that it came upon raises instead, such as one that was releasing a lock, is the interruption.

    What ends a program often says so twice, as a shell does whose terminal is closed: what is done
    after the first time is not disturbed by the second, but for a Ctrl-C.

    The first is answered at once, with a line: Python hears of it only when the library that it is
    in comes back, which takes seconds where Ray starts.

    """
    _asked.clear()
    before = {
        number: signal.signal(number, _stop)
        for number in SIGNALS
        # Ignored it stays, as in the background of a shell; of C code, Python cannot put it back.
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        with _answering():
            yield
    except Exception as error:
        if _asked.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def stop_if_asked() -> None:
    """Raise ``KeyboardInterrupt`` if a signal has come since ``interruptible`` was entered."""
    if _asked.is_set():
        raise KeyboardInterrupt


def is_asked() -> bool:
    """Whether a signal has come since ``interruptible`` was entered: somebody waits for the end."""
    return _asked.is_set()


def _stop(number: int, frame: FrameType | None) -> None:
    again = _asked.is_set()
    _asked.set()
    if not again or number == signal.SIGINT:
        raise KeyboardInterrupt


@contextmanager
def _answering() -> Iterator[None]:
    """While inside, a thread answers the first signal, whatever the main one is in."""
    heard, tell = os.pipe()
    os.set_blocking(tell, False)  # as a signal must not wait
    thread = threading.Thread(target=_answer, args=(heard,), name="answers", daemon=True)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.write(tell, b"\0")  # no signal has this number
        thread.join()
        os.close(tell)
        os.close(heard)


def _answer(heard: int) -> None:
    """Say once that a signal has come; the system writes the number of each."""
    answered = False
    while number := os.read(heard, 1)[0]:
        if number in SIGNALS and not answered:
            answered = True
            stage(ANSWER)
            say(ANSWER)
