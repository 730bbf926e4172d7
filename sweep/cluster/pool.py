"""The evaluation pool: actors that stress-test checkpoints while training goes on.

It is made before the trials and outside their placement groups, so that no trial's end takes an
evaluator with it. A checkpoint's cells are dealt to all evaluators alike: each is as busy as the
others, and no score waits for one of them alone. No call depends on those before it; an evaluator
that dies is started again, and the call with it.
"""

import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.actor import ActorHandle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.cluster.nodes import actor_options
from sweep.cluster.packing import Node
from sweep.cluster.session import gather
from sweep.cluster.signs import Pulses, Signs
from sweep.cluster.staging import Staging
from sweep.cluster.waiting import answers_of
from sweep.config.settings import DataSettings, StressSettings
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError, WorkError, told, within
from sweep.core.modes import PRECISE, checkpoint_mode
from sweep.core.pulse import At, beat
from sweep.core.records import TRAINED, Cell, Predictions
from sweep.core.stages import stage
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import LoadedCheckpoint, load_checkpoint
from sweep.learn.kept import KeptInputs
from sweep.learn.modes import stress_in_mode, write_precise
from sweep.learn.screening import Screening
from sweep.learn.stress import cells_of, default_device
from sweep.remote.places import Place
from sweep.results.callbacks import Say
from sweep.store import Store

CALL_RETRIES = 3
CANCELLED = 1000  # names of cancelled evaluations that an evaluator remembers


def limit_torch(share: Share) -> None:
    """Keep this worker to its share: Ray's fractions are bookkeeping, torch must be told."""
    torch.set_num_threads(share.threads)
    if torch.cuda.is_available() and 0 < share.gpu < 1:
        torch.cuda.set_per_process_memory_fraction(share.gpu)


class EvaluatorActor:
    """Stress-tests checkpoints on the validation slices, one call at a time.

    ``cancel`` and the signs of life have a thread of their own. The last checkpoint is kept, so
    that several calls for it read and check its file once; and up to ``cache_gb`` the inputs of its
    cells, which are the same cells for every checkpoint.
    """

    def __init__(
        self,
        staging: Staging,
        data: DataSettings,
        settings: StressSettings,
        share: Share,
        cache_gb: float,
    ) -> None:
        self.staging, self.data, self.settings, self.share = staging, data, settings, share
        self.cancelled: deque[str] = deque(maxlen=CANCELLED)
        self.loaded: tuple[object, LoadedCheckpoint] | None = None
        self.cache_gb = cache_gb
        self.pulses = Pulses()

    @cached_property
    def store(self) -> Store:
        """Opened by the first call, not with the actor, whose end would hide why it cannot be."""
        return self.staging.open()

    @cached_property
    def indices(self) -> NDArray[np.intp]:
        """The validation slices."""
        return self.store.indices(self.data.validation)

    @cached_property
    def kept(self) -> KeptInputs:
        """The inputs of cells."""
        return KeptInputs.of_share(self.cache_gb, self.share.gpu, default_device())

    def ready(self) -> Path:
        """Where the store is mapped, once it is."""
        return self.store.path

    def evaluate(
        self,
        evaluation: str,
        checkpoint: Place,
        cells: Sequence[Cell],
        mode: str = TRAINED,
        slices: NDArray[np.intp] | None = None,
    ) -> list[Predictions]:
        """Predictions for some cells; fewer when the evaluation is cancelled meanwhile.

        Args:
            evaluation: The name that it can be cancelled by.
            checkpoint: Where the file is.
            cells: Those of the cells that are this evaluator's.
            mode: How the network is used.
            slices: (M,) positions among the validation slices; None: all.

        Raises:
            WorkError: The checkpoint disappeared.

        """
        limit_torch(self.share)
        done: list[Predictions] = []
        if evaluation in self.cancelled:
            return done
        with self.pulses.working():
            loaded = self._load(checkpoint.current())
            indices = self.indices if slices is None else self.indices[slices]
            for item in stress_in_mode(
                loaded, self.store, cells, indices, self.settings, mode, self.kept
            ):
                done.append(item)
                if evaluation in self.cancelled:
                    break
        return done

    def precise(self, files: CheckpointFolder, epoch: int) -> Place:
        """Write the checkpoint ``precise`` of an epoch; where it is."""
        limit_torch(self.share)
        self.loaded = None  # two networks at a time may not fit
        with self.pulses.working():
            return Place.of(write_precise(files, epoch, self.store, self.settings))

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]  # Ray ships none
    def cancel(self, evaluation: str) -> None:
        """End an evaluation at its next cell, or before it begins."""
        self.cancelled.append(evaluation)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]  # Ray ships none
    def hear(self, trial: str, at: At | None) -> None:
        """A trial, which is elsewhere, gets on."""
        self.pulses.hear(trial, at)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]  # Ray ships none
    def signs(self) -> Signs:
        """Whether this evaluator and the trials that it hears of get on."""
        return self.pulses.signs()

    def _load(self, checkpoint: Path) -> LoadedCheckpoint:
        try:
            status = checkpoint.stat()
        except FileNotFoundError:
            raise WorkError(
                "a checkpoint disappeared before it was stress-tested",
                checkpoint,
                "leave a running sweep's folder as it is, then resume the sweep",
            ) from None
        key = (checkpoint, status.st_mtime_ns, status.st_size)
        if self.loaded is None or self.loaded[0] != key:
            self.loaded = None  # two networks at a time may not fit
            self.loaded = (key, load_checkpoint(checkpoint, default_device()))
        return self.loaded[1]


def start_pool(
    staging: Staging,
    data: DataSettings,
    settings: StressSettings,
    cluster: ClusterSettings,
    places: Sequence[Node] | None = None,
    say: Say = lambda text: None,
) -> list[ActorHandle]:
    """Start the evaluators and wait until each has opened the store.

    Args:
        staging: How they get the store.
        data: Which of its slices are the validation slices.
        settings: What they are stress-tested by.
        cluster: How many there are, and what each takes.
        places: The node of each, for as long as it is there; None: Ray spreads them.
        say: Says what they wait for.

    Raises:
        WorkError: One cannot get the store.

    """
    actor = ray.remote(concurrency_groups={"control": 1})(EvaluatorActor)
    share = cluster.evaluator
    cache_gb = cluster.evaluator_cache_gb
    strategies = (
        ["SPREAD"] * cluster.evaluators
        if places is None
        else [NodeAffinitySchedulingStrategy(node.id, soft=True) for node in places]
    )
    pool = [
        actor.options(
            **actor_options(share),
            max_restarts=-1,
            max_task_retries=CALL_RETRIES,
            scheduling_strategy=strategy,
        ).remote(staging, data, settings, share, cache_gb)
        for strategy in strategies
    ]
    stage("starting the evaluators, which open the store")
    ready = [evaluator.ready.remote() for evaluator in pool]
    try:
        answers_of(ready, "evaluators", share, say)
    except ray.exceptions.RayTaskError as error:
        cannot = "an evaluator cannot start"
        if isinstance(error.cause, UserError | WorkError):
            raise within(cannot, error.cause) from None
        raise WorkError(
            cannot, told(error.cause), "mend the cause, then resume the sweep"
        ) from None
    return pool


class RemoteEvaluator:
    """Evaluates in the pool, one epoch behind the training."""

    in_flight = 1

    def __init__(self, pool: Sequence[ActorHandle], settings: StressSettings) -> None:
        self.pool = pool
        self.cells = cells_of(settings)

    def evaluate(self, checkpoint: Path, screening: Screening | None = None) -> "RemoteEvaluation":
        """Deal the cells out to all evaluators; those of a screening to their evaluators."""
        return _dealt(self.pool, self.cells, Place.of(checkpoint), screening=screening)


class RemoteModes:
    """Evaluates modes in the pool; the cells of each row are dealt to all evaluators alike."""

    in_flight = 2

    def __init__(
        self,
        pool: Sequence[ActorHandle],
        settings: StressSettings,
        look: Callable[[], object] = beat,
    ) -> None:
        self.pool, self.look = pool, look
        self.cells = cells_of(settings)

    def evaluate(self, files: CheckpointFolder, epoch: int, mode: str) -> "RemoteEvaluation":
        """Deal the cells out; for ``precise`` the first evaluator makes the checkpoint before."""
        checkpoint: Place | ray.ObjectRef = Place.of(files.epoch(epoch, checkpoint_mode(mode)))
        if mode == PRECISE:
            checkpoint = self.pool[0].precise.remote(files, epoch)
        return _dealt(self.pool, self.cells, checkpoint, mode, look=self.look)


def _dealt(
    pool: Sequence[ActorHandle],
    cells: Sequence[Cell],
    checkpoint: Place | ray.ObjectRef,
    mode: str = TRAINED,
    screening: Screening | None = None,
    look: Callable[[], object] = beat,
) -> "RemoteEvaluation":
    """Ask every evaluator for its share of the cells."""
    name = uuid.uuid4().hex
    asked = screening.cells if screening else cells
    slices = screening.slices if screening else None
    shares = [
        [cell for cell in cells[start :: len(pool)] if cell in asked] for start in range(len(pool))
    ]
    calls = {
        actor: actor.evaluate.remote(name, checkpoint, share, mode, slices)
        for actor, share in zip(pool, shares, strict=True)
        if share
    }
    return RemoteEvaluation(name, calls, asked, look)


class RemoteEvaluation(NamedTuple):
    """A checkpoint that some evaluators of the pool work on.

    Attributes:
        name: What they know it by.
        calls: What each of them was asked for.
        cells: All that were asked for, in order.
        look: Called again and again while it is waited for: to wait is no silence, and evaluators
            that hang are for others to see.

    """

    name: str
    calls: Mapping[ActorHandle, ray.ObjectRef]
    cells: Sequence[Cell]
    look: Callable[[], object] = beat

    def result(self) -> Sequence[Predictions]:
        """Gather the predictions, in the order of the cells.

        Raises:
            WorkError: The evaluation was cancelled.

        """
        parts = gather(list(self.calls.values()), self.look)
        found = {item.cell: item for part in parts for item in part}
        if len(found) < len(self.cells):
            raise WorkError(
                "an evaluation was waited for that had been cancelled",
                "no score",
                "report this as a fault of mrisweep",
            )
        return [found[cell] for cell in self.cells]

    def cancel(self) -> None:
        """Tell the evaluators that nobody waits."""
        for actor in self.calls:
            actor.cancel.remote(self.name)
