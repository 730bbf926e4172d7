"""What early stopping saved of a sweep."""

from collections.abc import Callable, Sequence

from sweep.config.search import STRATIFY, SearchSettings, epochs_of, stratum_of
from sweep.core.records import TrialRecord
from sweep.core.text import number_of


def savings(
    search: SearchSettings,
    epochs: int,
    trials: Sequence[TrialRecord],
    last_reported: Callable[[str], int],
) -> str | None:
    """How many epochs were saved of those of all trials that ended, and of each stratum's.

    A stopped trial saved what was left of its own epochs; one that ended by itself, as it diverged
    or was out of patience, nothing.

    Args:
        search: That of the sweep.
        epochs: Those of a trial, as set.
        trials: All its trials.
        last_reported: Gives the last reported epoch of a trial by name.

    Returns:
        One line; None where nothing is stopped early or no trial has ended.

    """
    saved: dict[str, int] = {}
    planned: dict[str, int] = {}
    for trial in trials:
        if trial.status == "running":
            continue
        stratum = stratum_of(search, trial.params)
        most = epochs_of(trial.params, epochs)
        left = most - last_reported(trial.trial) if trial.status == "pruned" else 0
        saved[stratum] = saved.get(stratum, 0) + left
        planned[stratum] = planned.get(stratum, 0) + most
    if search.scheduler == "none" or not planned:
        return None
    own, all_ = sum(saved.values()), sum(planned.values())
    share = f"{100 * own / all_:.0f} %"
    line = (
        f"early stopping ({_rule(search, epochs)}) saved {own} of {number_of(all_, 'epoch')} "
        f"({share})"
    )
    if not search.strata():
        return line
    names = [name for name in map(str, search.strata()) if name in planned]
    return f"{line}: " + ", ".join(f"{name} {saved[name]} of {planned[name]}" for name in names)


def _rule(search: SearchSettings, epochs: int) -> str:
    """The scheduler, and of one that compares all trials once, when and how many go on."""
    after = search.waits_after(epochs)
    if after is None:
        return search.scheduler
    stratum = "norm" if search.stratify == STRATIFY else search.stratify
    of_each = f" of each {stratum}" if search.strata() else ""
    return f"{search.scheduler}: the best {search.kept()}{of_each} go on after epoch {after}"
