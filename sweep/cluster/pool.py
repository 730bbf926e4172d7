"""The evaluation pool: actors that stress-test checkpoints while training goes on.

It is made before the trials and outside their placement groups, so that no trial's end takes an
evaluator with it. A checkpoint's cells are dealt to all evaluators alike: each is as busy as the
others, and a score is back as early as can be. An evaluator keeps no state between calls; one
that dies is started again, and the call with it.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.actor import ActorHandle

from sweep.cluster.staging import Staging
from sweep.config.settings import DataSettings, StressSettings
from sweep.config.sweep import ClusterSettings, Share
from sweep.core.errors import WorkError
from sweep.core.records import Cell, Predictions
from sweep.learn.stress import cells_of, stress
from sweep.store import Store

CALL_RETRIES = 3


def limit_torch(share: Share) -> None:
    """Keep this worker to its share: Ray's fractions are bookkeeping, torch must be told."""
    torch.set_num_threads(share.threads)
    if torch.cuda.is_available() and 0 < share.gpu < 1:
        torch.cuda.set_per_process_memory_fraction(share.gpu)


class EvaluatorActor:
    """Stress-tests checkpoints on the validation slices."""

    def __init__(
        self, staging: Staging, data: DataSettings, settings: StressSettings, share: Share
    ) -> None:
        limit_torch(share)
        self.staging, self.data, self.settings = staging, data, settings

    @cached_property
    def store(self) -> Store:
        """Opened by the first call, not with the actor, whose end would hide why it cannot be."""
        return self.staging.open()

    @cached_property
    def indices(self) -> NDArray[np.intp]:
        """The validation slices."""
        return self.store.indices(self.data.validation)

    def ready(self) -> Path:
        """Where the store is mapped, once it is."""
        return self.store.path

    def evaluate(self, checkpoint: Path, cells: Sequence[Cell]) -> list[Predictions]:
        """Predictions for some cells; fewer when the checkpoint is withdrawn meanwhile.

        A trial that is stopped leaves its last epoch under evaluation; its checkpoint is deleted,
        and nobody waits for the rest.
        """
        done: list[Predictions] = []
        if checkpoint.exists():
            for item in stress(checkpoint, self.store, cells, self.indices, self.settings):
                done.append(item)
                if not checkpoint.exists():
                    break
        return done


def start_pool(
    staging: Staging, data: DataSettings, settings: StressSettings, cluster: ClusterSettings
) -> list[ActorHandle]:
    """Start the evaluators and wait until each has opened the store.

    Raises:
        WorkError: one cannot come by the store.

    """
    actor = ray.remote(EvaluatorActor).options(
        num_cpus=cluster.evaluator.cpu,
        num_gpus=cluster.evaluator.gpu,
        max_restarts=-1,
        max_task_retries=CALL_RETRIES,
        scheduling_strategy="SPREAD",
    )
    share = cluster.evaluator
    pool = [actor.remote(staging, data, settings, share) for _ in range(cluster.evaluators)]
    try:
        ray.get([evaluator.ready.remote() for evaluator in pool])
    except ray.exceptions.RayTaskError as error:
        raise WorkError(f"an evaluator cannot start: {error.cause}") from None
    return pool


class RemoteEvaluator:
    """Evaluates in the pool, one epoch behind the training."""

    in_flight = 1

    def __init__(self, pool: Sequence[ActorHandle], settings: StressSettings) -> None:
        self.pool = pool
        self.cells = cells_of(settings)

    def submit(self, checkpoint: Path) -> Callable[[], Sequence[Predictions]]:
        """Deal the cells out; calling what is returned gathers them, in the cells' order."""
        shares = [self.cells[start :: len(self.pool)] for start in range(len(self.pool))]
        calls = [
            evaluator.evaluate.remote(checkpoint, share)
            for evaluator, share in zip(self.pool, shares, strict=True)
            if share
        ]
        return lambda: self._gather(checkpoint, calls)

    def _gather(self, checkpoint: Path, calls: Sequence[object]) -> Sequence[Predictions]:
        found = {item.cell: item for part in ray.get(calls) for item in part}
        if len(found) < len(self.cells):
            raise WorkError(f"the checkpoint {checkpoint} disappeared while it was stress-tested")
        return [found[cell] for cell in self.cells]
