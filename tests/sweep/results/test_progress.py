"""Progress: one line rewritten on a terminal, a line for each ended trial elsewhere."""

import dataclasses
import io

from sweep.core.records import EpochRecord, TrialRecord
from sweep.core.text import clock
from sweep.results.progress import Progress

METRIC = "robust/auroc_cvar"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def trial(number: int, value: float | None = None, status: str = "running") -> TrialRecord:
    record = TrialRecord(f"trial-{number:04d}", number, {}, "group", 0, status, 0)
    if value is None:
        return record
    return dataclasses.replace(record, best_epoch=1, metrics={METRIC: value})


def epoch(number: int) -> EpochRecord:
    return EpochRecord("t", number, 1.0, 1.0, 0, (), {})


def run_one(progress: Progress, now: Clock) -> None:
    progress.began(trial(0))
    now.time = 30.0
    progress.reported(trial(0, 0.7), epoch(1))
    now.time = 60.0
    progress.reported(trial(0, 0.8), epoch(2))
    progress.ended(trial(0, 0.8, "finished"))


def test_a_log_gets_a_line_for_each_ended_trial() -> None:
    out, now = io.StringIO(), Clock()
    run_one(Progress(4, 2, METRIC, stream=out, now=now), now)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("[1:00] trial-0000 group    finished  2 epochs, ")
    assert "1/4 done, 0 running, about 3:00 left, best" in lines[0]
    assert lines[0].endswith("best robust/auroc_cvar 0.800 (trial-0000 group)")


def test_one_epoch_is_no_epochs() -> None:
    out = io.StringIO()
    progress = Progress(4, 2, METRIC, stream=out, now=Clock())
    progress.began(trial(0))
    progress.reported(trial(0, 0.7), epoch(1))
    progress.ended(trial(0, 0.7, "pruned"))
    assert "pruned     1 epoch, robust/auroc_cvar 0.700" in out.getvalue()


def test_a_terminal_sees_every_report_on_one_line() -> None:
    out, now = Terminal(), Clock()
    progress = Progress(4, 2, METRIC, stream=out, now=now)
    run_one(progress, now)
    text = out.getvalue()
    assert text.count("\n") == 1, "only the ended trial's line stays"
    assert "1 running, best robust/auroc_cvar 0.700" in text


def test_the_time_left_counts_running_trials_by_their_epochs_and_no_earlier_run() -> None:
    now = Clock()
    known = [trial(0, 0.8, "finished"), trial(1, 0.7, "pruned")]
    progress = Progress(6, 10, METRIC, known, io.StringIO(), now)
    assert "left" not in progress.summary(), "nothing ended in this run yet"
    progress.began(trial(2))
    now.time = 100.0
    progress.ended(trial(2, 0.5, "finished"))
    progress.began(trial(3))
    progress.reported(trial(3, 0.4), epoch(5))
    # 1.5 trials in 100 s; 2.5 to go.
    assert progress.summary().startswith("3/6 done, 1 running, about 2:46 left")


def test_the_best_is_that_of_all_trials_of_equals_the_first() -> None:
    known = [trial(0, 0.7, "finished"), trial(1, None, "failed"), trial(2, 0.8, "pruned")]
    progress = Progress(9, 2, METRIC, known, io.StringIO(), Clock())
    assert progress.summary().endswith("best robust/auroc_cvar 0.800 (trial-0002 group)")
    progress.reported(trial(3, 0.8), epoch(1))
    assert progress.summary().endswith("0.800 (trial-0002 group)")
    progress.reported(trial(3, 0.9), epoch(2))
    progress.ended(trial(3, 0.9, "finished"))
    progress.reported(trial(4, 0.1), epoch(1))
    assert progress.summary().startswith("4/9 done, 1 running")
    assert progress.summary().endswith("0.900 (trial-0003 group)")


def test_a_failed_trial_says_why() -> None:
    out = io.StringIO()
    failed = dataclasses.replace(trial(0, status="failed"), error="its worker died")
    Progress(2, 2, METRIC, stream=out, now=Clock()).ended(failed)
    assert "failed   its worker died" in out.getvalue()


def test_the_clock_reads_like_one() -> None:
    assert [clock(s) for s in (5, 65, 3600, 7325)] == ["0:05", "1:05", "1:00:00", "2:02:05"]
    assert clock(6_670_602) == "77.2 days"


def look(progress: Progress, now: Clock) -> None:
    """Three trials come to where they wait, each after 10 s; one ends there, the others go on."""
    for number in range(3):
        progress.began(trial(number))
        now.time += 10.0
        progress.reported(trial(number, 0.5), epoch(1))
        progress.waits(trial(number, 0.5))
    progress.began(trial(1, 0.5))
    progress.ended(trial(0, 0.5, "pruned"))
    progress.began(trial(2, 0.5))


def test_a_log_says_which_trials_wait_and_which_go_on() -> None:
    out, now = io.StringIO(), Clock()
    look(Progress(3, 5, METRIC, stream=out, now=now), now)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(
        "[0:10] trial-0000 group    waits      1 epoch, robust/auroc_cvar 0.5"
    )
    assert "0/3 done, 0 running, 1 waiting" in lines[0]
    assert lines[3].startswith("[0:30] trial-0001 group    goes on  after 1 epoch  |  0/3 done, 1 ")
    assert lines[4].startswith("[0:30] trial-0000 group    pruned     1 epoch, ")
    assert "1/3 done, 2 running" in lines[5]
    assert "waiting" not in lines[5]
    assert "left" not in out.getvalue(), "short first parts say little of the long ones"


def test_the_time_left_goes_by_trials_that_ran_on_after_they_waited() -> None:
    now = Clock()
    progress = Progress(3, 5, METRIC, stream=io.StringIO(), now=now)
    look(progress, now)
    now.time = 30.0 + 90.0  # the four other epochs of the first, and two of the second
    progress.reported(trial(2, 0.6), epoch(3))
    progress.ended(trial(1, 0.6, "finished"))
    assert "about 0:30 left" in progress.summary(), "half a trial is left, of 1.5 in 90 s"


def test_a_resumed_sweep_has_no_time_left_to_say_while_trials_wait() -> None:
    now = Clock()
    progress = Progress(
        3, 5, METRIC, [trial(0, 0.5)], io.StringIO(), now, waiting={"trial-0000": 1}
    )
    progress.began(trial(1))
    now.time = 50.0
    progress.ended(trial(1, 0.5, "finished"))
    assert "1 waiting" in progress.summary()
    assert "left" not in progress.summary()


def test_a_sum_of_metrics_is_named_in_one_word() -> None:
    out = io.StringIO()
    progress = Progress(1, 2, f"0.5 clean/auroc + 0.5 {METRIC}", stream=out, now=Clock())
    both = {METRIC: 0.7, "clean/auroc": 0.9}
    progress.ended(dataclasses.replace(trial(0, 0.7, "finished"), metrics=both))
    assert ", objective 0.800  |  1/1 done, 0 running, best objective 0.800 (t" in out.getvalue()
