"""Where each trial of a sweep stands, by its record and by who drives the sweep."""

from collections.abc import Collection, Mapping
from pathlib import Path

from sweep.config.search import SearchSettings
from sweep.core.records import TrialRecord
from sweep.core.states import PRUNED, RUNNING, state_of
from sweep.results import trial_files
from sweep.results.locks import driven
from sweep.results.sweep_file import asked


def states_in(folder: Path, trials: Collection[TrialRecord]) -> dict[str, str]:
    """The state of each of a sweep's trials, by name.

    Only where one has not ended is more read than its record.

    Args:
        folder: The folder of the sweep.
        trials: Some of its trials, or all.

    Raises:
        UserError: Its ``sweep.yaml`` cannot be read.
        WorkError: A bucket does not answer.

    """
    left = [one.trial for one in trials if one.status == RUNNING]
    if not left or (drives := driven(folder)) is False:
        return {one.trial: state_of(one, driven=False) for one in trials}
    of = asked(folder)
    last = {name: trial_files.last_reported(folder, name) for name in left}
    return states_of(trials, last, of.search, of.epochs, drives)


def states_of(
    trials: Collection[TrialRecord],
    last: Mapping[str, int],
    search: SearchSettings,
    epochs: int,
    drives: bool | None,
) -> dict[str, str]:
    """As ``states_in``, of what was read already.

    Args:
        trials: The trials.
        last: The last reported epoch of each that has not ended.
        search: That of the sweep.
        epochs: Those of a trial, as set.
        drives: Whether a process drives it; None: nobody can tell.

    """
    at = search.waits_after(epochs)
    if any(one.status == PRUNED for one in trials) or any(one > (at or 0) for one in last.values()):
        at = None  # those that are left go on
    return {
        one.trial: state_of(one, drives, waits=at is not None and last.get(one.trial) == at)
        for one in trials
    }
