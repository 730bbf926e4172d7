"""Looking at files before they are taken: in other processes, where damage costs that file alone.

A header is read by the libraries that read pixels, and can crash them, or send them into a loop
without end, as well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.ingest.plan import Progress, Skipped
from sweep.ingest.workers import Waiting, WorkerCrash, check_workers, work

ThingT = TypeVar("ThingT")
SeenT = TypeVar("SeenT")


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
        computing_s: Seconds of computing that a thing may take, or those that are asked together.

    """

    question: Callable[[ThingT], SeenT]
    called: Callable[[ThingT], str] = str
    computing_s: float = 60

    @contextmanager
    def open(self) -> Iterator[Callable[[ThingT], SeenT | Skipped]]:
        """Nothing is to be made ready."""
        yield self._asked

    def name(self, thing: ThingT, /) -> str:
        """The name of a thing."""
        return self.called(thing)

    def limit_s(self, _: ThingT, /) -> float:
        """The same for all."""
        return self.computing_s

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
    seen: dict[str, SeenT | Skipped] = {}
    with closing(work(job, things, workers, waiting, at_once)) as answers:
        for thing, answer in answers:
            name = job.called(thing)
            seen[name] = (
                Skipped(name, answer.reason(name)) if isinstance(answer, WorkerCrash) else answer
            )
            if progress is not None:
                progress(len(seen), len(things))
    outcomes = [(thing, seen[job.called(thing)]) for thing in things]
    return Seen(
        [(thing, one) for thing, one in outcomes if not isinstance(one, Skipped)],
        tuple(one for _, one in outcomes if isinstance(one, Skipped)),
    )
