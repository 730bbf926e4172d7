"""What the work of a sweep takes on this machine, measured on some of its very configurations."""

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import mrimodels
from sweep.config.levels import shift_of
from sweep.config.search import EPOCHS, epochs_of
from sweep.config.settings import TrialConfig
from sweep.config.share import Share
from sweep.config.space import Dimension
from sweep.config.sweep import SweepConfig
from sweep.core.errors import WorkError, told
from sweep.core.failures import MEMORY, failure_of
from sweep.core.records import CLEAN
from sweep.core.text import as_written
from sweep.learn.batches import epoch_batches, steps_per_epoch
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import EpochStats, for_evaluation
from sweep.learn.ema import BATCHES
from sweep.learn.kept import GB, KeptInputs
from sweep.learn.stress import cells_of, default_device, inputs, predict
from sweep.learn.trainer import Trainer
from sweep.search.points import points
from sweep.store import Store

# Searched settings that change no time: those of the optimizer, and what is counted elsewhere.
TIMELESS = {
    EPOCHS,
    "seed",
    "train.lr",
    "train.weight_decay",
    "train.schedule",
    "train.sampler",
    "train.label_smoothing",
    "train.patience",
    "model.dropout",
    "model.norm_eps",
}
CONFIGURATIONS, LONGEST_S = 8, 12.0  # that are measured at most, and until none more is begun
WARM_UP, STEPS = 2, 3  # what is not counted, and what is, at least
ENOUGH_S, LONG_S = 0.25, 3.0  # that it is done for at least, and after which no more is begun
LOOKS, IMAGES = 32, 8  # networks that see a few images alone, and how many
SETTLED = 2  # batches by which the pass of an average over its batches is measured
STARTS_WORKER = "import sweep.cluster.tune"  # all that a worker, and the driver, import


class Taken(NamedTuple):
    """Seconds that one configuration takes.

    Attributes:
        step_s: One step of training.
        train_s: An epoch's training, with what is written at its end.
        batch_s: One batch of a stress test, its inputs kept.
        score_s: A full stress test by one evaluator, its inputs kept.

    """

    step_s: float
    train_s: float
    batch_s: float
    score_s: float

    def times(self, factor: float) -> "Taken":
        """What one takes that is so many times as slow."""
        return Taken(*(factor * seconds for seconds in self))


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        taken: Of each trial: of the measured configuration that is the most like it, times how much
            longer its own network takes for a few images.
        epochs: (trials,) how many each has if nothing stops it.
        distinct: How many configurations there are that may differ in time.
        measured: How many of them were measured.
        inputs_s: Seconds of making all inputs of a full stress test, by one evaluator.
        kept: The share of them that evaluators keep.
        longest_s: Seconds of making those of one batch, the longest.

    """

    taken: tuple[Taken, ...]
    epochs: tuple[int, ...]
    distinct: int
    measured: int
    inputs_s: float
    kept: float
    longest_s: float

    def full_s(self, one: Taken) -> float:
        """Seconds of a full stress test by one evaluator, once it keeps what it can."""
        return one.score_s + (1 - self.kept) * self.inputs_s


def measure(config: SweepConfig, store: Store) -> Measured:
    """Measure some configurations of a sweep: steps, batches of a stress test, files.

    Args:
        config: The sweep, whose levels are known.
        store: Its data.

    Raises:
        WorkError: A configuration does not fit the memory of this machine.

    """
    params = points(config.search, config.seed)
    counted = [{k: v for k, v in one.items() if k not in TIMELESS} for one in params]
    names = list(map(repr, counted))
    distinct = dict(zip(names, counted, strict=True))
    first = {name: names.index(name) for name in distinct}
    dimensions = config.search.dimensions()
    until = time.perf_counter() + LONGEST_S
    found: dict[str, Taken] = {}
    for name in _spread(distinct, dimensions, CONFIGURATIONS):
        if not found or time.perf_counter() < until:
            with _within_memory(distinct[name]):
                found[name] = _taken(config, config.trial(params[first[name]]), store)
    near = {name: _nearest(name, found, distinct, dimensions) for name in distinct}
    unlike = [name for name in distinct if name not in found][:LOOKS]
    looked = {
        name: _look_seconds(config.trial(params[first[name]]), store, config.cluster.evaluator)
        for name in (*found, *unlike)
        if unlike
    }
    like = {
        name: found[other].times(looked[name] / looked[other] if name in looked else 1.0)
        for name, other in near.items()
    }
    inputs_s, longest_s = _inputs_seconds(config, store)
    return Measured(
        taken=tuple(like[name] for name in names),
        epochs=tuple(epochs_of(one, config.train.epochs) for one in params),
        distinct=len(distinct),
        measured=len(found),
        inputs_s=inputs_s,
        kept=_kept_share(config, store),
        longest_s=longest_s,
    )


@contextmanager
def _within_memory(params: Mapping[str, Any]) -> Iterator[None]:
    """While a configuration is measured: what it lacks of memory is said of it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if failure_of(error).kind not in MEMORY:
            raise
        values = ", ".join(f"{name} {as_written(value)}" for name, value in params.items())
        raise WorkError(
            "a configuration of the search does not fit the memory of this machine",
            f"{values or 'the one there is'} ({told(error)})",
            "lower model.width or train.batch_size in it, or check it on a larger machine",
        ) from error


def _spread(
    values: Mapping[str, Mapping[str, Any]], dimensions: Mapping[str, Dimension], most: int
) -> list[str]:
    """Names of some that lie far from each other: the first, then each time the farthest."""
    chosen = [next(iter(values))]
    while len(chosen) < min(most, len(values)):
        far = {name: _least_apart(name, chosen, values, dimensions) for name in values}
        chosen.append(max(far, key=far.__getitem__))
    return chosen


def _least_apart(
    name: str,
    others: Iterable[str],
    values: Mapping[str, Mapping[str, Any]],
    dimensions: Mapping[str, Dimension],
) -> float:
    return min(_apart(values[name], values[other], dimensions) for other in others)


def _nearest(
    name: str,
    among: Iterable[str],
    values: Mapping[str, Mapping[str, Any]],
    dimensions: Mapping[str, Dimension],
) -> str:
    return min(among, key=lambda other: _apart(values[name], values[other], dimensions))


def _apart(
    one: Mapping[str, Any], other: Mapping[str, Any], dimensions: Mapping[str, Dimension]
) -> float:
    """How much two configurations differ, each setting by 0 to 1."""
    names = one.keys() | other.keys()
    return sum(_gap(one.get(name), other.get(name), dimensions[name]) for name in names)


def _gap(one: Any, other: Any, dimension: Dimension) -> float:
    """Of numbers in the ratio of their distance to that of the ends; of all else 1."""
    if one == other:
        return 0.0
    ends = [value for value in dimension.values if type(value) in (int, float)]
    if len(ends) < len(dimension.values) or not {type(one), type(other)} <= {int, float}:
        return 1.0
    return float(abs(one - other) / (max(ends) - min(ends)))


def _taken(config: SweepConfig, trial: TrialConfig, store: Store) -> Taken:
    cluster = config.cluster
    trainer = Trainer(trial, store, _device_of(cluster.trial))
    torch.set_num_threads(cluster.trial.threads)
    step_s = _step_seconds(trainer)
    steps = steps_per_epoch(len(trainer.indices), trial.train)
    train_s = steps * step_s + _settle_seconds(trainer) + _save_seconds(trainer)
    torch.set_num_threads(cluster.evaluator.threads)
    batch, batches = _stress_batch(trial, store)
    batch_s = _forward_seconds(trainer, batch, _device_of(cluster.evaluator))
    return Taken(step_s, train_s, batch_s, batch_s * batches * len(cells_of(trial.stress)))


def _device_of(share: Share) -> torch.device:
    return default_device() if share.gpu else torch.device("cpu")


def _stress_batch(trial: TrialConfig, store: Store) -> tuple[NDArray[np.intp], float]:
    """The first batch of a stress test, and how many such there are in a cell."""
    indices = store.indices(trial.data.validation)
    batch = indices[: trial.stress.batch_size]
    return batch, len(indices) / len(batch)


def _seconds(work: Callable[[], object]) -> float:
    """Of doing something once, on average, when it has been done before."""
    for _ in range(WARM_UP):
        started = time.perf_counter()
        work()
        if time.perf_counter() - started > ENOUGH_S:
            break  # of what takes so long the first time is hardly longer than the next
    done, passed, started = 0, 0.0, time.perf_counter()
    while (done < STEPS and passed < LONG_S) or passed < ENOUGH_S:
        work()
        done += 1
        passed = time.perf_counter() - started
    return passed / done


def train_a_step(trainer: Trainer) -> None:
    """Train on the first batch, and wait until it is done."""
    trainer.begin(1)
    _step(trainer, next(_batches(trainer)))


def _step(trainer: Trainer, rows: NDArray[np.int64]) -> None:
    """Train on one batch, after ``begin``, and wait until it is done."""
    float(trainer.step(trainer.load(rows), 1, trainer.config.train.lr))


def _batches(trainer: Trainer) -> Iterator[NDArray[np.int64]]:
    """Those of the first epoch."""
    settings, seed = trainer.config.train, trainer.config.seed
    return epoch_batches(trainer.store, trainer.indices, settings, seed, 1)


def _step_seconds(trainer: Trainer) -> float:
    rows = cycle(_batches(trainer))
    trainer.begin(1)
    return _seconds(lambda: _step(trainer, next(rows)))


def _settle_seconds(trainer: Trainer) -> float:
    """What an average of weights does at the end of an epoch."""
    average = trainer.average
    if average is None:
        return 0.0
    rows = next(_batches(trainer))
    batches = (trainer.augmentation.inputs(trainer.load(rows), 1) for _ in range(SETTLED))
    started = time.perf_counter()
    average.settle(trainer.model, batches)
    return (time.perf_counter() - started) * BATCHES / SETTLED


def _save_seconds(trainer: Trainer) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        files = CheckpointFolder(Path(scratch))
        started = time.perf_counter()
        trainer.save(files, 1, EpochStats(0.5, 100.0))
        return time.perf_counter() - started


def _forward_seconds(trainer: Trainer, batch: NDArray[np.intp], device: torch.device) -> float:
    trial = trainer.config
    model = for_evaluation(trainer.model.to(device), trainer.spec)
    kept = KeptInputs.of_share(1.0, 1, device)

    def score() -> None:
        predict(model, trainer.store, batch, CLEAN, trial.data, trial.stress, device, kept)

    return _seconds(score)


def _look_seconds(trial: TrialConfig, store: Store, share: Share) -> float:
    """Of a pass of a few images, which says how networks compare and takes no training."""
    device = _device_of(share)
    torch.set_num_threads(share.threads)
    spec = trial.spec(n_outputs=len(store.label_names))
    model = for_evaluation(mrimodels.build(spec, trial.seed).to(device), spec)
    images = torch.zeros(IMAGES, spec.in_channels, *store.images.shape[1:], device=device)
    each = []
    with torch.inference_mode():
        for _ in range(STEPS):
            started = time.perf_counter()
            float(model(images)[0, 0])
            each.append(time.perf_counter() - started)
    return min(each)


def _inputs_seconds(config: SweepConfig, store: Store) -> tuple[float, float]:
    """Of making the inputs of all cells, from one batch of each; and of the longest batch."""
    trial, device = config.trial({}), _device_of(config.cluster.evaluator)
    batch, batches = _stress_batch(trial, store)
    torch.set_num_threads(config.cluster.evaluator.threads)

    def make(shift: Any) -> float:
        started = time.perf_counter()
        for made in inputs(store, [batch], shift, trial.data, trial.stress.seed, device):
            float(made[0, 0, 0, 0])  # a GPU has done its work once something of it is asked for
        return time.perf_counter() - started

    shifts = [shift_of(trial.stress, cell) for cell in cells_of(trial.stress)]
    make(shifts[0])
    each = [make(shift) for shift in shifts]
    return sum(each) * batches, max(each)


def _kept_share(config: SweepConfig, store: Store) -> float:
    """How much of all inputs evaluators keep, each those of its own cells."""
    slices = len(store.indices(config.data.validation))
    size = slices * math.prod(store.images.shape[1:]) * np.dtype(np.float32).itemsize
    size *= len(cells_of(config.stress))
    return min(1.0, config.cluster.evaluators * config.cluster.evaluator_cache_gb * GB / size)


def start_seconds() -> float:
    """Until a new process has imported what a worker needs."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", STARTS_WORKER], capture_output=True, check=False)
    return time.perf_counter() - started
