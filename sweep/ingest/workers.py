"""Worker processes that take one task after the other, and are replaced when they die.

Not ``concurrent.futures``: there, a worker that dies takes all tasks with it, and the task that
killed it is not known. Here a damaged file that crashes a C library, or sends it into a loop
without end, costs that file only.
"""

import math
import multiprocessing
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar, cast

from sweep.core.errors import UnusableError, UserError, WorkError
from sweep.core.heap import allow_memory, machine_memory

HERE = 0  # workers: everything is done in this process
SAID_S = 60  # a task without an answer for so long is spoken of, and again after as long
WALL_S = 3600  # no file takes so long that is read at all
ENDING_S = 5  # for a process that was told to end; one that waits for a dead disk cannot
# Imported once, and forked from for each worker: a worker then starts in milliseconds.
SHARE_OF_MEMORY = 0.5  # of the machine's, that one worker may have: a damaged size may ask for all
PRELOADED = ["sweep.ingest.tasks", "sweep.ingest.images"]

Waiting = Callable[[str, float], None]  # called with what takes long, and for how many seconds

TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Job(Protocol[TaskT_contra, AnswerT_co]):
    """What every worker does; an instance is pickled and sent to each."""

    def open(self) -> AbstractContextManager[Callable[[TaskT_contra], AnswerT_co]]:
        """Make ready once; gives the function that does a task."""
        ...

    def name(self, task: TaskT_contra, /) -> str:
        """The name of a task in messages."""
        ...

    def limit_s(self, task: TaskT_contra, /) -> float:
        """Seconds of computing after which a task is given up; those of waiting do not count."""
        ...


@dataclass(frozen=True)
class WorkerCrash:
    """Instead of an answer: the task ended two processes, or computed without end.

    Attributes:
        exit_code: The exit code of the last; a negative one is the signal that ended it.

    """

    exit_code: int | None

    def reason(self, name: str, unit: str = "file") -> str:
        """What became of what was read, in words.

        Args:
            name: Its name.
            unit: What it is called in messages.

        """
        if self.exit_code == -signal.SIGXCPU:
            wrong = f"reading the {unit} does not end: it is damaged"
            return str(UnusableError(wrong, name, "repair or remove it"))
        error = UnusableError(
            f"the process that reads the {unit} ended twice: it is damaged, or memory ran out",
            f"{name}, exit code {self.exit_code}",
            "repair or remove it, or take fewer workers",
        )
        return str(error)


def work(
    job: Job[TaskT, AnswerT],
    tasks: Sequence[TaskT],
    workers: int,
    waiting: Waiting | None = None,
    at_once: int = 1,
) -> Generator[tuple[TaskT, AnswerT | WorkerCrash]]:
    """Do all tasks; answers come as they are ready.

    Leaving the loop early ends the workers in the middle of what they do.

    Args:
        job: What is done with each task.
        tasks: The tasks, in the order in which they are begun.
        workers: Processes beside this one; ``HERE`` = this one, without protection from a crash.
        waiting: Called for a task that has no answer after a minute, and each further minute.
        at_once: How many a worker is given together, where each takes less time than to be sent.
            Those that end a process together are done again one by one.

    Raises:
        UserError, WorkError, OSError: As the job raised it.
        WorkError: A task has no answer after an hour.
        RuntimeError: The job raised anything else; its traceback.

    """
    if workers == HERE:
        with job.open() as do:
            for task in tasks:
                yield task, do(task)
        return
    together = [tuple(tasks[first : first + at_once]) for first in range(0, len(tasks), at_once)]
    alone: list[tuple[TaskT, ...]] = []
    for batches in (together, alone):
        with closing(_work(_Together(job), batches, workers, waiting)) as answers:
            for batch, answer in answers:
                if not isinstance(answer, WorkerCrash):
                    yield from zip(batch, answer, strict=True)
                elif len(batch) == 1:
                    yield batch[0], answer
                else:
                    alone.extend((task,) for task in batch)


@dataclass(frozen=True)
class _Together(Generic[TaskT, AnswerT]):
    """The same job for several tasks at once."""

    job: Job[TaskT, AnswerT]

    @contextmanager
    def open(self) -> Iterator[Callable[[Sequence[TaskT]], list[AnswerT]]]:
        with self.job.open() as do:
            yield lambda tasks: list(map(do, tasks))

    def name(self, tasks: Sequence[TaskT], /) -> str:
        return ", ".join(map(self.job.name, tasks))

    def limit_s(self, tasks: Sequence[TaskT], /) -> float:
        return max(map(self.job.limit_s, tasks))


def _work(
    job: Job[TaskT, AnswerT], tasks: Sequence[TaskT], workers: int, waiting: Waiting | None
) -> Generator[tuple[TaskT, AnswerT | WorkerCrash]]:
    pool = _WorkerPool(job, tasks, waiting)
    try:
        pool.start(workers)
        while pool.alive:
            yield from pool.answers()
    finally:
        pool.end()


def check_workers(workers: int) -> None:
    """Refuse a number of workers that a user cannot mean.

    Raises:
        UserError: It is below 1.

    """
    if workers < 1:
        raise UserError("there would be no worker to read the files", workers, "take 1 or more")


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
    ready: bool = False
    since: float = 0.0
    spoken_of: float = 0.0


class _WorkerPool(Generic[TaskT, AnswerT]):
    """The processes that live, each with the task it was given last."""

    def __init__(
        self, job: Job[TaskT, AnswerT], tasks: Sequence[TaskT], told: Waiting | None
    ) -> None:
        self.alive: list[_Worker[TaskT]] = []
        self._job = job
        self._told = told
        self._waiting = deque(tasks)
        self._suspect: list[TaskT] = []  # tasks that have ended a process before

    def start(self, workers: int) -> None:
        while self._waiting and len(self.alive) < workers:
            self._start_worker(self._waiting.popleft())

    def answers(self) -> Iterator[tuple[TaskT, AnswerT | WorkerCrash]]:
        """Wait for the next answers, and give the next tasks out."""
        ready = wait([worker.connection for worker in self.alive], timeout=1)
        for worker in [one for one in self.alive if one.connection in ready]:
            task, answer = worker.task, self._answer(worker)
            if answer is None:
                worker.ready = True
                continue
            if isinstance(answer, WorkerCrash):
                self.alive.remove(worker)
                if task not in self._suspect and answer.exit_code != -signal.SIGXCPU:
                    self._suspect.append(task)
                    self._start_worker(task)
                    continue
                self.start(len(self.alive) + 1)
            elif self._waiting:
                _give(worker, self._waiting.popleft())
            else:
                self.alive.remove(worker)
                _end(worker)
            yield task, answer
        if not ready:
            self._look_at_clocks()

    def end(self) -> None:
        for worker in self.alive:
            worker.process.terminate()
            _end(worker)

    def _look_at_clocks(self) -> None:
        now = time.monotonic()
        for worker in self.alive:
            if now - worker.since > WALL_S:
                raise WorkError(
                    "reading does not end, and computes nothing: the disk may not answer",
                    f"{self._job.name(worker.task)}, for {WALL_S / 60:.0f} minutes",
                    "see that the disk is there, or leave this out, then run the same command",
                )
            if self._told is not None and now - worker.spoken_of > SAID_S:
                worker.spoken_of = now
                self._told(self._job.name(worker.task), now - worker.since)

    def _start_worker(self, task: TaskT) -> None:
        ours, theirs = _context().Pipe()
        process = _context().Process(target=_serve, args=(theirs, self._job), daemon=True)
        process.start()
        theirs.close()  # so that the worker's death is the end of the pipe
        self.alive.append(_Worker(process, ours, task))
        _give(self.alive[-1], task)

    def _answer(self, worker: _Worker[TaskT]) -> AnswerT | WorkerCrash | None:
        """What a worker says; None: that it is ready."""
        try:
            kind, answer = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            _end(worker)
            if not worker.ready:  # no file had been touched
                raise WorkError(
                    "a process that is to read files ended as it started",
                    f"exit code {worker.process.exitcode}",
                    "look at what it printed above; where memory is short, take fewer workers",
                ) from None
            return WorkerCrash(worker.process.exitcode)
        if kind == "raised":
            raise answer
        return cast("AnswerT | None", answer)


def _context() -> multiprocessing.context.ForkServerContext:
    """Workers are forked from a server without threads: a fork of this process takes locks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _give(worker: _Worker[TaskT], task: TaskT) -> None:
    worker.task = task
    worker.since = worker.spoken_of = time.monotonic()
    with suppress(BrokenPipeError):  # it has died: its next answer is that
        worker.connection.send(task)


def _end(worker: _Worker[TaskT]) -> None:
    worker.connection.close()
    worker.process.join(ENDING_S)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join(ENDING_S)


def _serve(connection: Connection, job: Job[TaskT, AnswerT]) -> None:
    """Life of a worker: it ends when the pipe does, be it by the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    allow_memory(int(SHARE_OF_MEMORY * machine_memory()))
    with suppress(BrokenPipeError):  # nobody listens any more
        try:
            with job.open() as do:
                connection.send(("ready", None))
                for task in _tasks(connection):
                    _allow(job.limit_s(task))
                    connection.send(("done", do(task)))
        except (UserError, WorkError, OSError) as error:
            connection.send(("raised", error))
        except Exception:
            connection.send(("raised", RuntimeError(traceback.format_exc())))


def _tasks(connection: Connection) -> Iterator[Any]:
    with suppress(EOFError):
        while True:
            yield connection.recv()


def _allow(seconds: float) -> None:
    """Let the system end this process (SIGXCPU) once it has computed for so long from now.

    It is the system that looks at the clock, as code of C that loops leaves Python no turn.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(time.process_time() + seconds)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
