"""The loop of one trial: train an epoch, have it evaluated, report it; stop and resume in between.

The cluster runs this very loop with an evaluator that answers later: while epoch e is stress-tested
elsewhere, epoch e + 1 trains. The reports, and the weights, are the same either way.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sweep.config.settings import TrialConfig
from sweep.core.objective import value_of
from sweep.core.records import EpochRecord, Predictions, Score, best_epoch, is_missing
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo, EpochStats
from sweep.learn.kept import DEFAULT_GB, KeptInputs
from sweep.learn.levels import with_levels
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, default_device, record_of, scores_of, stress
from sweep.learn.trainer import Trainer
from sweep.store import Store

Report = Callable[[EpochRecord, Sequence[Predictions]], None]


class Evaluation(Protocol):
    """A checkpoint under evaluation."""

    def result(self) -> Sequence[Predictions]:
        """Wait for the predictions of all cells."""
        ...

    def cancel(self) -> None:
        """Nobody waits for it any more: it ends as soon as it can."""
        ...


class Evaluator(Protocol):
    """Stress-tests the checkpoints of a trial.

    Attributes:
        in_flight: Checkpoints that may still be under evaluation while the next epoch trains.

    """

    in_flight: int

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        """Begin to stress-test a checkpoint: in full, or on the part of a screening."""
        ...


class Done(NamedTuple):
    """An evaluation that has ended."""

    predictions: Sequence[Predictions]

    def result(self) -> Sequence[Predictions]:
        """See ``Evaluation``."""
        return self.predictions

    def cancel(self) -> None:
        """It is too late for that."""


class LocalEvaluator:
    """Evaluates in this process, at once."""

    in_flight = 0

    def __init__(self, config: TrialConfig, store: Store) -> None:
        self.config = config
        self.store = store
        self.indices = store.indices(config.data.validation)
        self.device = default_device()
        self.kept = KeptInputs.of_share(DEFAULT_GB, 1, self.device)

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        """Evaluate now."""
        settings = self.config.stress
        cells = screening.cells if screening else cells_of(settings)
        indices = self.indices[screening.slices] if screening else self.indices
        found = stress(checkpoint, self.store, cells, indices, settings, self.device, self.kept)
        return Done(list(found))


class FitResult(NamedTuple):
    """How a trial ended.

    Attributes:
        history: Every reported epoch, as it was scored in the end.
        best_epoch: The one with the best objective, None when each diverged.
        checkpoint: Its file.

    """

    history: tuple[EpochRecord, ...]
    best_epoch: int | None
    checkpoint: Path | None


def _no_report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
    """Keep nothing but the result's history."""


def fit(
    config: TrialConfig,
    store: Store,
    folder: Path,
    *,
    evaluator: Evaluator | None = None,
    report: Report = _no_report,
    history: Sequence[EpochRecord] = (),
    trial: str = "fit",
) -> FitResult:
    """Train one trial to its end, evaluating every epoch; continues where ``folder`` left off.

    Args:
        config: What to train and how to evaluate it. With the grid ``auto``, levels that its
            ``stress.knobs`` do not have are calibrated on its training slices first.
        store: The store with training and validation slices.
        folder: The folder for the checkpoints of this trial alone. Of the evaluated epochs, the
            best one's checkpoint stays.
        evaluator: None: in this process.
        report: Called for every epoch, in order, when its scores are there; again for one that
            was screened before and is scored in full once the trial has ended.
        history: Epochs reported before, when continuing.
        trial: Name in the records.

    Raises:
        UserError: A split that the store lacks, or training slices that do not do for a
            calibration.

    """
    run = Run(
        config, store, folder, evaluator=evaluator, report=report, history=history, trial=trial
    )
    for _ in run.epochs():
        pass
    run.complete()
    epoch = run.best_epoch
    checkpoint = run.files.epoch(epoch) if epoch else None
    return FitResult(tuple(run.history), epoch, checkpoint)


class _Waiting(NamedTuple):
    epoch: int
    stats: EpochStats
    evaluation: Evaluation
    screened: bool


class Run:
    """One call of ``fit``, an epoch at a time, for callers that decide when to go on.

    Args:
        config: And the rest: as in ``fit``.
        waits_after: An epoch after which nothing is trained before it is reported, as the trial is
            likely to be stopped there.
        keeps_all: Whether the checkpoints of all epochs stay.

    """

    def __init__(
        self,
        config: TrialConfig,
        store: Store,
        folder: Path,
        *,
        evaluator: Evaluator | None = None,
        report: Report = _no_report,
        history: Sequence[EpochRecord] = (),
        trial: str = "fit",
        waits_after: int | None = None,
        keeps_all: bool = False,
    ) -> None:
        config = _with_levels(config, store)
        self.config, self.store = config, store
        self.files = CheckpointFolder(folder, keeps_all)
        self.evaluator, self.report, self.trial = (
            evaluator or LocalEvaluator(config, store),
            report,
            trial,
        )
        self.validation = store.indices(config.data.validation)
        self.waits_after = waits_after
        self.screening = Screening.of(config, store)
        self.history = list(history)
        self.waiting: deque[_Waiting] = deque()

    @property
    def best_epoch(self) -> int | None:
        """The number of the best epoch reported so far; one that was scored in full, if any was."""
        best = best_epoch(((one.epoch, one.metrics) for one in self.history), self.config.objective)
        return best[0] if best else None

    @property
    def leading_epoch(self) -> int | None:
        """The number of the best epoch by what every epoch is scored on."""
        return _leading_epoch(self.config, self.history)

    def over(self) -> bool:
        """Whether the latest record is the last, see ``is_over``."""
        return is_over(self.config, self.history)

    def epochs(self) -> Iterator[EpochRecord]:
        """Train, evaluate and report epoch after epoch, giving each record once it is reported."""
        if self.over():
            return
        try:
            for record in self._records():
                yield record
                if self.over():
                    return
        finally:
            self.close()

    def complete(self) -> list[int]:
        """Score in full the best and the last epoch of a trial that is over, if they were screened.

        Of one that diverged the best alone, if it had any. What was found by the screening stays
        as it is, as trials were compared by it.

        Returns:
            The epochs that it was done for, ascending; they are reported again.

        """
        self.close()
        if self.screening is None or not self.history:
            return []
        last = self.history[-1]
        ends = {self.leading_epoch, None if _diverged(self.config, last) else last.epoch}
        lacking = [at for at, record in enumerate(self.history) if record.epoch in ends]
        lacking = [at for at in lacking if not self.history[at].scores]
        try:
            for at in lacking:
                record = self.history[at]
                stats = EpochStats(record.train_loss, record.images_per_s)
                self._submit(record.epoch, stats, screened=False)
            for at in lacking:
                waiting = self.waiting[0]
                predictions = waiting.evaluation.result()
                before = self.history[at]
                again = self._record(waiting, predictions, before.screened)
                # Its place among the reports of the sweep stays what it was.
                again = dataclasses.replace(again, evaluated_at_ms=before.evaluated_at_ms)
                self.history[at] = again
                self.report(again, predictions)
                self.waiting.popleft()
        finally:
            self.close()
        if lacking:
            self.files.keep((self.best_epoch, self.history[-1].epoch))
        return [self.history[at].epoch for at in lacking]

    def close(self) -> None:
        """Cancel the evaluations that nobody waits for; a trial that was stopped ends here."""
        while self.waiting:
            self.waiting.popleft().evaluation.cancel()

    def _records(self) -> Iterator[EpochRecord]:
        trainer = Trainer(self.config, self.store, trial=self.trial)
        saved = trainer.resume(self.files)
        reported = self.history[-1].epoch if self.history else 0
        for epoch in range(reported + 1, saved + 1):
            stats = CheckpointInfo.read(self.files.epoch(epoch)).stats
            self._submit(epoch, stats, screened=not self.config.in_full(epoch))
        for epoch in range(saved + 1, self.config.train.epochs + 1):
            stats = trainer.train_epoch(epoch)
            trainer.save(self.files, epoch, stats)
            if epoch <= reported:  # its files are lost, and its scores are known
                self.files.keep((self.best_epoch, self.leading_epoch, epoch))
                continue
            self._submit(epoch, stats, screened=not self.config.in_full(epoch))
            waits = epoch == self.waits_after
            yield from self._settle(0 if waits else self.evaluator.in_flight)
        yield from self._settle(0)

    def _submit(self, epoch: int, stats: EpochStats, *, screened: bool) -> None:
        part = self.screening if screened else None
        evaluation = self.evaluator.evaluate(self.files.epoch(epoch), part)
        self.waiting.append(_Waiting(epoch, stats, evaluation, screened))

    def _record(
        self,
        waiting: _Waiting,
        predictions: Sequence[Predictions],
        screened: tuple[Score, ...] = (),
    ) -> EpochRecord:
        """The record of an evaluated epoch; ``screened`` is what an earlier screening found."""
        scores: tuple[Score, ...] = ()
        if not waiting.screened:
            scores = scores_of(predictions, self.store, self.validation)
        if self.screening is not None and not screened:
            part = predictions if waiting.screened else self.screening.part_of(predictions)
            screened = scores_of(part, self.store, self.validation[self.screening.slices])
        return record_of(scores, self.trial, waiting.epoch, waiting.stats, screened)

    def _settle(self, in_flight: int) -> Iterator[EpochRecord]:
        """Report the oldest epochs until no more than ``in_flight`` are under evaluation."""
        while len(self.waiting) > in_flight:
            latest = self.waiting[-1].epoch
            waiting = self.waiting.popleft()
            predictions = waiting.evaluation.result()
            record = self._record(waiting, predictions)
            self.history.append(record)
            self.report(record, predictions)
            wanted = [self.best_epoch, self.leading_epoch, latest]
            wanted += (item.epoch for item in self.waiting)
            if self.over():
                wanted.append(record.epoch)  # the last of all, though others may have begun
            self.files.keep(wanted)
            yield record


def is_over(config: TrialConfig, history: Sequence[EpochRecord]) -> bool:
    """Whether a trial has ended by itself: all epochs done, diverged, or out of patience.

    Args:
        config: That of the trial.
        history: Its reported epochs, in order; before the first it has not begun.

    """
    if not history:
        return False
    last, patience = history[-1], config.train.patience
    waited = last.epoch - (_leading_epoch(config, history) or 0)
    out_of_patience = patience is not None and waited >= patience
    return last.epoch >= config.train.epochs or _diverged(config, last) or out_of_patience


def _leading_epoch(config: TrialConfig, history: Sequence[EpochRecord]) -> int | None:
    scored = ((one.epoch, config.common(one.metrics)) for one in history)
    best = best_epoch(scored, config.objective)
    return best[0] if best else None


def _diverged(config: TrialConfig, record: EpochRecord) -> bool:
    objective = value_of(config.common(record.metrics), config.objective)
    return is_missing(objective) or is_missing(record.train_loss)


def _with_levels(config: TrialConfig, store: Store) -> TrialConfig:
    """Calibrate what the grid ``auto`` leaves open; a sweep has done so before it began."""
    used = (*config.stress.artifacts, *config.train.augment.artifacts)
    stress, _ = with_levels(config.stress, config.data, used, store)
    return dataclasses.replace(config, stress=stress)
