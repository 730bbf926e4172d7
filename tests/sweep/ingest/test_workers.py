"""Worker processes that answer, raise, die, and die again."""

import importlib
import os
import signal
from pathlib import Path

import pytest

from sweep.core.errors import UserError
from sweep.ingest.workers import Job, WorkerCrash, work

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
        yield self.do

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


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_task_is_answered_once(job: Job[str, str], tmp_path: Path, workers: int) -> None:
    tasks = [f"t{number}" for number in range(5)]
    answers = sorted(work(job, tasks, workers))
    assert answers == [(task, task * 2) for task in tasks]
    assert (pids(tmp_path) == [os.getpid()]) == (workers == 1)
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
