"""What an experiment's page says and shows: a description, and views with columns and order.

MLflow's own default is the newest 100 runs without a score, below a sweep that is folded up. A view
is one that its menu *Views* offers, kept as it keeps those that a user saves: a tag of the
experiment with a filter, an order and columns (``mlflow.sharedViewState``, MLflow 3).
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sweep.config.arms import ARM
from sweep.config.sweep import SweepConfig
from sweep.core.finals import FIXED, HOLDOUT, TEST
from sweep.core.objective import leading
from sweep.metrics import metric_for
from sweep.results.mlflow.names import BEST, ENDS, EPOCH, INTERVAL, Role, Tag
from sweep.results.mlflow.server import Experiment

KIND: Final = {"mlflow.experimentKind": "custom_model_development"}  # else those for chat models
VIEW: Final = "mlflow.sharedViewState."
# What the charts of its pages begin with.
PRIMARY: Final = "mlflow.experiment.primaryMetric.name"
SWEEPS, TRIALS, FINALISTS = (f"mrisweep-{name}" for name in ("sweeps", "trials", "finalists"))
BY_NAME = f"tags.`{Tag.NAME}`"
RUN_NAME = "attributes.`Run Name`"  # as the page calls that column
MOST = 10  # searched settings in a view: a tag has 5,000 characters


def arrange(experiment: Experiment, config: SweepConfig, at_ms: int) -> None:
    """Give an experiment its views, and a description where it has none.

    Args:
        experiment: Which.
        config: The newest sweep in it: its objective orders the trials.
        at_ms: When that sweep began.

    """
    wanted = {name: json.dumps(view) for name, view in _views(config, at_ms)}
    wanted[PRIMARY] = f"{BEST}{_objective(config)}"
    described = Tag.NOTE in experiment.tags
    tags = wanted if described else {**wanted, Tag.NOTE: _description(experiment.id, config)}
    for name, text in tags.items():
        if experiment.tags.get(name) != text:
            experiment.client.set_experiment_tag(experiment.id, name, text)


def _description(experiment: str, config: SweepConfig) -> str:
    sweeps, trials, finalists = (
        f"#/experiments/{experiment}/runs?viewStateShareKey={key}&workflowType=machine_learning"
        for key in (SWEEPS, TRIALS, FINALISTS)
    )
    return (
        f"**[Sweeps]({sweeps}) · [Trials, best first]({trials}) · [Finalists]({finalists})** "
        "(also in the menu *Views* of the runs).\n\nA run for each sweep, its trials below it. "
        f"`{BEST}...` is a trial at its best epoch: sort by `{BEST}{_objective(config)}`; of a "
        "sweep it is that of its best trial so far. Parameters are all settings. "
        "Metrics without that prefix are the course over epochs; "
        "`stress/<artifact>/<metric>` has the level as step, 0 = clean. "
        "The tag `role` says what a run is: `sweep`, `trial`, `mode` (the best epoch of a trial in "
        "another mode) or `finalist` (trained again, scored at each place)."
    )


def _views(config: SweepConfig, at_ms: int) -> Sequence[tuple[str, dict[str, Any]]]:
    objective = _objective(config)
    metric = metric_for(config.search.objective)
    others = [*map(leading, config.search.maximised[1:]), metric.clean, metric.robust("mean")]
    others = [name for name in dict.fromkeys(others) if name != objective]
    settings = [name for name in config.search.space if name != "model.norm"][:MOST]
    if config.search.arms:
        settings = [ARM, *settings]
    trials = [
        _column("metrics", f"{BEST}{objective}"),
        *(_column("metrics", f"{INTERVAL}{objective}{end}") for end in ENDS),
        *(
            _column("metrics", f"{BEST}{name}")
            for name in dict.fromkeys(others)
            if name != objective
        ),
        _column("metrics", f"{BEST}{EPOCH}"),
        *(_column("params", name) for name in settings),
        *(_column("tags", name) for name in (Tag.NORM, Tag.STATUS)),
    ]
    asked = (
        metric.robust("mean"),
        metric.clean,
        FIXED.format(metric.name),
        f"{HOLDOUT}{metric.name}_mean",
    )
    external = config.finalists.external if config.finalists else ()
    places = (TEST, *(one.name for one in external))
    finalists = [
        *(_column("metrics", f"{place}/{name}") for place in places for name in asked),
        *(_column("tags", name) for name in (Tag.GROUP, Tag.TRIAL, Tag.SEED, Tag.STATUS)),
    ]
    sweeps = [
        _column("metrics", f"{BEST}{objective}"),
        *(_column("tags", name) for name in (Tag.BEST_NORM, Tag.BEST_TRIAL, Tag.TRIALS)),
        *(_column("params", name) for name in ("train.epochs", "seed")),
        *(_column("attributes", name) for name in ("Dataset", "Source")),
    ]
    return (
        (f"{VIEW}{SWEEPS}", _view("Sweeps", Role.SWEEP, sweeps, sweeps[0], at_ms)),
        (f"{VIEW}{TRIALS}", _view("Trials, best first", Role.TRIAL, trials, trials[0], at_ms)),
        (f"{VIEW}{FINALISTS}", _view("Finalists", Role.FINALIST, finalists, BY_NAME, at_ms)),
    )


def _objective(config: SweepConfig) -> str:
    """What trials are sorted by: of a weighted sum, which is no metric, its first term."""
    return leading(config.search.maximised[0])


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _width(column: str) -> int:
    """Pixels that show the whole name of a column."""
    return 7 * len(column.split("`")[1]) + 40


def _view(name: str, role: str, columns: list[str], order: str, at_ms: int) -> dict[str, Any]:
    state = {
        "searchFilter": f"tags.{Tag.ROLE} = '{role}'",
        "orderByKey": order,
        "orderByAsc": order == BY_NAME,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {RUN_NAME: 250, **{one: _width(one) for one in columns}},
    }
    return {"name": name, "createdAt": at_ms, "updatedAt": at_ms, "state": json.dumps(state)}
