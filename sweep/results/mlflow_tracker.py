"""MLflow: the tracker that writes a sweep there, and the reader that asks for it again.

The only importer of ``mlflow``; the names of tags, metrics and parameters are written and read
here alone. Everything written can be written again and changes nothing: runs are found by tag
before they are made, and metrics carry the time of their evaluation, so that MLflow stores each
once.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")  # before mlflow chooses a window system

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# A tracker that is down is said within seconds; MLflow's own retries take minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import mlflow
from mlflow.entities import LoggedModelOutput, Metric, Param, Run, RunTag

import mrimodels
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import (
    CLEAN,
    TRAINED,
    Basis,
    Cell,
    EpochRecord,
    TrialRecord,
    of_one_fidelity,
    without_missing,
)
from sweep.metrics import metrics
from sweep.metrics.summary import macro_by_cell
from sweep.results import ranking
from sweep.results.figures import severity_curves
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Interval, Ranked
from sweep.results.trial_files import mode_to_plain

PAGE = 1000
BEST: Final = "best/"  # metrics of a trial at its best epoch
INTERVAL: Final = "interval/"  # then the name of the metric, then one of:
ENDS: Final = ("/low", "/high")
EPOCH: Final = "epoch"
SEPARATOR: Final = ", "
HYPERVOLUME: Final = "pareto/hypervolume"  # of all trials; of a norm, its name behind it


class Tag:
    """The names of the tags."""

    ROLE = "role"
    SWEEP = "sweep_id"
    TRIAL = "trial"
    NORM = "norm"
    ARCH = "arch"
    SEED = "seed"
    STATUS = "status"
    ERROR = "error"
    FOLDER = "folder"
    OBJECTIVE = "objective"
    OBJECTIVES = "objectives"
    PARETO = "pareto"
    MODE = "mode"
    COLLAPSED = "collapsed"
    BASIS = "intervals"  # what they rest on, as JSON
    DATA = "data_fingerprint"
    CODE = "code_version"
    PARENT = "mlflow.parentRunId"
    NAME = "mlflow.runName"


class Role:
    """The values of the tag ``role``."""

    SWEEP = "sweep"
    TRIAL = "trial"
    MODE = "mode"


RUN_STATUS = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "pruned": "FINISHED",  # stopped early by design; the tag `status` tells it apart
    "failed": "FAILED",
}
EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # else the pages are those for chat models
    "mlflow.note.content": (
        "A run for each sweep, its trials below it. `best/...` is a trial at its best epoch: sort "
        "by `best/` and the sweep's objective. Metrics without that prefix are the course over "
        "epochs; `stress/<artifact>/<metric>` has the level as step, 0 = clean. A run with the tag "
        "`role: mode` is the best epoch of a trial in another mode."
    ),
}
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class MLflowTracker:
    """Writes one sweep to a tracking server.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.

    Raises:
        mlflow.exceptions.MlflowException: The server cannot be used, here and in each method.

    """

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self.folder = folder
        self.config = config
        self.uri = config.tracking.server(folder.path)
        self.client = mlflow.MlflowClient(tracking_uri=self.uri)
        self.experiment = self._experiment()
        self.parent = self._parent()
        self.runs: dict[tuple[str, str], str] = {}

    def began(self, trial: TrialRecord) -> None:
        """Write the best epoch first: its metrics are then the first that MLflow's pages offer."""
        if trial.best_epoch is not None:
            self.reported(trial, self.folder.epoch(trial.trial, trial.best_epoch))

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Log one epoch of a trial in one call."""
        values = {
            **epoch.metrics,
            "train/loss": epoch.train_loss,
            "train/images_per_s": epoch.images_per_s,
        }
        # Where epochs are screened, an earlier one may turn out to be the best when the trial ends,
        # and MLflow shows a metric at its last step: `best/` is then written once, by `ended`.
        if epoch.epoch == trial.best_epoch and self.config.search.screen is None:
            values |= _best(epoch)
        self._log_values(self._run(trial), values, epoch)

    def ended(self, trial: TrialRecord) -> None:
        """Log what is known once a trial has ended: intervals, severity curves, its best model."""
        run = self._run(trial)
        if trial.best_epoch is not None:
            best = self.folder.epoch(trial.trial, trial.best_epoch)
            title = f"{trial.trial} ({trial.norm}), epoch {best.epoch}"
            if self.config.search.screen is not None:
                self._log_values(run, _best(best), best)
            self._log_details(run, best, trial.intervals, title)
            self._log_model(run, trial)
        tags = {Tag.STATUS: trial.status, **({Tag.ERROR: trial.error} if trial.error else {})}
        if trial.collapsed is not None:
            tags[Tag.COLLAPSED] = _cells_text(trial.collapsed)
        self.client.log_batch(run, tags=_tags({**tags, **_basis_tag(trial.basis)}))
        self.client.set_terminated(run, RUN_STATUS[trial.status], trial.ended_at_ms)

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        """Log a mode as a run of its own, which stands beside the trials."""
        run, row = self._run(trial, mode), trial.modes[mode]
        self._log_values(run, _best(epoch), epoch)
        title = f"{trial.trial} ({trial.norm}, {mode}), epoch {epoch.epoch}"
        self._log_details(run, epoch, row.intervals, title)
        self.client.log_dict(run, mode_to_plain(row), "mode.json")
        tags = {Tag.STATUS: trial.status, Tag.COLLAPSED: _cells_text(row.collapsed)}
        self.client.log_batch(run, tags=_tags({**tags, **_basis_tag(row.basis)}))
        self.client.set_terminated(run, "FINISHED", row.evaluated_at_ms)

    def close(self, finished: bool) -> None:
        """Close the sweep's run; of an interrupted sweep, also those of the trials that ran."""
        trials = self.folder.trials()
        if not finished:
            for trial in trials:
                if trial.status == "running":
                    epochs = self.folder.epochs(trial.trial)
                    end = epochs[-1].evaluated_at_ms if epochs else trial.started_at_ms
                    self.client.set_terminated(self._run(trial), "KILLED", end)
        times = [trial.ended_at_ms or trial.started_at_ms for trial in trials]
        end = max([*times, self.folder.identity.started_at_ms])
        if finished and self.config.search.objectives:
            self._log_front(end)
        self.client.set_terminated(self.parent, "FINISHED" if finished else "KILLED", end)

    def _log_front(self, at_ms: int) -> None:
        """How much of the square the trials cover, and which of them are the Pareto front."""
        objectives = self.config.search.objectives
        rows = [row for row in ranking.of_folder(self.folder.path) if row.mode == TRAINED]
        covered = {
            HYPERVOLUME if norm is None else f"{HYPERVOLUME}/{norm}": area
            for norm, area in ranking.hypervolumes(rows, objectives).items()
        }
        self.client.log_batch(self.parent, metrics=_metrics(covered, at_ms, 0))
        records = {record.trial: record for record in self.folder.trials()}
        for row in ranking.best(rows, objectives[0], objectives=objectives):
            rank = {Tag.PARETO: "front" if row.pareto_rank == 0 else "behind"}
            self.client.log_batch(self._run(records[row.trial]), tags=_tags(rank))

    def _log_values(self, run: str, values: Mapping[str, float], epoch: EpochRecord) -> None:
        # The pages that compare runs show the first metric: let it be one that decides.
        objective = f"{BEST}{self.config.search.maximised[0]}"
        values = {name: values[name] for name in sorted(values, key=lambda n: n != objective)}
        logged = _metrics(values, epoch.evaluated_at_ms, epoch.epoch)
        self.client.log_batch(run, metrics=logged)

    def _log_details(
        self, run: str, best: EpochRecord, intervals: Mapping[str, Interval], title: str
    ) -> None:
        """Intervals and severity curves."""
        self.client.log_batch(run, metrics=[*_curves(best), *_intervals(intervals, best)])
        if not best.scores:
            return
        figure = severity_curves(best.scores, self.config.search.objective, title)
        self.client.log_figure(run, figure, "severity.png")

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.config.name)
        if found is not None:
            return str(found.experiment_id)
        root = self.folder.path.parent / "mlartifacts"
        local = root.as_uri() if self.config.tracking.uri == "sqlite" else None
        made = self.client.create_experiment(
            self.config.name, artifact_location=local, tags=EXPERIMENT_TAGS
        )
        return str(made)

    def _parent(self) -> str:
        identity = self.folder.identity
        tags = {
            Tag.NAME: self.folder.path.name,
            Tag.ROLE: Role.SWEEP,
            Tag.SWEEP: identity.sweep_id,
            Tag.CODE: identity.code_version,
            Tag.DATA: self.config.data.fingerprint or "",
            Tag.FOLDER: str(self.folder.path),
            Tag.OBJECTIVE: self.config.search.objective,
        }
        if objectives := self.config.search.objectives:
            tags[Tag.OBJECTIVES] = SEPARATOR.join(objectives)
        run = self._find(**{Tag.SWEEP: identity.sweep_id, Tag.ROLE: Role.SWEEP})
        if run is None:
            created = self.client.create_run(
                self.experiment, start_time=identity.started_at_ms, tags=tags
            )
            self.client.log_text(created.info.run_id, self.config.to_yaml(), "sweep.yaml")
            return str(created.info.run_id)
        return self._reopened(run)

    def _run(self, trial: TrialRecord, mode: str = TRAINED) -> str:
        key = (trial.trial, mode)
        if key not in self.runs:
            found = self._find(**self._name(trial, mode))
            self.runs[key] = (
                self._create(trial, mode) if found is None else self._reopened(found, trial)
            )
        return self.runs[key]

    def _name(self, trial: TrialRecord, mode: str) -> dict[str, str]:
        """The tags that a run is found by; of a trial those from before there were modes."""
        tags = {Tag.SWEEP: self.folder.identity.sweep_id, Tag.TRIAL: trial.trial}
        if mode == TRAINED:
            return {**tags, Tag.ROLE: Role.TRIAL}
        return {**tags, Tag.ROLE: Role.MODE, Tag.MODE: mode}

    def _create(self, trial: TrialRecord, mode: str) -> str:
        identity, config = self.folder.identity, self.config.fixed(trial.params)
        row = trial.modes.get(mode)
        tags = {
            Tag.PARENT: self.parent,
            Tag.NAME: f"{trial.trial}-{trial.norm}{f'-{mode}' if row else ''}",
            Tag.MODE: mode,
            **self._name(trial, mode),
            Tag.NORM: trial.norm,
            Tag.ARCH: config.model.arch,
            Tag.SEED: str(trial.seed),
            Tag.DATA: config.data.fingerprint or "",
            Tag.CODE: identity.code_version,
            Tag.STATUS: "running",
            Tag.FOLDER: str(self.folder.path),
        }
        started = row.evaluated_at_ms if row else trial.started_at_ms
        run = self.client.create_run(self.experiment, start_time=started, tags=tags)
        params = [Param(name, _param(value)) for name, value in trial.params.items()]
        self.client.log_batch(run.info.run_id, params=params)
        self.client.log_text(run.info.run_id, config.to_yaml(), "config.yaml")
        return str(run.info.run_id)

    def _reopened(self, run: Run, trial: TrialRecord | None = None) -> str:
        """A run that an interruption closed goes on; one that ended stays as it is."""
        if run.info.status == "KILLED" and (trial is None or trial.status == "running"):
            self.client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def _find(self, **tags: str) -> Run | None:
        query = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = self.client.search_runs([self.experiment], query, max_results=1)
        return found[0] if found else None

    def _log_model(self, run: str, trial: TrialRecord) -> None:
        """The best epoch's checkpoint as a logged model, once."""
        query = f"source_run_id = '{run}'"
        ready = [
            model
            for model in self.client.search_logged_models([self.experiment], query)
            if str(model.status) == "READY"
        ]
        if ready or trial.best_epoch is None:
            return
        checkpoint = self.folder.checkpoint(trial.trial, trial.best_epoch)
        model, spec = mrimodels.load(checkpoint)
        ours = "mrisweep[networks]" if spec.is_foreign else "mrisweep"
        logged = self.client.create_logged_model(
            self.experiment,
            name=f"{trial.trial}-{trial.norm}",
            source_run_id=run,
            tags={Tag.TRIAL: trial.trial, EPOCH: str(trial.best_epoch)},
        )
        with tempfile.TemporaryDirectory() as scratch:
            content = str(Path(scratch) / "model")
            # Requirements are given: MLflow would otherwise import the model in a new process to
            # find them, which takes longer than many a trial.
            mlflow.pytorch.save_model(
                model,
                content,
                serialization_format="pickle",
                pip_requirements=[ours, "torch"],
                extra_files=[str(checkpoint)],
            )
            self.client.log_model_artifacts(logged.model_id, content)
        self.client.finalize_logged_model(logged.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(logged.model_id, trial.best_epoch)])


def read_trials(uri: str, experiment: str) -> list[Ranked]:
    """The trials of an experiment that have a best epoch, in every mode that they are scored in.

    Raises:
        UserError: No such experiment, or no server there.

    """
    runs = chain.from_iterable(_search(uri, experiment, role) for role in (Role.TRIAL, Role.MODE))
    return [_ranked(run) for run in runs if f"{BEST}{EPOCH}" in run.data.metrics]


def read_objective(uri: str, experiment: str) -> str | None:
    """The objective of the newest sweep of an experiment; None where there is no sweep.

    Raises:
        UserError: See ``read_trials``.

    """
    return _newest(uri, experiment).get(Tag.OBJECTIVE)


def read_objectives(uri: str, experiment: str) -> tuple[str, ...]:
    """The two objectives of the newest sweep of an experiment; none where it has one.

    Raises:
        UserError: See ``read_trials``.

    """
    text = _newest(uri, experiment).get(Tag.OBJECTIVES)
    return tuple(text.split(SEPARATOR)) if text else ()


def _newest(uri: str, experiment: str) -> dict[str, str]:
    """The tags of the newest sweep."""
    runs = sorted(_search(uri, experiment, Role.SWEEP), key=lambda run: run.info.start_time)
    return runs[-1].data.tags if runs else {}


def _search(uri: str, experiment: str, role: str) -> Iterator[Run]:
    """All runs of a role, page by page."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    try:
        found = client.get_experiment_by_name(experiment)
    except mlflow.exceptions.MlflowException as error:
        raise UserError(
            "the tracking server does not answer",
            f"{error} from {uri!r}",
            "correct the address, or start the server",
        ) from None
    if found is None:
        names = ", ".join(sorted(item.name for item in client.search_experiments()))
        raise UserError(
            f"there is no such experiment on {uri}",
            f"{experiment!r}",
            f"take one of {names}" if names else "run a sweep first",
        )
    token: str | None = None
    while True:
        page = client.search_runs(
            [found.experiment_id], f"tags.{Tag.ROLE} = '{role}'", max_results=PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _ranked(run: Run) -> Ranked:
    tags, values = run.data.tags, run.data.metrics
    best = _below(BEST, values)
    epoch = int(best.pop(EPOCH))
    ends = _below(INTERVAL, values)
    low, high = ENDS
    names = [name.removesuffix(low) for name in ends if name.endswith(low)]
    mode = tags.get(Tag.MODE, TRAINED)
    folder = SweepFolder(Path(tags[Tag.FOLDER]))
    return Ranked(
        trial=tags[Tag.TRIAL],
        norm=tags[Tag.NORM],
        seed=int(tags[Tag.SEED]),
        epoch=epoch,
        params={name: _from_param(text) for name, text in run.data.params.items()},
        checkpoint=str(folder.checkpoint(tags[Tag.TRIAL], epoch, mode)),
        metrics=best,
        intervals={name: (ends[f"{name}{low}"], ends[f"{name}{high}"]) for name in names},
        status=tags[Tag.STATUS],
        mode=mode,
        collapsed=_from_cells_text(tags.get(Tag.COLLAPSED)),
        basis=_from_basis_tag(tags.get(Tag.BASIS)),
    )


def _basis_tag(basis: Basis | None) -> dict[str, str]:
    return {} if basis is None else {Tag.BASIS: json.dumps(asdict(basis))}


def _from_basis_tag(text: str | None) -> Basis | None:
    return None if text is None else Basis(**json.loads(text))


def _cells_text(cells: Sequence[Cell]) -> str:
    """Cells as a tag: ``motion 5, spike 3``."""
    return ", ".join(f"{cell.artifact} {cell.level}" for cell in cells) or "none"


def _from_cells_text(text: str | None) -> tuple[Cell, ...] | None:
    """Back from ``_cells_text``; None where there is no such tag."""
    if text is None:
        return None
    pairs = [] if text == "none" else [item.rsplit(" ", 1) for item in text.split(", ")]
    return tuple(Cell(artifact, int(level)) for artifact, level in pairs)


def _best(epoch: EpochRecord) -> dict[str, float]:
    """What a run says of its best epoch."""
    metrics = of_one_fidelity(epoch.metrics)
    named = {f"{BEST}{name}": value for name, value in metrics.items()}
    return {f"{BEST}{EPOCH}": epoch.epoch, **named}


def _below(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def _param(value: Any) -> str:
    """A parameter as MLflow's text: JSON, but a text stands for itself."""
    return value if isinstance(value, str) else json.dumps(value)


def _from_param(text: str) -> Any:
    """Back from ``_param``."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _metrics(values: Mapping[str, float], at_ms: int, step: int) -> list[Metric]:
    # A missing value is not logged: MLflow would chart NaN, and sort it above every score.
    present = without_missing(values)
    return [Metric(name, float(value), at_ms, step) for name, value in present.items()]


def _curves(best: EpochRecord) -> list[Metric]:
    """The severity curves of metrics and artifacts: step = level, the clean score at 0."""
    logged = []
    for metric in (row for row in metrics().values() if row.has_curve):
        macro = macro_by_cell(best.scores, metric.name)
        if not macro:
            continue  # a package added it after the sweep was scored
        clean = macro.pop(CLEAN)
        points = [(name, 0, clean) for name in sorted({cell.artifact for cell in macro})]
        points += [(cell.artifact, cell.level, value) for cell, value in macro.items()]
        for artifact, level, value in points:
            logged += _metrics({metric.stress(artifact): value}, best.evaluated_at_ms, level)
    return logged


def _intervals(intervals: Mapping[str, Interval], best: EpochRecord) -> list[Metric]:
    ends = {
        f"{INTERVAL}{name}{end}": value
        for name, pair in intervals.items()
        for end, value in zip(ENDS, pair, strict=True)
    }
    return _metrics(ends, best.evaluated_at_ms, best.epoch)


def _tags(values: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in values.items()]
