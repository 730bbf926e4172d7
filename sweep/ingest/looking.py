"""Looking at files before they are taken: in other processes, where damage costs that file alone.

A header is read by the libraries that read pixels, and can crash them, or send them into a loop
without end, as well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.ingest.plan import Progress, Skipped
from sweep.ingest.workers import Waiting, WorkerCrash, check_workers, work

ThingT = TypeVar("ThingT")
SeenT = TypeVar("SeenT")


class Task(NamedTuple, Generic[ThingT]):
    """Things that a worker is given together: the number of the first, and all of them."""

    first: int
    things: Sequence[ThingT]


@dataclass(frozen=True)
class Seen(Generic[ThingT, SeenT]):
    """What was seen.

    Attributes:
        found: The things that can be used, in their order, each with what was seen of it.
        skipped: The others, and why.

    """

    found: list[tuple[ThingT, SeenT]]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Look(Generic[ThingT, SeenT]):
    """The job of every worker.

    Attributes:
        question: What is asked of each thing; pickled. It raises ``UnusableError`` of one that
            cannot be used, and whatever else it raises is a fault of that thing as well.
        called: The name of a thing in messages, unique; pickled.
        computing_s: Seconds of computing that the things of one task may take.

    """

    question: Callable[[ThingT], SeenT]
    called: Callable[[ThingT], str] = str
    computing_s: float = 60

    @contextmanager
    def open(self) -> Iterator[Callable[[Task[ThingT]], list[SeenT | Skipped]]]:
        """Nothing is to be made ready."""
        yield self._do

    def name(self, task: Task[ThingT], /) -> str:
        """The names of the things."""
        return ", ".join(map(self.called, task.things))

    def limit_s(self, _: Task[ThingT], /) -> float:
        """The same for all."""
        return self.computing_s

    def _do(self, task: Task[ThingT]) -> list[SeenT | Skipped]:
        return list(map(self._asked, task.things))

    def _asked(self, thing: ThingT) -> SeenT | Skipped:
        name = self.called(thing)
        try:
            with broken_is_unusable("it cannot be read", name, "repair or remove it"):
                return self.question(thing)
        except UnusableError as error:
            return Skipped(name, str(error))


def look(
    job: Look[ThingT, SeenT],
    things: Sequence[ThingT],
    *,
    workers: int = 1,
    at_once: int = 1,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> Seen[ThingT, SeenT]:
    """Ask the same of many things.

    Args:
        job: What is asked.
        things: Of what; each is pickled.
        workers: Processes that look.
        at_once: How many a worker is given together, where they are quickly looked at.
        progress: Called with the number of things seen and of all.
        waiting: Called with the name of a thing that takes long, and the seconds.

    Raises:
        UserError: No worker.
        WorkError: The disk or the machine fails.

    """
    check_workers(workers)
    starts = range(0, len(things), at_once)
    together = [Task(start, things[start : start + at_once]) for start in starts]
    alone: list[Task[ThingT]] = []
    seen: dict[int, SeenT | Skipped] = {}
    for tasks in (together, alone):  # what ended a process together is asked one by one
        with closing(work(job, tasks, workers, waiting)) as answers:
            for task, answer in answers:
                if not isinstance(answer, WorkerCrash):
                    seen.update(enumerate(answer, start=task.first))
                elif len(task.things) > 1:
                    alone.extend(Task(task.first + n, [one]) for n, one in enumerate(task.things))
                else:
                    name = job.name(task)
                    seen[task.first] = Skipped(name, answer.reason(name))
                if progress is not None:
                    progress(len(seen), len(things))
    outcomes = [(thing, seen[number]) for number, thing in enumerate(things)]
    return Seen(
        [(thing, one) for thing, one in outcomes if not isinstance(one, Skipped)],
        tuple(one for _, one in outcomes if isinstance(one, Skipped)),
    )
