"""Replays a sweep on recorded trials, with the classes that decide in a sweep, and counts passes.

``Recorded`` is what search_table.py has written of one data set. ``replayed`` plays Ray Tune: the
searcher, the study and the scheduler are those of a sweep; a trial is the nearest recorded point.
"""

import heapq
import itertools
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from sweep.cluster.pool import RemoteEvaluator
from sweep.config.search import SearchSettings
from sweep.config.settings import TrialConfig
from sweep.config.space import Dimension
from sweep.config.sweep import SweepConfig
from sweep.core.keys import generator, seed_of
from sweep.core.records import (
    Cell,
    best_epoch,
    is_missing,
    is_screened,
    scores_in,
    screened,
)
from sweep.core.screening import screened_cells
from sweep.metrics.robustness import LEAST_SCREENED
from sweep.metrics.summary import summary_of
from sweep.metrics.table import metric_of
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion

WORKERS = 2
BEHIND = RemoteEvaluator.in_flight  # epochs that train while one is scored
OBJECTIVE = SearchSettings().objective
MEMORY = Path("/dev/shm")  # a journal in memory; elsewhere it is on disk


class Passes(NamedTuple):
    """Slices that pass the network, forward or backward, in one epoch of a trial."""

    train: int
    full: int
    screened: int


@dataclass(frozen=True)
class Recorded:
    """The trials of one data set.

    Attributes:
        sweep: What was recorded.
        norms: In the order of the first axis.
        values: Setting -> (points,) what a point has.
        cells: In the order of the last axis.
        shares: Of the patients, in the order of the axis before.
        auroc: (norms, points, seeds, epochs, shares, cells) macro AUROC.
        slices: To train on, and by share to score.

    """

    sweep: SweepConfig
    norms: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    cells: tuple[Cell, ...]
    shares: tuple[float, ...]
    auroc: NDArray[np.float64]
    slices: Mapping[str, int]

    @cached_property
    def dimensions(self) -> dict[str, Dimension]:
        """What is searched beside the norm, all of it on a logarithmic scale."""
        return self.sweep.search.free()

    @property
    def points(self) -> int:
        """How many points each norm has."""
        return self.auroc.shape[1]

    @property
    def epochs(self) -> int:
        """Of each trial."""
        return self.auroc.shape[3]

    @cached_property
    def full(self) -> NDArray[np.float64]:
        """(norms, points, seeds, epochs) The objective on all patients and cells."""
        return self.objective(1.0, self.cells)

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """(norms, points) What a configuration is worth: its best epoch, the mean over seeds."""
        return self.full.max(axis=-1).mean(axis=-1)

    @property
    def ranked(self) -> list[str]:
        """The norms, that of the best configuration first."""
        return [self.norms[at] for at in np.argsort(-self.truth.max(axis=1))]

    def objective(self, share: float, cells: Sequence[Cell], least: int = 1) -> NDArray[np.float64]:
        """(norms, points, seeds, epochs) The objective on a share of the patients and cells."""
        metric = metric_of(OBJECTIVE)
        part = self.auroc[..., self.shares.index(share), :]
        macro = {cell: part[..., self.cells.index(cell)] for cell in cells}
        return summary_of(metric, macro, least)[OBJECTIVE]

    def screened(self, config: TrialConfig) -> NDArray[np.float64]:
        """The objective as the screenings of a trial have it."""
        return self.objective(config.screen.patients, self._screened_cells(config), LEAST_SCREENED)

    def passes(self, config: TrialConfig) -> Passes:
        """What an epoch of a trial costs."""
        train = 2 * self.slices["train"]
        full = self.slices["1.0"] * len(self.cells)
        if config.screen is None:
            return Passes(train, full, 0)
        slices = self.slices[str(config.screen.patients)]
        return Passes(train, full, slices * len(self._screened_cells(config)))

    def grid_passes(self) -> int:
        """Of the full grid with one seed: every norm and point, each epoch scored in full."""
        each = 2 * self.slices["train"] + self.slices["1.0"] * len(self.cells)
        return len(self.norms) * self.points * self.epochs * each

    def nearest(self, params: Mapping[str, Any]) -> int:
        """The point that is nearest to some values, on the scales that they are drawn on."""
        apart = np.zeros(self.points)
        for name, at in self.values.items():
            if name in params:
                low, high = self.dimensions[name].values
                apart += (np.log(at / params[name]) / math.log(high / low)) ** 2
        return int(apart.argmin())

    def _screened_cells(self, config: TrialConfig) -> tuple[Cell, ...]:
        return screened_cells(self.cells, config.screen.levels, config.stress.seed)


def read(path: Path) -> list[Recorded]:
    """The data sets of a table that search_table.py wrote."""
    table = pq.read_table(path)
    slices, sweeps = (json.loads(table.schema.metadata[key]) for key in (b"slices", b"sweeps"))
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return [
        _recorded(SweepConfig.from_dict(sweeps[data]), columns, counted)
        for data, counted in slices.items()
    ]


def _recorded(
    sweep: SweepConfig, columns: Mapping[str, NDArray[Any]], slices: Mapping[str, int]
) -> Recorded:
    own = {name: column[columns["data"] == sweep.name] for name, column in columns.items()}
    pairs = zip(own["artifact"], own["level"].tolist(), strict=True)
    cells = [Cell(artifact, level) for artifact, level in pairs]
    known = tuple(dict.fromkeys(cells))
    places = {cell: at for at, cell in enumerate(known)}
    axes = [np.unique(own[name], return_inverse=True) for name in ("norm", "point", "seed")]
    shares, share = np.unique(own["share"], return_inverse=True)
    at = (*(axis[1] for axis in axes), own["epoch"] - 1, share, [places[cell] for cell in cells])
    auroc = np.full([int(np.max(one)) + 1 for one in at], np.nan)
    auroc[at] = own["auroc"]
    _, first = np.unique(own["point"], return_index=True)
    return Recorded(
        sweep=sweep,
        norms=tuple(axes[0][0].tolist()),
        values={name: own[name][first] for name in sweep.search.free()},
        cells=known,
        shares=tuple(shares.tolist()),
        auroc=auroc,
        slices=slices,
    )


class Setting(NamedTuple):
    """What the trials of a method's replays share.

    Attributes:
        recorded: The trials that there are.
        sweep: The sweep, but for its number of trials.
        trial: The settings of any one of its trials.
        passes: Of one epoch.
        full: (norms, points, seeds, epochs) the objective in a full test.
        screened: The same in a screening; None: there is none.

    """

    recorded: Recorded
    sweep: SweepConfig
    trial: TrialConfig
    passes: Passes
    full: NDArray[np.float64]
    screened: NDArray[np.float64] | None

    @classmethod
    def of(cls, recorded: Recorded, search: Mapping[str, Any]) -> "Setting":
        """That of the recorded sweep with another search, checked as a user's is."""
        sweep = recorded.sweep.replace({"search": {"space": recorded.sweep.search.space, **search}})
        trial = sweep.trial({"model.norm": recorded.norms[0]})
        values = recorded.screened(trial) if trial.screen else None
        return cls(recorded, sweep, trial, recorded.passes(trial), recorded.full, values)

    def search(self, each: int) -> SearchSettings:
        """With so many trials of each norm."""
        return replace(self.sweep.search, trials=each * len(self.recorded.norms))


@dataclass
class Trial:
    """A trial of a replay, an epoch at a time, as ``learn.fit.Run`` has it.

    Its seed is drawn by key, for nobody tunes it.

    Attributes:
        setting: What it shares with others.
        key: Of its seed, beside its number.
        suggestion: Its searched values.
        history: Epoch -> scores.
        trained: How many epochs it has trained.
        passes: What it has cost.
        over: Whether it ran to its end.

    """

    setting: Setting
    key: int
    suggestion: Suggestion
    history: dict[int, dict[str, float]] = field(default_factory=dict)
    trained: int = 0
    passes: int = 0
    over: bool = False

    @property
    def name(self) -> str:
        """Of the trial in the sweep."""
        return self.suggestion.trial

    @property
    def norm(self) -> str:
        """Of its network."""
        return str(self.suggestion.params["model.norm"])

    @cached_property
    def place(self) -> tuple[int, int, int]:
        """Where its scores are: norm, point, seed."""
        recorded, number = self.setting.recorded, self.suggestion.number
        norm, point = recorded.norms.index(self.norm), recorded.nearest(self.suggestion.params)
        seeds = recorded.auroc.shape[2]
        seed = generator(self.key, "replayed seed", number).integers(seeds)
        return norm, point, int(seed)

    @property
    def truth(self) -> float:
        """What its configuration is worth."""
        return float(self.setting.recorded.truth[self.place[:2]])

    def step(self, behind: int) -> dict[str, Any]:
        """Report the next epoch, as ``cluster.trial.SweepTrial`` does.

        Args:
            behind: How many epochs are trained further by then.

        """
        config, passes = self.setting.trial, self.setting.passes
        epoch, last = len(self.history) + 1, self.setting.trial.train.epochs
        trained, self.trained = self.trained, min(epoch + behind, last)
        self.passes += passes.train * (self.trained - trained)
        self.history[epoch] = self._scores(epoch, full=config.in_full(epoch))
        self.passes += passes.full if config.in_full(epoch) else passes.screened
        self.over = epoch == last
        if self.over:
            self._complete()
        return {"epoch": epoch, "done": self.over, OBJECTIVE: math.nan, **self.history[epoch]}

    def _scores(self, epoch: int, *, full: bool) -> dict[str, float]:
        scores = {OBJECTIVE: float(self.setting.full[(*self.place, epoch - 1)])} if full else {}
        if self.setting.screened is not None:
            value = float(self.setting.screened[(*self.place, epoch - 1)])
            scores[screened(OBJECTIVE)] = value
        return scores

    def _complete(self) -> None:
        """Score in full the epoch that leads by its screenings; the last is already."""
        common = ((at, self.setting.trial.common(one)) for at, one in self.history.items())
        leading = best_epoch(common, OBJECTIVE)[0]
        if OBJECTIVE not in self.history[leading]:
            self.history[leading] = self._scores(leading, full=True)
            self.passes += self.setting.passes.full

    def best(self) -> dict[str, float]:
        """The scores of its best epoch; empty where there is none."""
        best = best_epoch(self.history.items(), OBJECTIVE)
        return self.history[best[0]] if best else {}


def replayed(
    setting: Setting, each: int, seed: int, *, workers: int = WORKERS, behind: int = BEHIND
) -> list[Trial]:
    """A whole sweep.

    A trial reports when the passes since its last report are through, so a cheap epoch is reported
    earlier; of two at a time, the one that began first.

    Args:
        setting: The sweep, and what its trials score.
        each: Trials of each norm.
        seed: The key of what is drawn.
        workers: Trials at a time.
        behind: Epochs that a trial trains ahead of its report.

    """
    search, epochs = setting.search(each), setting.sweep.train.epochs
    waits_after = search.waits_after(epochs)
    trials: dict[str, Trial] = {}
    scheduler = StratifiedScheduler.of(search, epochs)
    with _journal() as path:
        searcher = StudySearcher(
            Study(path, setting.sweep.name, search, seed_of("replay", seed), epochs),
            OBJECTIVE,
            search.total,
            scheduler,
            lambda trial: trials[trial].best(),
            Fidelity(search, epochs),
        )
        running: list[tuple[int, int, str, str, dict[str, Any]]] = []
        handed_out = itertools.count()

        def go_on(name: str, trial: Trial, now: int) -> None:
            before = trial.passes
            result = trial.step(0 if len(trial.history) + 1 == waits_after else behind)
            at = now + trial.passes - before
            heapq.heappush(running, (at, trial.suggestion.number, name, trial.name, result))

        def begin(now: int) -> None:
            while len(running) < workers:
                name = f"tune-{next(handed_out)}"
                config = searcher.suggest(name)
                if config is None or config == Searcher.FINISHED:
                    return
                suggestion = Suggestion.from_tune(config)
                trial = trials.setdefault(suggestion.trial, Trial(setting, seed, suggestion))
                go_on(name, trial, now)

        begin(0)
        while running:
            now, _, name, trial, result = heapq.heappop(running)
            if result["done"] or not _goes_on(scheduler, trials[trial], result):
                searcher.on_trial_complete(name, result)
            else:
                searcher.on_trial_result(name, result)
                go_on(name, trials[trial], now)
            begin(now)
    return list(trials.values())


@contextmanager
def _journal() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder) / "journal"


def _goes_on(
    scheduler: StratifiedScheduler | None, trial: Trial, result: Mapping[str, Any]
) -> bool:
    if scheduler is None:
        return True
    decision = scheduler.observe(trial.suggestion, result["epoch"], result)
    return decision == TrialScheduler.CONTINUE


def chosen(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Of each norm the trial that was seen to be best, as `mrisweep best` ranks them."""
    best: dict[str, tuple[tuple[bool, float], Trial]] = {}
    for trial in trials:
        seen = seen_of(trial)
        if trial.norm not in best or seen > best[trial.norm][0]:
            best[trial.norm] = seen, trial
    return {norm: trial for norm, (_, trial) in best.items()}


def seen_of(trial: Trial) -> tuple[bool, float]:
    """What a trial is ranked by: full tests before screenings, then the objective."""
    metrics = trial.best()
    value = scores_in(metrics).get(OBJECTIVE, math.nan)
    return not is_screened(metrics), -math.inf if is_missing(value) else value
