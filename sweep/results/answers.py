"""What checkpoints said of slices, as a sweep's folder keeps it, for those who compare them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.finals import VALIDATION, FinalistRecord
from sweep.core.records import TRAINED, Predictions, TrialRecord, is_screened
from sweep.metrics.operating import operating_points
from sweep.remote.address import uri_of
from sweep.results import ranking
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.states import states_in
from sweep.results.tables import Slices
from sweep.stats.difference import Answers


def of_trial(folder: SweepFolder, record: TrialRecord, mode: str = TRAINED) -> Answers:
    """What the best epoch of a trial said of the validation slices.

    Raises:
        UserError: It was not scored in full, or not in that mode.

    """
    if record.best_epoch is None or is_screened(record.metrics):
        raise UserError(
            "a trial that was not scored in full cannot be compared",
            f"{record.trial} ({states_in(folder.path, [record])[record.trial]})",
            "take one that `mrisweep best` ranks",
        )
    if mode != TRAINED and mode not in record.modes:
        known = ", ".join([TRAINED, *record.modes])
        raise UserError(
            f"{record.trial} is not scored in this mode", f"{mode!r}", f"take one of {known}"
        )
    if mode == TRAINED:
        return _answers(*folder.predictions(record.trial, record.best_epoch))
    return _answers(*folder.predictions_in_mode(record.trial, mode))


def of_row(row: ranking.Ranked) -> Answers:
    """What a ranked trial said of the validation slices, at its epoch and in its mode.

    Raises:
        UserError: The predictions were not kept.
        WorkError: They are damaged.

    """
    folder = SweepFolder(Path(row.folder))
    if row.mode == TRAINED:
        return _answers(*folder.predictions(row.trial, row.epoch))
    return _answers(*folder.predictions_in_mode(row.trial, row.mode))


def of_finalist(found: FinalistFolder, record: FinalistRecord, place: str, epoch: int) -> Answers:
    """What an epoch of a finalist said at a place, with its operating points."""
    name = record.run.name
    there = found.predictions(name, place, epoch)
    if place == VALIDATION:
        return _answers(*there)
    clean, slices = found.predictions(name, VALIDATION, epoch)
    return _answers(*there, operating_points(clean, slices.truth, slices.labels))


def best_trial(folder: SweepFolder) -> TrialRecord:
    """The best trial of a sweep, by its objective.

    Raises:
        UserError: None was scored in full.

    """
    rows = ranking.best(
        [row for row in ranking.of_folder(folder.path) if row.mode == TRAINED],
        folder.config().search.objective,
        top=1,
    )
    if not rows:
        raise UserError("no trial has a score yet", f"{folder.path}", "resume the sweep")
    return folder.trial(rows[0].trial)


def is_sweep(path: Path) -> bool:
    """Whether a path or a URI is meant that leads to a sweep's folder."""
    return uri_of(path) is not None or (path / "sweep.yaml").exists()


def _answers(
    predictions: Sequence[Predictions], slices: Slices, points: Mapping[str, float] | None = None
) -> Answers:
    return Answers(predictions, slices.keys, slices.patients, slices.labels, slices.truth, points)
