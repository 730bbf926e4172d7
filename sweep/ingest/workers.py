"""Worker processes that take one task after the other, and are replaced when they die.

Not ``concurrent.futures``: there, a worker that dies takes all tasks with it, and the task that
killed it is not known. Here a damaged file that crashes a C library costs that file only.
"""

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, Protocol, TypeVar, cast

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
class Death:
    """Instead of an answer: the task ended two processes, one after the other.

    Attributes:
        exit_code: The exit code of the second; a negative one is the signal that ended it.

    """

    exit_code: int | None


def work(
    job: Job[TaskT, AnswerT], tasks: Sequence[TaskT], workers: int
) -> Generator[tuple[TaskT, AnswerT | Death]]:
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
    crew = _Crew(job, tasks)
    try:
        crew.hire(workers)
        while crew.members:
            yield from crew.settled()
    finally:
        crew.end()


@dataclass
class _Member(Generic[TaskT]):
    process: BaseProcess
    connection: Connection
    task: TaskT


class _Crew(Generic[TaskT, AnswerT]):
    """The processes that live, each with the task it was given last."""

    def __init__(self, job: Job[TaskT, AnswerT], tasks: Sequence[TaskT]) -> None:
        self.members: list[_Member[TaskT]] = []
        self._job = job
        self._waiting = deque(tasks)
        self._suspect: list[TaskT] = []  # tasks that have ended a process before

    def hire(self, workers: int) -> None:
        while self._waiting and len(self.members) < workers:
            self._hire(self._waiting.popleft())

    def settled(self) -> Iterator[tuple[TaskT, AnswerT | Death]]:
        """Wait for the next answers, and give the next tasks out."""
        ready = wait([member.connection for member in self.members])
        for member in [one for one in self.members if one.connection in ready]:
            task, answer = member.task, self._answer(member)
            if isinstance(answer, Death):
                self.members.remove(member)
                if task not in self._suspect:
                    self._suspect.append(task)
                    self._hire(task)
                    continue
                self.hire(len(self.members) + 1)
            elif self._waiting:
                member.task = self._waiting.popleft()
                _give(member)
            else:
                self.members.remove(member)
                _dismiss(member)
            yield task, answer

    def end(self) -> None:
        for member in self.members:
            member.process.terminate()
            _dismiss(member)

    def _hire(self, task: TaskT) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would take threads' locks along
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
        process.start()
        theirs.close()  # so that the worker's death is the end of the pipe
        self.members.append(_Member(process, ours, task))
        _give(self.members[-1])

    def _answer(self, member: _Member[TaskT]) -> AnswerT | Death:
        try:
            kind, answer = member.connection.recv()
        except (EOFError, ConnectionResetError):
            _dismiss(member)
            return Death(member.process.exitcode)
        if kind == "raised":
            raise answer
        return cast("AnswerT", answer)


def _give(member: _Member[TaskT]) -> None:
    with suppress(BrokenPipeError):  # it has died: its next answer is that
        member.connection.send(member.task)


def _dismiss(member: _Member[TaskT]) -> None:
    member.connection.close()
    member.process.join()


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
