"""A trial with screenings: the same training, the same full scores, and fewer forward passes."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sweep.config.screen import ScreenSettings
from sweep.config.settings import TrialConfig
from sweep.core.records import EpochRecord, Predictions, screened
from sweep.learn.fit import Done, Evaluation, FitResult, LocalEvaluator, fit
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of
from sweep.store import Store
from tests.support.resumed import KilledError
from tests.sweep.learn.test_fit import LateEvaluator, trained

SCREEN = ScreenSettings(patients=0.5, levels=1, full=(4,))


@pytest.fixture(autouse=True)
def few_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.core.screening.LEAST", 1)


@pytest.fixture
def screening_config(trial_config: TrialConfig) -> TrialConfig:
    return dataclasses.replace(trained(trial_config, epochs=6), screen=SCREEN)


class Counting(LocalEvaluator):
    """Counts the slices that it scores."""

    passes = 0

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        evaluation = super().evaluate(checkpoint, screening)
        self.passes += sum(len(item.probability) for item in evaluation.result())
        return evaluation


def plain(record: EpochRecord) -> dict[str, float]:
    return {name: v for name, v in record.metrics.items() if not name.startswith("screen/")}


def test_full_scores_are_those_of_a_trial_without_screenings(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    full = fit(dataclasses.replace(screening_config, screen=None), store, tmp_path / "full")
    counting = Counting(screening_config, store)
    result = fit(screening_config, store, tmp_path / "screened", evaluator=counting)
    losses = [record.train_loss for record in result.history]
    assert losses == [record.train_loss for record in full.history]
    leading = max(result.history, key=lambda one: one.metrics[screened(screening_config.objective)])
    in_full = [record.epoch for record in result.history if record.scores]
    assert in_full == sorted({leading.epoch, 4, 6})
    for epoch in in_full:
        assert plain(result.history[epoch - 1]) == full.history[epoch - 1].metrics
        assert result.history[epoch - 1].scores == full.history[epoch - 1].scores
    assert result.best_epoch == max(
        in_full, key=lambda epoch: full.history[epoch - 1].metrics[screening_config.objective]
    )
    whole = len(store.indices(screening_config.data.validation)) * len(
        cells_of(screening_config.stress)
    )
    part = Screening.of(screening_config, store)
    screenings = 4 * len(part.slices) * len(part.cells)
    assert counting.passes == screenings + len(in_full) * whole


def test_a_screening_scores_its_part_of_the_full_test(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    evaluator = LocalEvaluator(screening_config, store)
    fit(trained(screening_config, epochs=1), store, tmp_path)
    (checkpoint,) = tmp_path.glob("epoch-*.pt")
    part = Screening.of(screening_config, store)
    assert 0 < len(part.slices) < len(evaluator.indices)
    screening = evaluator.evaluate(checkpoint, part).result()
    expected = part.part_of(evaluator.evaluate(checkpoint).result())
    assert [one.cell for one in screening] == list(part.cells)
    for one, other in zip(screening, expected, strict=True):
        np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5, atol=1e-7)


def test_every_epoch_has_a_screening_and_a_screened_one_nothing_else(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    seen: list[EpochRecord] = []
    fit(screening_config, store, tmp_path, report=lambda record, _: seen.append(record))
    first_reports = seen[:6]
    assert [record.epoch for record in first_reports] == [1, 2, 3, 4, 5, 6]
    for record in first_reports:
        assert record.screened
        assert bool(record.scores) == (record.epoch in (4, 6))
        assert (screening_config.objective in record.metrics) == bool(record.scores)
    for again in seen[6:]:
        assert again.scores
        assert again.evaluated_at_ms == first_reports[again.epoch - 1].evaluated_at_ms


def described(result: FitResult) -> list[tuple[float, dict[str, float]]]:
    return [(record.train_loss, record.metrics) for record in result.history]


def test_a_late_evaluator_changes_nothing(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    now = fit(screening_config, store, tmp_path / "now")
    late = LateEvaluator(screening_config, store)
    assert described(fit(screening_config, store, tmp_path / "late", evaluator=late)) == described(
        now
    )


@pytest.mark.slow
@pytest.mark.parametrize("dies_after", [1, 3, 4, 5])
def test_an_interrupted_trial_ends_like_an_uninterrupted_one(
    screening_config: TrialConfig, store: Store, tmp_path: Path, dies_after: int
) -> None:
    # Patience ends it after three epochs, of which the first and the last are scored in full then.
    config = trained(screening_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    whole = fit(config, store, tmp_path / "whole")
    history: dict[int, EpochRecord] = {}
    reports = 0

    def report(record: EpochRecord, predictions: Sequence[Predictions]) -> None:
        nonlocal reports
        history[record.epoch] = record
        reports += 1
        if reports == dies_after:
            raise KilledError

    folder = tmp_path / "broken"
    with pytest.raises(KilledError):
        fit(config, store, folder, report=report)
    resumed = fit(config, store, folder, history=list(history.values()))
    assert described(resumed) == described(whole)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.checkpoint.exists()


def test_a_trial_that_patience_ends_is_scored_in_full_at_its_best_and_its_last_epoch(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    frozen = trained(screening_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    result = fit(frozen, store, tmp_path)
    assert [record.epoch for record in result.history if record.scores] == [1, 3]


def test_a_diverged_trial_is_scored_no_further(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    diverging = trained(screening_config, lr=1e30, schedule="constant")
    counting = Counting(diverging, store)
    result = fit(diverging, store, tmp_path, evaluator=counting)
    assert len(result.history) == 1
    assert math.isnan(result.history[0].metrics[screened(diverging.objective)])
    assert not result.history[0].scores
    assert result.best_epoch is None


def test_patience_that_ends_a_trial_a_late_evaluator_scores(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    frozen = trained(screening_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    late = LateEvaluator(frozen, store)
    result = fit(frozen, store, tmp_path / "late", evaluator=late)
    assert [record.epoch for record in result.history if record.scores] == [1, 3]
    assert described(result) == described(fit(frozen, store, tmp_path / "now"))


class Changed(LocalEvaluator):
    """What it says of some checkpoints is not what they predict."""

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> Evaluation:
        found = super().evaluate(checkpoint, screening).result()
        return Done([self.change(item, checkpoint, screening) for item in found])

    def change(self, item: Predictions, of: Path, screening: Screening | None) -> Predictions:
        return item


class Diverging(Changed):
    """From the third epoch on every probability is NaN."""

    def change(self, item: Predictions, of: Path, screening: Screening | None) -> Predictions:
        lost = int(of.stem.removeprefix("epoch-")) >= 3
        return Predictions(item.cell, item.log_odds * np.nan) if lost else item


class Otherwise(Changed):
    """A full stress test contradicts the screening, as rounding in other batches may."""

    def change(self, item: Predictions, of: Path, screening: Screening | None) -> Predictions:
        return item if screening else Predictions(item.cell, -item.log_odds)


@pytest.mark.parametrize("epochs", [3, 6])
def test_a_trial_that_diverges_late_stands_where_it_would_without_screenings(
    screening_config: TrialConfig, store: Store, tmp_path: Path, epochs: int
) -> None:
    config = trained(screening_config, epochs=epochs)
    whole = dataclasses.replace(config, screen=None)
    full = fit(whole, store, tmp_path / "full", evaluator=Diverging(whole, store))
    result = fit(config, store, tmp_path / "part", evaluator=Diverging(config, store))
    assert len(result.history) == len(full.history) == 3
    best = result.history[result.best_epoch - 1]
    assert best.scores == full.history[result.best_epoch - 1].scores != ()
    assert result.best_epoch < 3
    assert result.checkpoint.exists()


def test_what_trials_were_compared_by_stays_when_an_epoch_is_scored_in_full(
    screening_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    seen: list[EpochRecord] = []
    evaluator = Otherwise(screening_config, store)
    frozen = trained(screening_config, epochs=9, lr=1e-12, weight_decay=0.0, patience=2)
    fit(
        frozen,
        store,
        tmp_path,
        evaluator=evaluator,
        report=lambda record, _: seen.append(record),
    )
    assert [record.epoch for record in seen] == [1, 2, 3, 1, 3]
    for before, after in ((seen[0], seen[3]), (seen[2], seen[4])):
        assert after.scores
        assert after.screened == before.screened
        assert before.metrics.items() <= after.metrics.items()
