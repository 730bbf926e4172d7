"""What a rule of early stopping is."""

from typing import Protocol

from sweep.search.order import Values


class StoppingRule(Protocol):
    """Decides, report by report, which trials of one stratum end early.

    A rule draws nothing at random: the same reports in the same order are decided alike, so that
    its memory can be filled again from the records of a sweep. It is shown neither a missing value,
    nor the last epoch of a trial, nor a trial that it has stopped. An epoch may be reported a
    second time, as a resumed trial says its last one again: that changes nothing.
    """

    def stops(self, trial: int, epoch: int, values: Values) -> bool:
        """Take one report and decide.

        Args:
            trial: The number of the trial in the sweep.
            epoch: Its epoch, 1 for the first.
            values: What is compared at this epoch, each to be maximised.

        Returns:
            Whether the trial ends here.

        """
