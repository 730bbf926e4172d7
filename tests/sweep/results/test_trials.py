"""The trial log: records first, settled whatever the callbacks do."""

import dataclasses
import threading
from pathlib import Path

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.records import EpochRecord, TrialRecord
from sweep.results.callbacks import InThread
from sweep.results.folder import SweepFolder
from sweep.results.trials import TrialLog
from sweep.store import Store


class Hanging:
    """A tracker whose server never answers."""

    def __init__(self, until: threading.Event) -> None:
        self.until = until

    def began(self, trial: TrialRecord) -> None:
        self.until.wait()

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        self.until.wait()

    def ended(self, trial: TrialRecord) -> None:
        self.until.wait()

    def close(self, finished: bool) -> None:
        self.until.wait()


def unsettled(folder: SweepFolder) -> None:
    for record in folder.trials():
        folder.write_trial(dataclasses.replace(record, intervals={}, basis=None, status="running"))
        (folder.checkpoints(record.trial) / "epoch-0099.pt").write_bytes(b"")


def assert_settled(folder: SweepFolder) -> None:
    for record in folder.trials():
        assert record.intervals
        kept = {path.name for path in folder.checkpoints(record.trial).iterdir()}
        assert kept == {f"epoch-{record.best_epoch:04d}.pt"}


def test_a_tracker_that_hangs_keeps_no_trial_from_being_settled(
    folder: SweepFolder, config: SweepConfig
) -> None:
    unsettled(folder)
    said: list[str] = []
    until = threading.Event()
    tracker = InThread("mine", lambda: Hanging(until), folder, said.append, patience_s=0.5)
    with TrialLog(folder, config.search.objective, [tracker]) as trial_log:
        for record in folder.trials():
            trial_log.ended(record.trial, "finished")
    until.set()
    assert_settled(folder)
    assert "lacks a part of this sweep" in said[-1]


def test_what_an_interruption_left_unsettled_is_settled_by_the_next_log(
    folder: SweepFolder, config: SweepConfig
) -> None:
    unsettled(folder)
    for record in folder.trials():
        folder.write_trial(dataclasses.replace(record, status="finished"))
    with TrialLog(folder, config.search.objective):
        pass
    assert_settled(folder)


def test_callbacks_are_told_of_a_trial_once_it_is_settled(
    folder: SweepFolder, config: SweepConfig
) -> None:
    unsettled(folder)
    told: list[TrialRecord] = []

    class Listening(Hanging):
        def ended(self, trial: TrialRecord) -> None:
            told.append(trial)

        def close(self, finished: bool) -> None:
            assert len(told) == 2

    listening = Listening(threading.Event())
    with TrialLog(folder, config.search.objective, [listening]) as trial_log:
        for record in folder.trials():
            trial_log.ended(record.trial, "pruned")
    assert [(record.status, bool(record.intervals)) for record in told] == [("pruned", True)] * 2
    assert told == folder.trials()


def test_a_trial_that_cannot_be_settled_is_said_and_costs_no_other(
    folder: SweepFolder, config: SweepConfig
) -> None:
    unsettled(folder)
    first, second = folder.trials()
    table = folder.path / "predictions" / first.trial / f"epoch-{first.best_epoch:04d}.parquet"
    whole = table.read_bytes()
    table.write_bytes(b"gone")
    said: list[str] = []
    with TrialLog(folder, config.search.objective, say=said.append) as trial_log:
        trial_log.ended(first.trial, "finished")
        trial_log.ended(second.trial, "finished")
    assert len(said) == 1
    assert f"{first.trial} has no intervals yet" in said[0]
    assert f"mrisweep resume {folder.path}" in said[0]
    table.write_bytes(whole)
    with TrialLog(folder, config.search.objective):
        pass
    assert_settled(folder)


def test_an_epoch_that_the_driver_died_before_hearing_of_counts(
    folder: SweepFolder, config: SweepConfig
) -> None:
    """Both epochs are in the folder; the record knows neither."""
    record = folder.trials()[0]
    lost = dataclasses.replace(
        record, status="running", best_epoch=None, metrics={}, intervals={}, basis=None
    )
    folder.write_trial(lost)
    with TrialLog(folder, config.search.objective) as trial_log:
        trial_log.began(lost.trial, lost.number, lost.params, lost.norm, lost.seed)
        best = max(epoch.metrics[config.search.objective] for epoch in folder.epochs(lost.trial))
        assert trial_log.best_metrics(lost.trial)[config.search.objective] == best
    assert folder.trials()[0].best_epoch == record.best_epoch


@pytest.mark.parametrize("metrics", [{}, {"robust/auroc_cvar": float("nan")}])
def test_a_trial_without_an_objective_has_failed(
    folder: SweepFolder, config: SweepConfig, store: Store, tmp_path: Path, metrics: dict
) -> None:
    with TrialLog(folder, config.search.objective) as trial_log:
        trial_log.began("trial-0009", 9, {}, "batch", 0)
        trial_log.ended("trial-0009", "finished")
        assert trial_log.best_metrics("trial-0009") == {}
        assert trial_log.best_metrics("trial-0010") == {}
    assert folder.trials()[-1].status == "failed"
    assert "never finite" in folder.trials()[-1].error
