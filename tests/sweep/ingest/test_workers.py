"""Worker processes that answer, raise, die, and die again."""

import importlib
import os
import signal
from pathlib import Path

import pytest

from sweep.core.errors import UserError, WorkError
from sweep.ingest import workers
from sweep.ingest.workers import HERE, Job, WorkerCrash, work

# A module of its own, as every worker imports it.
JOB = """
import os, signal, time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sweep.core.errors import UserError

@dataclass(frozen=True)
class Odd:
    folder: Path

    @contextmanager
    def open(self):
        if (self.folder / "no_start").exists():
            raise OSError(5, "the draft is gone")
        yield self.do

    def name(self, task):
        return task

    def limit_s(self, task):
        return 1

    def do(self, task):
        (self.folder / f"{os.getpid()}.worker").touch()
        if task == "die" or (task == "die once" and self.first_time()):
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == "refuse":
            raise UserError("it is wrong", "this", "do that")
        if task == "disk":
            raise OSError(28, "the disk is full")
        if task == "bug":
            raise KeyError("what nobody thought of")
        if task == "sleep":
            time.sleep(600)
        while task == "loop":
            pass
        return task * 2

    def first_time(self):
        mark = self.folder / "died"
        there = mark.exists()
        mark.touch()
        return not there
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job[str, str]:
    (tmp_path / "odd_job.py").write_text(JOB)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("odd_job")
    importlib.reload(module)
    return module.Odd(tmp_path)


def pids(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.worker")]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [HERE, 1, 2, 9])
def test_every_task_is_answered_once(job: Job[str, str], tmp_path: Path, workers: int) -> None:
    tasks = [f"t{number}" for number in range(5)]
    answers = sorted(work(job, tasks, workers))
    assert answers == [(task, task * 2) for task in tasks]
    assert (pids(tmp_path) == [os.getpid()]) == (workers == HERE)
    assert not any(alive(pid) for pid in pids(tmp_path) if pid != os.getpid())


def test_no_task_no_process(job: Job[str, str]) -> None:
    assert list(work(job, [], 3)) == []


def test_a_task_that_kills_twice_is_given_up_and_the_others_are_done(job: Job[str, str]) -> None:
    answers = dict(work(job, ["a", "die", "b", "c", "d"], 2))
    assert answers.pop("die") == WorkerCrash(-signal.SIGSEGV)
    assert answers == {"a": "aa", "b": "bb", "c": "cc", "d": "dd"}


def test_the_last_task_may_kill(job: Job[str, str]) -> None:
    assert list(work(job, ["die"], 2)) == [("die", WorkerCrash(-signal.SIGSEGV))]


def test_a_task_during_which_a_process_was_killed_gets_another_chance(job: Job[str, str]) -> None:
    assert list(work(job, ["die once"], 2)) == [("die once", "die once" * 2)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_computes_without_end_is_given_up_and_the_others_are_done(
    job: Job[str, str], tmp_path: Path, workers: int
) -> None:
    answers = dict(work(job, ["a", "loop", "b"], workers))
    assert answers.pop("loop") == WorkerCrash(-signal.SIGXCPU)
    assert answers == {"a": "aa", "b": "bb"}
    assert not list(tmp_path.glob("core*"))


def test_the_reason_of_an_end_says_whether_it_crashed_or_never_ended() -> None:
    crashed = WorkerCrash(-signal.SIGSEGV).reason("x.nii", "file")
    assert "ended twice" in crashed
    assert "x.nii, exit code -11" in crashed
    endless = WorkerCrash(-signal.SIGXCPU).reason("x.nii", "file")
    assert "does not end: it is damaged; received x.nii; repair or remove it" in endless


def test_what_takes_long_is_spoken_of_and_what_takes_too_long_ends_the_work(
    job: Job[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SAID_S", 0)
    monkeypatch.setattr(workers, "WALL_S", 3)
    said: list[tuple[str, float]] = []
    with pytest.raises(WorkError, match="the disk may not answer; received sleep, for"):
        list(work(job, ["sleep"], 1, lambda name, seconds: said.append((name, seconds))))
    assert {name for name, _ in said} == {"sleep"}
    assert 0 < said[0][1] < said[-1][1] <= 4
    assert not any(alive(pid) for pid in pids(tmp_path))


def test_a_job_that_cannot_begin_is_no_fault_of_a_task(
    tmp_path: Path, job: Job[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no_start").touch()
    with pytest.raises(OSError, match="the draft is gone"):
        list(work(job, ["a"], 1))
    (tmp_path / "odd_job.py").write_text("raise SystemExit(7)")
    with pytest.raises(WorkError, match="ended as it started; received exit code"):
        list(work(job, ["a"], 1))


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ("refuse", UserError, "it is wrong; received this; do that"),
        ("disk", OSError, "the disk is full"),
        ("bug", RuntimeError, "odd_job.py.*KeyError: 'what nobody thought of'"),
    ],
)
def test_what_a_job_raises_reaches_the_caller_and_ends_the_others(
    job: Job[str, str], tmp_path: Path, task: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        list(work(job, ["sleep", task], 2))
    assert not any(alive(pid) for pid in pids(tmp_path))


def test_leaving_early_ends_the_processes(job: Job[str, str], tmp_path: Path) -> None:
    answers = work(job, ["sleep", "a"], 2)
    assert next(answers) == ("a", "aa")
    answers.close()
    assert len(pids(tmp_path)) >= 1
    assert not any(alive(pid) for pid in pids(tmp_path))
