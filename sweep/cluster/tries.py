"""What becomes of a trial that failed: it is tried again, has ended, or shows a wider failure."""

from collections import Counter
from typing import Literal

from sweep.core.failures import Failure

Verdict = Literal["again", "fails", "halt"]


class Tries:
    """How often each trial has failed for what may go well another time.

    Args:
        retries: How often a trial is tried again.

    """

    def __init__(self, retries: int) -> None:
        self.retries = retries
        self.failed: Counter[str] = Counter()

    def verdict(self, trial: str, failure: Failure) -> Verdict:
        """What is to be done; ``halt``: what the whole sweep needs fails, and it is to be stopped.

        A full disk is no result of the trial that met it first.
        """
        if not failure.may_go_well:
            return "fails"
        self.failed[trial] += 1
        if self.failed[trial] <= self.retries:
            return "again"
        return "halt" if failure.kind == "surroundings" else "fails"
