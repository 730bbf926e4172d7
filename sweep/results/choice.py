"""What the choice of a sweep's winner is worth, of the predictions of all that could be chosen.

It is computed once, when the last trial has ended, and kept in ``choice.json``: it reads every
epoch that was scored in full. What early stopping chose before, on screenings, is not chosen again.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

from sweep.config.arms import group_of
from sweep.core.errors import told
from sweep.core.files import write_text
from sweep.core.objective import terms
from sweep.core.records import CLEAN
from sweep.core.text import number_of
from sweep.metrics import Metric, metric_of
from sweep.metrics.operating import operating_points
from sweep.metrics.table import SUMMARIES
from sweep.results import trial_files
from sweep.results.callbacks import Say
from sweep.results.choice_file import FILE, Choice, kept
from sweep.results.folder import SweepFolder
from sweep.stats.checkpoint import basis_of
from sweep.stats.estimate import resampled_patients
from sweep.stats.winner import RESAMPLES, Candidate, candidate_of, optimism


class Scored(NamedTuple):
    """An epoch that was scored in full.

    Attributes:
        group: The norm or the arm of its trial.
        trial: The name of its trial.
        epoch: Its number.

    """

    group: str
    trial: str
    epoch: int


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
    epochs = scored_epochs(folder)
    if not epochs:
        return Choice(objective, reason="no epoch was scored in full")
    trials = len({trial for _, trial, _ in epochs})
    if gone := [one for one in epochs if not folder.has_predictions(one.trial, one.epoch)]:
        reason = (
            f"the predictions of {len(gone)} of the {number_of(len(epochs), 'epoch')} are not there"
        )
        return Choice(objective, trials, len(epochs), reason=reason)
    _, slices = folder.predictions(epochs[0].trial, epochs[0].epoch)
    basis = basis_of(slices.truth, slices.labels, slices.patients)
    if basis.reason is not None:
        return Choice(objective, trials, len(epochs), reason=basis.reason)
    weights = resampled_patients(basis.patients, RESAMPLES)
    folder.bring_predictions((trial, epoch) for _, trial, epoch in epochs)

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
        return Choice(objective, trials, len(epochs), reason="every epoch has a missing cell")
    norms = {norm: value for norm, value in found.items() if norm is not None}
    return Choice(objective, trials, len(epochs), found[None], norms)


def scored_epochs(folder: SweepFolder) -> list[Scored]:
    """What there is to choose from: every epoch that was scored in full, trial after trial."""
    return [
        Scored(group_of(record.params, record.norm), record.trial, epoch)
        for record in folder.trials()
        for epoch in folder.reported(record.trial)
        if folder.is_in_full(record.trial, epoch)
    ]


def is_measured(folder: SweepFolder) -> bool:
    """Whether what is kept of it is of all epochs that there are now, or it never will be."""
    if None in _chosen_by(folder.config().search.objective):
        return True
    known = kept(folder.path)
    return known is not None and known.epochs == len(scored_epochs(folder))


def keep_measured(folder: SweepFolder, say: Say) -> None:
    """Measure it and keep it, where a sweep ends: a failure is said and kept, and costs no more.

    What was measured before predictions were removed stays, as long as there is nothing more to
    choose from.

    Args:
        folder: Whose trials have ended.
        say: Says something to the user.

    """
    try:
        found = measure(folder)
        keep(folder, found if found.best else _as_before(folder, found))
    except Exception as error:  # whatever it is, the trials are there and finalists may follow
        failed = f"it could not be measured ({told(error)})"
        say(
            f"what the choice of the best is worth is not known; received {told(error)}; all else "
            f"is there: mend the cause, and `mrisweep resume {folder.path}` measures it again"
        )
        with suppress(OSError):  # of a full disk, which was said
            keep(folder, Choice(folder.config().search.objective, reason=failed))


def is_newest(folder: SweepFolder) -> bool:
    """Whether it was kept after whatever the folder says of a trial."""
    trials = trial_files.stamps(folder.path).values()
    with suppress(FileNotFoundError):
        kept_ns = (folder.path / FILE).stat().st_mtime_ns
        return all(one.mtime_ns <= kept_ns for one in trials)
    return False


def _as_before(folder: SweepFolder, found: Choice) -> Choice:
    """What was measured of the same epochs while their predictions were there, else ``found``."""
    known = kept(folder.path)
    same = known is not None and known.best is not None and known.epochs == found.epochs
    return known if known is not None and same else found


def keep(folder: SweepFolder, choice: Choice) -> None:
    """Replace what is kept of it."""
    write_text(folder.path / FILE, json.dumps(asdict(choice), indent=1))


def _chosen_by(objective: str) -> tuple[str | None, Metric | None]:
    """Which summary of cells an objective is, and of which metric."""
    metric = metric_of(objective) if len(terms(objective)) == 1 else None
    if metric is None or not metric.higher_is_better:
        return None, None
    names = {metric.clean: "clean", **{metric.robust(kind): kind for kind in SUMMARIES}}
    return names.get(objective), metric
