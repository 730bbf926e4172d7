"""MLflow, the mirror of a sweep's folder. The only importer of ``mlflow``.

Everything written here can be written again and changes nothing: runs are found by tag before
they are made, and metrics carry the time of their evaluation, so that MLflow stores each once.
"""

import json
import logging
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before mlflow chooses a window system

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.entities import LoggedModelOutput, Metric, Param, Run, RunTag

import mrimodels
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, EpochRecord, TrialRecord
from sweep.results.figures import macro_by_cell, severity_curves
from sweep.results.folder import SweepFolder

PAGE = 1000
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
        "by `best/robust/auroc_cvar`. Metrics without that prefix are the course over epochs; "
        "`stress/<artifact>/auroc` has the level as step, 0 = clean."
    ),
}
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def resolve_uri(uri: str, folder: Path) -> str:
    """The tracking URI of a sweep: ``sqlite`` is a database beside the sweep's folder."""
    return f"sqlite:///{folder.parent / 'mlflow.db'}" if uri == "sqlite" else uri


class Tracker:
    """Writes one sweep to a tracking server.

    Args:
        folder: of the sweep.
        config: as resolved.

    Raises:
        mlflow.exceptions.MlflowException: the server cannot be used, here and in each method.

    """

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self.folder = folder
        self.config = config
        self.uri = resolve_uri(config.tracking.uri, folder.path)
        self.client = mlflow.MlflowClient(tracking_uri=self.uri)
        self.experiment = self._experiment()
        self.parent = self._parent()
        self.runs: dict[str, str] = {}

    def epoch(self, trial: TrialRecord, record: EpochRecord) -> None:
        """Log one reported epoch of a trial in one call."""
        values = {
            **record.metrics,
            "train/loss": record.train_loss,
            "train/images_per_s": record.images_per_s,
        }
        if record.epoch == trial.best_epoch:
            values |= {"best/epoch": record.epoch}
            values |= {f"best/{name}": value for name, value in record.metrics.items()}
        # The pages that compare runs show the first metric: let it be the one that decides.
        objective = f"best/{self.config.search.objective}"
        values = {name: values[name] for name in sorted(values, key=lambda n: n != objective)}
        metrics = _metrics(values, record.evaluated_at_ms, record.epoch)
        self.client.log_batch(self._run(trial), metrics=metrics)

    def ended(self, trial: TrialRecord) -> None:
        """Log what is known once a trial has ended: intervals, severity curves, its best model."""
        run = self._run(trial)
        if trial.best_epoch is not None:
            best = self.folder.epoch(trial.trial, trial.best_epoch)
            self.client.log_batch(run, metrics=[*_curve(best), *_intervals(trial, best)])
            title = f"{trial.trial} ({trial.norm}), epoch {best.epoch}"
            self.client.log_figure(run, severity_curves(best.scores, title), "severity.png")
            self._log_model(run, trial)
        tags = {"status": trial.status, **({"error": trial.error} if trial.error else {})}
        self.client.log_batch(run, tags=_tags(tags))
        self.client.set_terminated(run, RUN_STATUS[trial.status], trial.ended_at_ms)

    def sweep_ended(self, finished: bool) -> None:
        """Close the parent run: all trials done, or interrupted."""
        times = [trial.ended_at_ms or trial.started_at_ms for trial in self.folder.trials()]
        end = max([*times, self.folder.identity.started_at_ms])
        self.client.set_terminated(self.parent, "FINISHED" if finished else "KILLED", end)

    def interrupted(self, trial: TrialRecord) -> None:
        """Mark a trial that a resume will continue."""
        epochs = self.folder.epochs(trial.trial)
        end = epochs[-1].evaluated_at_ms if epochs else trial.started_at_ms
        self.client.set_terminated(self._run(trial), "KILLED", end)

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
            "mlflow.runName": self.folder.path.name,
            "role": "sweep",
            "sweep_id": identity.sweep_id,
            "code_version": identity.code_version,
            "data_fingerprint": self.config.data.fingerprint or "",
            "folder": str(self.folder.path),
            "objective": self.config.search.objective,
        }
        run = self._find(f"tags.sweep_id = '{identity.sweep_id}' and tags.role = 'sweep'")
        if run is None:
            created = self.client.create_run(
                self.experiment, start_time=identity.started_at_ms, tags=tags
            )
            self.client.log_text(created.info.run_id, self.config.to_yaml(), "sweep.yaml")
            return str(created.info.run_id)
        return self._reopened(run)

    def _run(self, trial: TrialRecord) -> str:
        if trial.trial not in self.runs:
            query = f"tags.sweep_id = '{self.folder.identity.sweep_id}' and "
            found = self._find(f"{query}tags.trial = '{trial.trial}'")
            self.runs[trial.trial] = (
                self._create(trial) if found is None else self._reopened(found, trial)
            )
        return self.runs[trial.trial]

    def _create(self, trial: TrialRecord) -> str:
        identity, config = self.folder.identity, self.config.fixed(trial.params)
        tags = {
            "mlflow.parentRunId": self.parent,
            "mlflow.runName": f"{trial.trial}-{trial.norm}",
            "role": "trial",
            "sweep_id": identity.sweep_id,
            "trial": trial.trial,
            "norm": trial.norm,
            "arch": config.model.arch,
            "seed": str(trial.seed),
            "data_fingerprint": config.data.fingerprint or "",
            "code_version": identity.code_version,
            "status": "running",
            "folder": str(self.folder.path),
        }
        run = self.client.create_run(self.experiment, start_time=trial.started_at_ms, tags=tags)
        params = [Param(name, as_param(value)) for name, value in trial.params.items()]
        self.client.log_batch(run.info.run_id, params=params)
        self.client.log_text(run.info.run_id, config.to_yaml(), "config.yaml")
        return str(run.info.run_id)

    def _reopened(self, run: Run, trial: TrialRecord | None = None) -> str:
        """A run that an interruption closed goes on; one that ended stays as it is."""
        if run.info.status == "KILLED" and (trial is None or trial.status == "running"):
            self.client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def _find(self, query: str) -> Run | None:
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
        model, _ = mrimodels.load(checkpoint)
        logged = self.client.create_logged_model(
            self.experiment,
            name=f"{trial.trial}-{trial.norm}",
            source_run_id=run,
            tags={"trial": trial.trial, "epoch": str(trial.best_epoch)},
        )
        with tempfile.TemporaryDirectory() as scratch:
            content = str(Path(scratch) / "model")
            # Requirements are given: MLflow would otherwise import the model in a new process to
            # find them, which takes longer than many a trial.
            mlflow.pytorch.save_model(
                model,
                content,
                serialization_format="pickle",
                pip_requirements=["mrisweep", "torch"],
                extra_files=[str(checkpoint)],
            )
            self.client.log_model_artifacts(logged.model_id, content)
        self.client.finalize_logged_model(logged.model_id, "READY")
        self.client.log_outputs(run, [LoggedModelOutput(logged.model_id, trial.best_epoch)])


def as_param(value: Any) -> str:
    """A parameter as MLflow's text: JSON, but a text stands for itself."""
    return value if isinstance(value, str) else json.dumps(value)


def from_param(text: str) -> Any:
    """Back from ``as_param``."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def trial_runs(uri: str, experiment: str) -> Iterator[Mapping[str, Any]]:
    """All trials of an experiment, page by page: ``params``, ``tags``, ``metrics`` (last values).

    Raises:
        UserError: no such experiment, or no server there.

    """
    client = mlflow.MlflowClient(tracking_uri=uri)
    try:
        found = client.get_experiment_by_name(experiment)
    except mlflow.exceptions.MlflowException as error:
        raise UserError(f"the tracking server {uri!r} does not answer: {error}") from None
    if found is None:
        names = ", ".join(sorted(item.name for item in client.search_experiments()))
        raise UserError(f"no experiment {experiment!r} on {uri}; there are: {names}")
    token: str | None = None
    while True:
        page = client.search_runs(
            [found.experiment_id], "tags.role = 'trial'", max_results=PAGE, page_token=token
        )
        for run in page:
            yield {"params": run.data.params, "tags": run.data.tags, "metrics": run.data.metrics}
        token = page.token
        if not token:
            return


def _metrics(values: Mapping[str, float], at_ms: int, step: int) -> list[Metric]:
    # A missing value is not logged: MLflow would chart NaN, and sort it above every score.
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    return [Metric(name, float(value), at_ms, step) for name, value in finite.items()]


def _curve(best: EpochRecord) -> list[Metric]:
    """The severity curve of each artifact: step = level, the clean score at 0."""
    macro = macro_by_cell(best.scores)
    artifacts = {cell.artifact for cell in macro if cell != CLEAN}
    at = best.evaluated_at_ms
    points = [
        *((name, 0, macro[CLEAN]) for name in sorted(artifacts)),
        *((cell.artifact, cell.level, value) for cell, value in macro.items() if cell != CLEAN),
    ]
    return [
        metric
        for name, level, value in points
        for metric in _metrics({f"stress/{name}/auroc": value}, at, level)
    ]


def _intervals(trial: TrialRecord, best: EpochRecord) -> list[Metric]:
    ends = {
        f"interval/{name}/{end}": value
        for name, pair in trial.intervals.items()
        for end, value in zip(("low", "high"), pair, strict=True)
    }
    return _metrics(ends, best.evaluated_at_ms, best.epoch)


def _tags(values: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in values.items()]
