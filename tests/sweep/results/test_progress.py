"""Progress: what a terminal and a log are shown of a running sweep."""

import dataclasses
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from sweep.config.search import SearchSettings
from sweep.core.pulse import At
from sweep.core.records import EpochRecord, TrialRecord
from sweep.core.text import clock
from sweep.results.progress import Progress
from sweep.terminal import Screen

METRIC = "robust/auroc_cvar"
DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def search(trials: int, **more: Any) -> SearchSettings:
    return SearchSettings(trials=trials, **{"scheduler": "none", **more})


def shown(
    trials: int, epochs: int, known: Any = (), **more: Any
) -> tuple[Progress, io.StringIO, Clock]:
    """A progress that goes to a log."""
    out, now = io.StringIO(), Clock()
    screen = Screen(out, now, lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    waiting, settings = more.pop("waiting", None), search(trials, **more)
    return Progress(screen, settings, epochs, known, waiting), out, now


def trial(number: int, value: float | None = None, status: str = "running") -> TrialRecord:
    record = TrialRecord(f"trial-{number:04d}", number, {}, "group", 0, status, 0)
    if value is None:
        return record
    return dataclasses.replace(record, best_epoch=1, metrics={METRIC: value})


def epoch(number: int) -> EpochRecord:
    return EpochRecord("t", number, 1.0, 1.0, 0, (), {})


def run_one(progress: Progress, now: Clock, number: int = 0, seconds: float = 30.0) -> None:
    progress.began(trial(number))
    now.time += seconds
    progress.reported(trial(number, 0.7), epoch(1))
    now.time += seconds
    progress.reported(trial(number, 0.8), epoch(2))
    progress.ended(trial(number, 0.8, "finished"))


def test_a_log_gets_a_dated_line_for_each_ended_trial() -> None:
    progress, out, now = shown(4, 2)
    run_one(progress, now)
    line = out.getvalue().splitlines()[-1]
    assert line.startswith(
        "2026-01-02 03:04:05  trial-0000 group    finished  2 epochs, "
        "robust/auroc_cvar 0.800 at epoch 1  |  1 of 4 ended, 0 running, "
    )
    assert line.endswith(" left, best robust/auroc_cvar 0.800 (trial-0000 group)")


def test_one_epoch_is_no_epochs() -> None:
    progress, out, _ = shown(4, 2)
    progress.began(trial(0))
    progress.reported(trial(0, 0.7), epoch(1))
    progress.ended(trial(0, 0.7, "pruned"))
    assert "pruned     1 epoch, robust/auroc_cvar 0.700 at epoch 1" in out.getvalue()


def test_a_running_trial_shows_its_norm_epoch_step_and_score() -> None:
    progress, _, now = shown(4, 8)
    progress.began(trial(3))
    progress.at("trial-0003", At(1, 40, 120))
    now.time = 65.0
    header, row = progress.lines(80, 20)[-2:]
    assert header.split() == ["trial", "norm", "epoch", "step", "score", "time"]
    assert row.split() == ["trial-0003", "group", "1/8", "40/120", "-", "1:05"]
    progress.reported(trial(3, 0.75), epoch(1))
    assert progress.lines(80, 20)[-1].split()[2:5] == ["1/8", "-", "0.750"]
    progress.at("trial-0003", At(2, 3, 120))
    assert progress.lines(80, 20)[-1].split()[2:5] == ["2/8", "3/120", "0.750"]
    assert "trial-0003 group epoch 2/8 step 3/120 0.750" in progress.line()


def test_a_low_terminal_says_how_many_trials_it_leaves_out() -> None:
    progress, _, _ = shown(40, 8)
    for number in range(30):
        progress.began(trial(number))
    lines = progress.lines(80, 12)
    assert len(lines) <= 12
    assert lines[-1].split()[:1] == ["and"]
    assert sum(line.startswith("trial-") for line in lines) + int(lines[-1].split()[1]) == 30


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_its_table_fits_a_narrow_terminal(width: int) -> None:
    progress, _, now = shown(1000, 100)
    run_one(progress, now)
    record = dataclasses.replace(trial(999, 0.812), norm="instance")
    progress.began(record)
    progress.at("trial-0999", At(88, 1234, 5678))
    now.time = 9 * 3600
    assert max(map(len, progress.lines(width, 30))) < width


def test_the_time_left_is_that_of_the_epochs_that_are_left() -> None:
    progress, _, now = shown(40, 2)
    assert progress.left() is None
    for number in range(20):
        run_one(progress, now, number)
    left = progress.left()
    assert left is not None
    assert left.likely == pytest.approx(20 * 2 * 30.0, rel=0.1)
    assert left.low < left.likely < left.high
    assert ", about 20 min left, best" in progress.summary()


def test_the_time_left_counts_parts_of_epochs_and_no_slow_start() -> None:
    progress, _, now = shown(1, 10)
    progress.began(trial(0))
    now.time = 500.0
    progress.reported(trial(0, 0.7), epoch(1))
    assert progress.left() is None, "the first epoch says nothing of those that follow"
    now.time = 520.0
    progress.reported(trial(0, 0.7), epoch(2))
    progress.at("trial-0000", At(3, 2, 10))
    now.time += 10.0
    left = progress.left()
    assert left is not None
    assert left.likely == pytest.approx(7.8 * 20.0)
    assert ", about 3 min left" in progress.summary()


def test_the_time_left_counts_trials_that_wait_and_may_go_on() -> None:
    progress, _, now = shown(6, 4, scheduler="topk", keep=1, grace_epochs=1)
    for number in range(6):
        progress.began(trial(number))
        now.time += 10.0
        progress.reported(trial(number, 0.5), epoch(1))
        progress.waits(trial(number, 0.5))
    left = progress.left()
    assert left is not None
    assert left.low <= 3 * 10.0 <= left.high, "one of them goes on, for three epochs"


def test_the_best_is_that_of_all_trials_of_equals_the_first() -> None:
    known = [trial(0, 0.7, "finished"), trial(1, None, "failed"), trial(2, 0.8, "pruned")]
    progress, _, _ = shown(9, 2, known)
    assert progress.summary().endswith("best robust/auroc_cvar 0.800 (trial-0002 group)")
    progress.began(trial(3))
    progress.reported(trial(3, 0.8), epoch(1))
    assert progress.summary().endswith("0.800 (trial-0002 group)")
    progress.reported(trial(3, 0.9), epoch(2))
    progress.ended(trial(3, 0.9, "finished"))
    progress.began(trial(4))
    progress.reported(trial(4, 0.1), epoch(1))
    assert progress.summary().startswith("4 of 9 ended, 1 running")
    assert progress.summary().endswith("0.900 (trial-0003 group)")


def test_a_failed_trial_says_why() -> None:
    progress, out, _ = shown(2, 2)
    progress.ended(dataclasses.replace(trial(0, status="failed"), error="its worker died"))
    assert "failed   its worker died" in out.getvalue()


def test_the_clock_reads_like_one() -> None:
    assert [clock(s) for s in (5, 65, 3600, 7325)] == ["0:05", "1:05", "1:00:00", "2:02:05"]
    assert clock(6_670_602) == "77.2 days"


def test_a_log_says_which_trials_wait_and_which_go_on() -> None:
    progress, out, now = shown(3, 5, scheduler="topk", keep=2, grace_epochs=1)
    for number in range(3):
        progress.began(trial(number))
        now.time += 10.0
        progress.reported(trial(number, 0.5), epoch(1))
        progress.waits(trial(number, 0.5))
    progress.began(trial(1, 0.5))
    progress.ended(trial(0, 0.5, "pruned"))
    progress.began(trial(2, 0.5))
    lines = [DATE.sub("", line) for line in out.getvalue().splitlines() if "trial-" in line]
    assert lines[0].startswith("trial-0000 group    waits      1 epoch, robust/auroc_cvar 0.5")
    assert "0 of 3 ended, 0 running, 1 waiting" in lines[0]
    assert lines[3].startswith("trial-0001 group    goes on  after 1 epoch  |  0 of 3 ended, 1 ")
    assert lines[4].startswith("trial-0000 group    pruned     1 epoch, ")
    assert "1 of 3 ended, 2 running" in lines[5]
    assert "waiting" not in lines[5]


def test_trials_that_wait_when_a_sweep_is_resumed_are_counted() -> None:
    progress, _, _ = shown(3, 5, [trial(0, 0.5)], waiting={"trial-0000": 1}, scheduler="topk")
    assert progress.summary().startswith("0 of 3 ended, 0 running, 1 waiting")


def test_a_sum_of_metrics_is_named_in_one_word() -> None:
    progress, out, _ = shown(1, 2, objective=f"0.5 clean/auroc + 0.5 {METRIC}")
    both = {METRIC: 0.7, "clean/auroc": 0.9}
    progress.ended(dataclasses.replace(trial(0, 0.7, "finished"), metrics=both))
    text = out.getvalue()
    assert ", objective 0.800 at epoch 1  |  1 of 1 ended, 0 running, best objective 0.800" in text


def test_what_cannot_be_summed_up_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, out, now = shown(4, 2)
    run_one(progress, now)
    progress.began(trial(1))
    monkeypatch.setattr("sweep.results.progress.time_left", lambda *_: 1 / 0)
    progress.ended(trial(1, 0.5, "finished"))
    last = out.getvalue().splitlines()[-1]
    assert "trial-0001 group    finished" in last
    assert last.endswith("  |  cannot be shown: ZeroDivisionError: division by zero")


def test_a_time_left_whose_two_ends_read_alike_is_said_once() -> None:
    progress, out, now = shown(4, 2)
    progress.began(trial(0))
    for number in (1, 2):
        now.time += 0.01
        progress.reported(trial(0, 0.7), epoch(number))
    progress.ended(trial(0, 0.7, "finished"))
    assert ", about 1 s left, best " in out.getvalue()
