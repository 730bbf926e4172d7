"""What a colleague would remark on the outcome of a search."""

import math
from collections.abc import Iterator, Sequence

from sweep.config.search import SearchSettings, epochs_of, stratum_of
from sweep.config.space import Dimension
from sweep.core.records import TrialRecord, diverged, is_screened
from sweep.core.text import number_of
from sweep.results.ranking import goodness

FEW = 4  # trials of a stratum: of fewer the best says more of luck than of the stratum
EDGE = 0.1  # of a range, on either side


def remarks(
    search: SearchSettings, epochs: int, trials: Sequence[TrialRecord], caution: str | None = None
) -> list[str]:
    """Remarks on the trials of a sweep, a line each; none on what is still to come.

    Args:
        search: That of the sweep.
        epochs: Those of a trial, as set.
        trials: All its trials.
        caution: What flatters scores by how the store was made; it is said first.

    """
    whole = len(trials) >= search.total
    strata: dict[str, list[TrialRecord]] = {str(value): [] for value in search.strata()}
    for trial in trials:
        if trial.status != "running":
            strata.setdefault(stratum_of(search, trial.params), []).append(trial)
    lines = [caution] if caution else []
    few = [f"{name} ({len(own)})" for name, own in strata.items() if len(own) < FEW]
    if whole and search.strata() and few:
        lines.append(
            f"fewer than {FEW} trials of {', '.join(few)}; "
            "the best of so few says more about luck than about them"
        )
    for name, own in strata.items():
        who = name if search.strata() else "all trials"
        lost = sum(diverged(trial) for trial in own)
        if lost > len(own) / 2:
            lines.append(
                f"{who}: {lost} of {number_of(len(own), 'trial')} diverged; a smaller train.lr "
                "may mend it"
            )
        if best := _best(own, search.objective):
            lines += _edges(search, who, best)
    if winner := _best(trials, search.objective):
        lines += _epoch(epochs, winner)
        lines += _unmet(search, winner)
    return lines


def _best(trials: Sequence[TrialRecord], objective: str) -> TrialRecord | None:
    scored = [
        trial for trial in trials if trial.best_epoch is not None and not is_screened(trial.metrics)
    ]
    return max(scored, key=lambda trial: goodness(trial.metrics, objective), default=None)


def _edges(search: SearchSettings, who: str, best: TrialRecord) -> Iterator[str]:
    for name, dimension in search.dimensions().items():
        if dimension.kind == "choice" or name not in best.params:
            continue
        place, (low, high) = _place(dimension, best.params[name]), dimension.values
        if EDGE < place < 1 - EDGE:
            continue
        side, there = ("lowest", "below") if place <= EDGE else ("highest", "above")
        yield (
            f"{who}: the best {name}, {best.params[name]:.3g} ({best.trial}), is in the {side} "
            f"tenth of {low:g} to {high:g}; what lies {there} may be better"
        )


def _place(dimension: Dimension, value: float) -> float:
    """Where in its range a value lies, from 0 to 1."""
    low, high = dimension.values
    if "log" in dimension.kind:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))


def _unmet(search: SearchSettings, winner: TrialRecord) -> Iterator[str]:
    for text, condition in zip(search.subject_to, search.conditions(), strict=True):
        if not condition.holds(winner.metrics):
            yield (
                f"the winner, {winner.trial}, does not meet {text}; `best --where` ranks the "
                "trials that do"
            )


def _epoch(epochs: int, winner: TrialRecord) -> Iterator[str]:
    last = epochs_of(winner.params, epochs)
    if last == 1:
        return
    if winner.status == "pruned":
        yield f"the winner, {winner.trial}, was stopped early; more epochs may make it better"
    if winner.best_epoch == 1:
        yield (
            f"the winner, {winner.trial}, is at its first epoch; that may be luck, or a learning "
            "rate that does harm"
        )
    if winner.best_epoch == last:
        yield f"the winner, {winner.trial}, is at its last epoch; it may not be trained to its end"
