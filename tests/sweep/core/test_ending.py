"""What the driver cannot do ends the sweep, and is no result of a trial."""

from collections.abc import Callable

import pytest

from sweep.core.ending import ends_sweep, raising_cause


class Callback:
    @ends_sweep
    def told(self, value: int, *, fails: bool = False) -> int:
        """Doubles."""
        if fails:
            raise OSError(28, "No space left on device", "results/x")
        return 2 * value


def library(call: Callable[[], int]) -> int:
    """Takes whatever goes wrong for a fault of its own, as Tune does."""
    try:
        return call()
    except Exception:
        return -1


def test_no_library_handles_it_and_the_caller_gets_what_it_was() -> None:
    callback = Callback()
    with raising_cause():
        assert library(lambda: callback.told(2)) == 4
    with pytest.raises(OSError, match="No space left") as caught, raising_cause():
        library(lambda: callback.told(2, fails=True))
    assert caught.value.filename == "results/x"


def test_an_interruption_stays_one() -> None:
    @ends_sweep
    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), raising_cause():
        library(interrupted)
