"""Rows of modes: which a sweep lacks, and how they come about, one after the other.

Each ended trial is evaluated in other modes at its best epoch alone, with the evaluator that it is
given: the pool, or this process. A row is written as soon as it is there, and never made twice.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, told
from sweep.core.interruption import stop_if_asked
from sweep.core.modes import EMA, PRECISE
from sweep.core.records import ModeRow, Predictions, TrialRecord, is_screened
from sweep.core.stages import stage
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo, EpochStats
from sweep.learn.fit import Evaluation
from sweep.learn.modes import ModeEvaluator, composition_of, has_batch_norm
from sweep.learn.stress import record_of, scores_of
from sweep.metrics.collapse import collapsed
from sweep.results.callbacks import Say
from sweep.results.folder import SweepFolder
from sweep.results.removed import Gone
from sweep.results.tables import validation_slices
from sweep.results.trials import TrialLog
from sweep.store import Store

Count = Callable[[int, int, str], None]
UNKEPT = 2  # rows that wait for their intervals, so that an interruption waits for few


class Row(NamedTuple):
    """What is to be evaluated, and why its checkpoint is not there, where that was intended."""

    trial: TrialRecord
    epoch: int
    mode: str
    gone: str | None = None


def missing_rows(folder: SweepFolder, config: SweepConfig) -> list[Row]:
    """The rows that a sweep is to have and does not, trial after trial.

    Of each ended trial with a best epoch that was scored in full: the modes of ``stress.modes``
    where its network has batch norm, and ``ema`` where training kept an average; a checkpoint of it
    that somebody removed is missed, and said to be.
    """
    return [row for row in _lacking(folder, config) if row.gone is None]


def lost_rows(folder: SweepFolder, config: SweepConfig) -> list[Row]:
    """The rows that a sweep would have to have, of checkpoints that it has not kept."""
    return [row for row in _lacking(folder, config) if row.gone is not None]


def _lacking(folder: SweepFolder, config: SweepConfig) -> Iterator[Row]:
    folder.refresh()
    averages, gone = any(config.offered("train.ema")), Gone(folder.path)
    for trial in folder.trials():
        if trial.status == "running" or trial.best_epoch is None or is_screened(trial.metrics):
            continue
        for mode in _modes(folder, config, trial, trial.best_epoch, averages):
            if mode not in trial.modes:
                file = folder.checkpoint(trial.trial, trial.best_epoch, mode)
                if mode == PRECISE:  # it is made of the plain one
                    file = folder.checkpoint(trial.trial, trial.best_epoch)
                why = gone.why(file.relative_to(folder.path).as_posix())
                yield Row(trial, trial.best_epoch, mode, why)


def _modes(
    folder: SweepFolder, config: SweepConfig, trial: TrialRecord, epoch: int, averages: bool
) -> Iterator[str]:
    names = config.stress.modes.names
    if names and has_batch_norm(config.trial(trial.params).model):
        yield from names
    there = folder.checkpoint(trial.trial, epoch, EMA).exists()
    if there or (averages and _averaged(folder, config, trial)):
        yield EMA


def _averaged(folder: SweepFolder, config: SweepConfig, trial: TrialRecord) -> bool:
    """Whether a trial was trained with an average: its checkpoint knows, where it is there."""
    if config.trial(trial.params).train.ema is None:
        return False
    with suppress(UserError):  # removed or damaged as well: then as the sweep says
        best = folder.checkpoint(trial.trial, int(trial.best_epoch or 0))
        return CheckpointInfo.read(best).config.train.ema is not None
    return True


def refuse_other_modes(folder: SweepFolder, config: SweepConfig) -> None:
    """Rows of one sweep are comparable where all were made with the same settings.

    Raises:
        UserError: Some were made with others than those of the sweep.

    """
    modes = config.stress.modes
    for trial in folder.trials():
        for mode, row in trial.modes.items():
            now = modes.deciding(mode)
            if differ := [name for name in now if now[name] != row.settings.get(name)]:
                name = differ[0]
                raise UserError(
                    f"the rows of the mode {mode} were made with another stress.modes.{name}, "
                    f"{row.settings.get(name)!r}",
                    f"{now[name]!r} in {folder.path / 'sweep.yaml'}",
                    f"put it back; `mrisweep stress CHECKPOINT --mode {mode} --mode-settings "
                    f"{name}={now[name]}` scores one checkpoint so",
                )


class _Waiting(NamedTuple):
    row: Row
    evaluation: Evaluation


def score_rows(
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    trial_log: TrialLog,
    evaluator: ModeEvaluator,
    count: Count = lambda done, total, latest: None,
    say: Say = lambda text: None,
) -> None:
    """Evaluate the rows that a sweep lacks. What fails is said, and is left to the next ``resume``.

    Args:
        folder: The folder of the sweep.
        config: The configuration as resolved.
        store: Its data.
        trial_log: Keeps each row and tells of it.
        evaluator: Evaluates them.
        count: Told after each row how many there are, of how many, and which it was.
        say: Says something to the user.

    Raises:
        KeyboardInterrupt: After what is under evaluation was cancelled; finished rows are kept.

    """
    rows = missing_rows(folder, config)
    if rows:
        stage("scoring the ended trials in other modes")
    waiting: deque[_Waiting] = deque()
    left = deque(rows)
    kept: deque[Future[None]] = deque()
    done = 0
    try:
        while left or waiting:
            stop_if_asked()
            while left and len(waiting) < evaluator.in_flight:
                row = left.popleft()
                files = CheckpointFolder(folder.checkpoints(row.trial.trial))
                with _said(row, folder, say):
                    waiting.append(_Waiting(row, evaluator.evaluate(files, row.epoch, row.mode)))
            if waiting:
                row, evaluation = waiting[0]
                with _said(row, folder, say):
                    found = evaluation.result()
                    kept.append(_keep(row, found, folder, config, store, trial_log))
                    done += 1
                    count(done, len(rows), f"{row.trial.trial} {row.trial.norm} {row.mode}")
                waiting.popleft()
            if len(kept) > UNKEPT:
                kept.popleft().result()
    finally:
        for item in waiting:
            item.evaluation.cancel()


def _keep(
    row: Row,
    predictions: Sequence[Predictions],
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    trial_log: TrialLog,
) -> Future[None]:
    """Hand an evaluated row to the trial log."""
    trial, epoch, mode = row.trial, row.epoch, row.mode
    slices = validation_slices(store, config.data.validation)
    of_training = folder.epoch(trial.trial, epoch)
    stats = EpochStats(of_training.train_loss, of_training.images_per_s)
    indices = store.indices(config.data.validation)
    of_mode = store.indices(config.data.train) if mode == PRECISE else indices
    scores = scores_of(predictions, store, indices)
    record = record_of(scores, trial.trial, epoch, stats)
    return trial_log.scored(
        trial.trial,
        mode,
        record,
        predictions,
        slices,
        ModeRow(
            epoch=epoch,
            evaluated_at_ms=record.evaluated_at_ms,
            metrics=record.metrics,
            intervals={},
            collapsed=collapsed(predictions, slices.truth, store.task),
            settings=config.stress.modes.deciding(mode),
            composition=composition_of(mode, store, of_mode, config.stress),
        ),
    )


@contextmanager
def _said(row: Row, folder: SweepFolder, say: Say) -> Iterator[None]:
    """A row that cannot be evaluated now costs no other; the next ``resume`` tries again."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "cause", None)  # what Ray wraps is what the evaluator raised
        say(
            f"{row.trial.trial} is not scored in the mode {row.mode}; received "
            f"{told(cause if isinstance(cause, Exception) else error)}; mend the cause, then run "
            f"`mrisweep resume {folder.path}`"
        )
