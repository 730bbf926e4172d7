"""Whether two sweeps with the same trials came to the same: what a disturbance must not change."""

from collections.abc import Iterator, Mapping
from typing import Any

from sweep.core.files import is_left
from sweep.results.folder import SweepFolder
from sweep.search.study import Study
from tests.support.sweeps import Sweep
from tests.support.tracked import contents, differing

# What each run of Tune has of its own, what was in the way of trials, a cache.
OWN = ("tune/", "errors/", "summary.parquet")


def table(sweep: Sweep) -> list[dict[str, Any]]:
    """Every trial and epoch with its scores; where a checkpoint lies is another place each time."""
    folder = SweepFolder.open(sweep.folder)
    return [
        {
            "trial": (trial.trial, trial.params, trial.status, trial.best_epoch, trial.metrics),
            "epochs": [
                (one.epoch, one.train_loss, one.metrics) for one in folder.epochs(trial.trial)
            ],
            "intervals": trial.intervals,
        }
        for trial in folder.trials()
    ]


def states(sweep: Sweep) -> list[tuple[Any, ...]]:
    """What Optuna's studies say of every trial."""
    folder = SweepFolder.open(sweep.folder)
    config = folder.config()
    study = Study(folder.journal, config.name, config.search, config.seed)
    return [
        (one.state.name, one.values, dict(one.intermediate_values), one.params)
        for one in study.trials()
    ]


def files(sweep: Sweep) -> list[str]:
    """The files of a sweep's folder."""
    found = (path for path in sweep.folder.rglob("*") if path.is_file() or path.is_symlink())
    names = (path.relative_to(sweep.folder).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith(OWN))


def torn(sweep: Sweep) -> list[str]:
    """The temporary files that writers which are dead have left."""
    return [str(path) for path in sweep.folder.rglob(".*") if is_left(path)]


def unlike(one: Sweep, other: Sweep, experiment: str | None = "tiny") -> list[str]:
    """What two sweeps with the same trials differ in, a line each; empty: in nothing.

    Args:
        one: The first.
        other: The second, in which nothing half done may be left either.
        experiment: Theirs in MLflow; None: they have none.

    """
    lines = []
    for what, read in (("trial", table), ("study", states)):
        mine, theirs = (dict(enumerate(read(sweep))) for sweep in (one, other))
        lines += [f"{what} {text}" for text in _apart(mine, theirs)]
    lines += [f"file {name}" for name in sorted({*files(one)} ^ {*files(other)})]
    if experiment is not None:
        told = [contents(sweep.uri, experiment) for sweep in (one, other)]
        lines += [f"MLflow {text}" for text in differing(*told, of_one_sweep=False)]
    return lines + [f"left over {name}" for name in torn(other)]


def _apart(one: Mapping[int, Any], other: Mapping[int, Any]) -> Iterator[str]:
    """As text, in which a missing score is what another is."""
    for place in sorted({*one, *other}):
        mine, theirs = (repr(of.get(place)) for of in (one, other))
        if mine != theirs:
            yield f"{place}: {mine} and {theirs}"
