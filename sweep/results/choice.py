"""What the choice of a sweep's winner is worth, of the predictions of all that could be chosen.

It is computed once, when the last trial has ended, and kept in ``choice.json``: it reads every
epoch that was scored in full. What early stopping chose before, on screenings, is not chosen again.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sweep.core.errors import told
from sweep.core.files import write_text
from sweep.core.objective import terms
from sweep.core.records import CLEAN
from sweep.metrics import Metric, metric_of
from sweep.metrics.operating import operating_points
from sweep.metrics.table import SUMMARIES
from sweep.results.callbacks import Say
from sweep.results.folder import SweepFolder
from sweep.stats.checkpoint import basis_of
from sweep.stats.estimate import resampled_patients
from sweep.stats.winner import RESAMPLES, Candidate, Optimism, candidate_of, optimism


@dataclass(frozen=True)
class Choice:
    """What the best of a sweep scores, and what choosing it is worth.

    Attributes:
        objective: What it was chosen by.
        trials: How many there were to choose from.
        epochs: How many of their epochs were scored in full.
        best: Of all trials.
        norms: Of the trials of each norm.
        reason: Why there is nothing to say; None where there is.

    """

    objective: str
    trials: int = 0
    epochs: int = 0
    best: Optimism | None = None
    norms: dict[str, Optimism] = field(default_factory=dict)
    reason: str | None = None


def measure(folder: SweepFolder) -> Choice:
    """Make the choice of a sweep again in resamples of its validation patients.

    Args:
        folder: Whose trials have ended.

    """
    objective = folder.config().search.objective
    kind, metric = _chosen_by(objective)
    if metric is None or kind is None:
        reason = f"it is for clean, {', '.join(SUMMARIES)} of a metric, not for a sum or another"
        return Choice(objective, reason=reason)
    epochs = [
        (record.norm, record.trial, epoch.epoch)
        for record in folder.trials()
        for epoch in folder.epochs(record.trial)
        if epoch.scores
    ]
    if not epochs:
        return Choice(objective, reason="no epoch was scored in full")
    _, slices = folder.predictions(*epochs[0][1:])
    basis = basis_of(slices.truth, slices.labels, slices.patients)
    if basis.reason is not None:
        return Choice(objective, reason=basis.reason)
    weights = resampled_patients(basis.patients, RESAMPLES)

    def candidates() -> Iterator[Candidate]:
        for norm, trial, epoch in epochs:
            found, of = folder.predictions(trial, epoch)
            found = sorted(found, key=lambda item: (item.cell != CLEAN, item.cell))
            points = operating_points(found, of.truth, of.labels)
            by_column = {column: points[label] for column, label in enumerate(of.labels)}
            asked = found, of.truth, of.patients, by_column
            yield candidate_of(norm, metric, *asked, weights)

    found = optimism(candidates(), kind)
    if None not in found:
        return Choice(objective, reason="every epoch has a missing cell")
    trials = len({trial for _, trial, _ in epochs})
    norms = {norm: value for norm, value in found.items() if norm is not None}
    return Choice(objective, trials, len(epochs), found[None], norms)


def keep_measured(folder: SweepFolder, say: Say) -> None:
    """Measure it and keep it, where a sweep ends: a failure is said and kept, and costs no more.

    Args:
        folder: Whose trials have ended.
        say: Says something to the user.

    """
    try:
        keep(folder, measure(folder))
    except Exception as error:  # whatever it is, the trials are there and finalists may follow
        failed = f"it could not be measured ({told(error)})"
        say(
            f"what the choice of the best is worth is not known; received {told(error)}; all else "
            f"is there: mend the cause, and `mrisweep resume {folder.path}` measures it again"
        )
        with suppress(OSError):  # of a full disk, which was said
            keep(folder, Choice(folder.config().search.objective, reason=failed))


def keep(folder: SweepFolder, choice: Choice) -> None:
    """Replace what is kept of it."""
    write_text(_file(folder), json.dumps(asdict(choice), indent=1))


def kept(folder: SweepFolder) -> Choice | None:
    """Back from ``keep``; None before, and of a sweep that an earlier version ended."""
    try:
        plain = json.loads(_file(folder).read_text())
    except FileNotFoundError:
        return None
    best = plain.pop("best")
    norms = {norm: Optimism(*value) for norm, value in plain.pop("norms").items()}
    return Choice(**plain, best=None if best is None else Optimism(*best), norms=norms)


def choice_text(choice: Choice, norm: str | None = None) -> str | None:
    """What is to be said of it below a table, or of the choice within one norm.

    Args:
        choice: As kept.
        norm: The one norm that the table shows; None: all.

    Returns:
        One line; None where there is nothing to say of the norm.

    """
    if choice.reason is not None:
        return f"the score of the best is not corrected for its luck: {choice.reason}."
    found = choice.best if norm is None else choice.norms.get(norm)
    if found is None:
        return None
    return (
        f"the best of {choice.epochs} epochs of {choice.trials} trials"
        f"{f', of norm {norm},' if norm else ''} has {choice.objective} {found.naive:.3f} on the "
        f"patients that it was chosen by; a choice like this is worth {found.corrected:.3f} on "
        "others (bootstrap bias correction)."
    )


def _chosen_by(objective: str) -> tuple[str | None, Metric | None]:
    """Which summary of cells an objective is, and of which metric."""
    metric = metric_of(objective) if len(terms(objective)) == 1 else None
    if metric is None or not metric.higher_is_better:
        return None, None
    names = {metric.clean: "clean", **{metric.robust(kind): kind for kind in SUMMARIES}}
    return names.get(objective), metric


def _file(folder: SweepFolder) -> Path:
    return folder.path / "choice.json"
