"""A signal that is lost where it arrives is found again."""

import os
import signal

import pytest

from sweep.core.interruption import interruptible, stop_if_asked


class Ending:
    """Its end gets a signal, in code whose exceptions Python loses."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_raises_at_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
