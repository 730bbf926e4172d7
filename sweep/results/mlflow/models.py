"""The best checkpoint of a trial as a logged model."""

import tempfile
from pathlib import Path

import mlflow
from mlflow.entities import LoggedModelOutput

import mrimodels
from sweep.core.mirrors import fetched
from sweep.core.records import TrialRecord
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.names import EPOCH, Tag
from sweep.results.mlflow.server import Experiment


def log_model(experiment: Experiment, run: str, folder: SweepFolder, trial: TrialRecord) -> None:
    """Log the best epoch's checkpoint, once; nothing of a trial without one."""
    client, query = experiment.client, f"source_run_id = '{run}'"
    known = client.search_logged_models([experiment.id], query)
    if trial.best_epoch is None or any(str(model.status) == "READY" for model in known):
        return
    checkpoint = fetched(folder.checkpoint(trial.trial, trial.best_epoch))
    model, spec = mrimodels.load(checkpoint)
    ours = "mrisweep[networks]" if spec.is_foreign else "mrisweep"
    logged = client.create_logged_model(
        experiment.id,
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
        client.log_model_artifacts(logged.model_id, content)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run, [LoggedModelOutput(logged.model_id, trial.best_epoch)])
