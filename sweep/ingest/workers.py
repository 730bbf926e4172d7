"""Worker processes that take one task after the other, and are replaced when they die.

Not ``concurrent.futures``: there, a worker that dies takes all tasks with it, and the task that
killed it is not known. Here a damaged file that crashes a C library costs that file only.
"""

import multiprocessing
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar, cast

from sweep.core.errors import UserError

TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Job(Protocol[TaskT_contra, AnswerT_co]):
    """What every worker does; an instance is pickled and sent to each."""

    def open(self) -> AbstractContextManager[Callable[[TaskT_contra], AnswerT_co]]:
        """Make ready once; gives the function that does a task."""
        ...


@dataclass(frozen=True)
class WorkerCrash:
    """Instead of an answer: the task ended two processes, one after the other.

    Attributes:
        exit_code: The exit code of the second; a negative one is the signal that ended it.

    """

    exit_code: int | None


def work(
    job: Job[TaskT, AnswerT], tasks: Sequence[TaskT], workers: int
) -> Generator[tuple[TaskT, AnswerT | WorkerCrash]]:
    """Do all tasks; answers come as they are ready.

    With one worker everything happens in this process, without protection from a crash. Leaving
    the loop early ends the workers in the middle of what they do.

    Raises:
        UserError, OSError: As the job raised it.
        RuntimeError: The job raised anything else; its traceback.

    """
    if workers <= 1:
        with job.open() as do:
            for task in tasks:
                yield task, do(task)
        return
    pool = _WorkerPool(job, tasks)
    try:
        pool.start(workers)
        while pool.alive:
            yield from pool.answers()
    finally:
        pool.end()


def can_be_sent(value: object) -> bool:
    """Whether another process could have this value: it can be pickled, and found again there.

    What an interactive session defines by itself, as a notebook does, is found in no other.
    """
    sink = _Sink()
    try:
        pickle.Pickler(sink).dump(value)
    except Exception:  # the code of others can raise anything
        return False
    return not sink.names_main or hasattr(sys.modules["__main__"], "__file__")


class _Sink:
    """Takes what is written, and keeps whether it spoke of the main module."""

    names_main = False

    def write(self, data: Any) -> int:
        self.names_main = self.names_main or b"__main__" in bytes(data)
        return len(data)


@dataclass
class _Worker(Generic[TaskT]):
    process: BaseProcess
    connection: Connection
    task: TaskT


class _WorkerPool(Generic[TaskT, AnswerT]):
    """The processes that live, each with the task it was given last."""

    def __init__(self, job: Job[TaskT, AnswerT], tasks: Sequence[TaskT]) -> None:
        self.alive: list[_Worker[TaskT]] = []
        self._job = job
        self._waiting = deque(tasks)
        self._suspect: list[TaskT] = []  # tasks that have ended a process before

    def start(self, workers: int) -> None:
        while self._waiting and len(self.alive) < workers:
            self._start_worker(self._waiting.popleft())

    def answers(self) -> Iterator[tuple[TaskT, AnswerT | WorkerCrash]]:
        """Wait for the next answers, and give the next tasks out."""
        ready = wait([worker.connection for worker in self.alive])
        for worker in [one for one in self.alive if one.connection in ready]:
            task, answer = worker.task, self._answer(worker)
            if isinstance(answer, WorkerCrash):
                self.alive.remove(worker)
                if task not in self._suspect:
                    self._suspect.append(task)
                    self._start_worker(task)
                    continue
                self.start(len(self.alive) + 1)
            elif self._waiting:
                worker.task = self._waiting.popleft()
                _send(worker)
            else:
                self.alive.remove(worker)
                _end(worker)
            yield task, answer

    def end(self) -> None:
        for worker in self.alive:
            worker.process.terminate()
            _end(worker)

    def _start_worker(self, task: TaskT) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take threads' locks along
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
        process.start()
        theirs.close()  # so that the worker's death is the end of the pipe
        self.alive.append(_Worker(process, ours, task))
        _send(self.alive[-1])

    def _answer(self, worker: _Worker[TaskT]) -> AnswerT | WorkerCrash:
        try:
            kind, answer = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            _end(worker)
            return WorkerCrash(worker.process.exitcode)
        if kind == "raised":
            raise answer
        return cast("AnswerT", answer)


def _send(worker: _Worker[TaskT]) -> None:
    with suppress(BrokenPipeError):  # it has died: its next answer is that
        worker.connection.send(worker.task)


def _end(worker: _Worker[TaskT]) -> None:
    worker.connection.close()
    worker.process.join()


def _serve(connection: Connection, job: Job[TaskT, AnswerT]) -> None:
    """Life of a worker: it ends when the pipe does, be it by the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with suppress(EOFError, BrokenPipeError), job.open() as do:
        while True:
            connection.send(_outcome(do, connection.recv()))


def _outcome(do: Callable[[TaskT], AnswerT], task: TaskT) -> tuple[str, AnswerT | Exception]:
    try:
        return "done", do(task)
    except (UserError, OSError) as error:
        return "raised", error
    except Exception:
        return "raised", RuntimeError(traceback.format_exc())
