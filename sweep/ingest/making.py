"""How a store is to be made of files, whatever these are: what every kind of plan is told."""

from dataclasses import dataclass

from sweep.ingest.formats.pixels import check_size
from sweep.ingest.plan import Progress
from sweep.ingest.workers import Waiting
from sweep.store.slices import Task
from sweep.store.splits import SplitAssigner


@dataclass(frozen=True)
class Making:
    """What is asked of a store to be, and how the headers of its files are read.

    Attributes:
        assigner: The assignment of patients to splits, where the rows name none.
        size: Every image is brought to (size, size), see ``fit`` and ``fit_square``; None = all
            have one size, and keep it.
        task: None = 'multiclass' if every slice has exactly one label and there are several labels,
            else 'multilabel'.
        workers: Processes that read headers.
        progress: Called with the number of files looked at and of all.
        waiting: See ``look``.

    Raises:
        UserError: A size that no image can have.

    """

    assigner: SplitAssigner
    size: int | None = None
    task: Task | None = None
    workers: int = 1
    progress: Progress | None = None
    waiting: Waiting | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
