"""Finalists on Ray: workers that each train one after the other and score it at every place."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property

import ray

from sweep.cluster.nodes import actor_options
from sweep.cluster.pool import limit_torch
from sweep.cluster.session import POLL_S, look
from sweep.cluster.signs import Pulses, Signs
from sweep.cluster.staging import Staging
from sweep.cluster.waiting import Reminder, remind_of_places
from sweep.cluster.watch import StoreWatch, Watch
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UnfinishedError, told
from sweep.core.finals import FinalistRecord, FinalistRun
from sweep.core.mirrors import remove
from sweep.core.text import number_of
from sweep.learn.finalist import score_places, slices_of, train_to_end, trial_of
from sweep.learn.kept import KeptInputs
from sweep.learn.stress import default_device
from sweep.results.callbacks import Say
from sweep.results.finalists import FinalistFolder, Plan
from sweep.results.folder import SweepFolder
from sweep.results.tables import slices_at
from sweep.store import Store

Count = Callable[[int, int, FinalistRecord], None]


class FinalistWorker:
    """Trains finalists and scores them, one call at a time.

    The inputs of a place are the same for every finalist, and are kept up to the evaluators' share.
    """

    def __init__(
        self, folder: SweepFolder, config: SweepConfig, plan: Plan, staging: Sequence[Staging]
    ) -> None:
        self.finalists = FinalistFolder(folder)
        self.config, self.plan, self.staging = config, plan, staging
        self.pulses = Pulses()

    @cached_property
    def stores(self) -> list[Store]:
        """That of each place; opened by the first call, whose error is told."""
        return [staging.open() for staging in self.staging]

    @cached_property
    def kept(self) -> KeptInputs:
        """The inputs of cells."""
        cluster = self.config.cluster
        return KeptInputs.of_share(cluster.evaluator_cache_gb, cluster.trial.gpu, default_device())

    def ready(self) -> None:
        """Answers once there is room for this worker in the cluster."""

    def finish(self, run: FinalistRun) -> FinalistRecord:
        """Train one and score it; what of it is in the folder is not done again."""
        with self.pulses.working():
            return self._finished(run)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]  # Ray ships none
    def signs(self) -> Signs:
        """Whether this worker gets on."""
        return self.pulses.signs()

    def _finished(self, run: FinalistRun) -> FinalistRecord:
        limit_torch(self.config.cluster.trial)
        self.finalists.take_up(run.name)
        files, last = self.finalists.checkpoints(run.name), self.plan.settings.epochs
        config = trial_of(self.config, run, self.plan.knobs)
        ended = train_to_end(config, self.stores[0], files, run.name, last)
        epochs = tuple(range(max(1, config.train.epochs - last + 1), config.train.epochs + 1))
        if ended:
            for epoch in epochs:
                self._score(run, epoch)
        record = self.finalists.settle(run, epochs if ended else ())
        remove(files.state)
        return record

    def _score(self, run: FinalistRun, epoch: int) -> None:
        places = self.plan.places
        if all(self.finalists.is_scored(run.name, place.name, epoch) for place in places):
            return
        files = self.finalists.checkpoints(run.name)
        pairs = list(zip(places, self.stores, strict=True))
        device = default_device()
        for place, record, predictions in score_places(files, epoch, pairs, device, self.kept):
            store = self.stores[places.index(place)]
            slices = slices_at(store, slices_of(store, place))
            self.finalists.write_scores(run.name, place.name, record, predictions, slices)


def run_finalists(
    folder: SweepFolder,
    config: SweepConfig,
    plan: Plan,
    staging: Sequence[Staging],
    workers: int,
    count: Count,
    say: Say,
    again: str,
    stores: Sequence[StoreWatch] = (),
) -> None:
    """Train and score what the plan still lacks.

    One that fails is said, and the others are done: in the end it is known what is missing.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        plan: What is to be there.
        staging: How to get the store of each place.
        workers: At a time.
        count: Told after each run how many there are, of how many, and what it came to.
        say: Says something to the user.
        again: The command that goes on.
        stores: Watch those that workers use where they are.

    Raises:
        UnfinishedError: Not all of them came to an end, after all were tried.
        WorkError: A store has changed.
        KeyboardInterrupt: After the workers were ended; what is in the folder is kept.

    """
    failed = _work_through(folder, config, plan, staging, workers, count, say, again, stores)
    # Not among the workers: what holds the error would hold them, and the room that they have.
    if failed:
        name, cause = next(iter(failed.items()))
        raise UnfinishedError(
            f"{len(failed)} of {number_of(len(plan.runs), 'finalist')} did not come to an end",
            f"of {name}, the first of them, {cause}",
            f"mend the cause, then run `{again}`, which does what is missing",
        )


def _work_through(
    folder: SweepFolder,
    config: SweepConfig,
    plan: Plan,
    staging: Sequence[Staging],
    workers: int,
    count: Count,
    say: Say,
    again: str,
    stores: Sequence[StoreWatch],
) -> dict[str, str]:
    """See ``run_finalists``; what was received of those that failed, by name."""
    finalists = FinalistFolder(folder)
    left = deque(run for run in plan.runs if finalists.record(run.name) is None)
    done, share = len(plan.runs) - len(left), config.cluster.trial
    actor = ray.remote(concurrency_groups={"control": 1})(FinalistWorker).options(
        **actor_options(share),
        max_restarts=-1,
        max_task_retries=config.cluster.retries,
    )
    all_workers = [
        actor.remote(folder, config, plan, staging) for _ in range(min(workers, len(left)))
    ]
    # One that others leave no room for yet is not waited for: those that are there do the work.
    starting = {worker.ready.remote(): worker for worker in all_workers}
    idle: list[ray.actor.ActorHandle] = []
    calls: dict[ray.ObjectRef, tuple[ray.actor.ActorHandle, FinalistRun]] = {}
    failed: dict[str, str] = {}
    watch = Watch([], config.cluster.hang_minutes, say)
    reminder = Reminder(say)
    while left or calls:
        look()
        watch.look()
        for store in stores:
            store.require()
        if idle or calls:
            reminder.over()
        else:
            remind_of_places(reminder, "finalists", share)
        while left and idle:
            worker, run = idle.pop(), left.popleft()
            calls[worker.finish.remote(run)] = worker, run
        waiting = [*calls, *(starting if left else ())]
        ready, _ = ray.wait(waiting, num_returns=1, timeout=POLL_S)
        for call in ready:
            if call in starting:
                idle.append(starting.pop(call))
                watch.add(idle[-1])
                continue
            worker, run = calls.pop(call)
            idle.append(worker)
            try:
                record = ray.get(call)
            except Exception as error:
                failed[run.name] = _cause(error)
                say(
                    f"{run.name} is not finished; received {failed[run.name]}; mend the cause, "
                    f"then run `{again}`"
                )
                continue
            done += 1
            count(done, len(plan.runs), record)
    return failed


def _cause(error: Exception) -> str:
    """What a worker raised, which Ray wraps, or what became of the worker."""
    cause = getattr(error, "cause", None)
    return told(cause if isinstance(cause, Exception) else error)
