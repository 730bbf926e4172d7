"""The best checkpoint of a trial as a logged model: its graph, which runs no code as it is loaded.

The graph takes slices as the network gets them, which is after the scaling of ``data.normalize``;
the checkpoint itself lies beside it. A network that torch cannot export is pickled.
"""

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

import mrimodels
from mrimodels import ModelSpec
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.mirrors import fetched
from sweep.core.records import TrialRecord
from sweep.learn.agreement import agree
from sweep.learn.checkpoints import CheckpointInfo
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.names import EPOCH, Tag
from sweep.results.mlflow.server import Experiment
from sweep.store import Store

GRAPH, PICKLE = "pt2", "pickle"
SMALL = (96, 80)  # no size alike, so that none is taken for another


def log_model(
    experiment: Experiment, run: str, folder: SweepFolder, config: SweepConfig, trial: TrialRecord
) -> None:
    """Log the best epoch's checkpoint, once; nothing of a trial without one.

    What a kill has left half written is written to its end, or removed.

    Args:
        experiment: Where.
        run: The id of the trial's run.
        folder: The folder of the sweep.
        config: The sweep as resolved.
        trial: One that has ended.

    """
    if trial.best_epoch is None:
        return
    client = experiment.client
    known = client.search_logged_models([experiment.id], f"source_run_id = '{run}'")
    ready = [model for model in known if str(model.status) == "READY"]
    half = [model for model in known if model not in ready]
    checkpoint = folder.checkpoint(trial.trial, trial.best_epoch)
    logged = ready[0] if ready else _written(experiment, run, checkpoint, config, trial, half)
    if logged is None:
        return
    for left in half:
        if left.model_id != logged.model_id:
            client.delete_logged_model(left.model_id)
    outputs = client.get_run(run).outputs
    links = outputs.model_outputs if outputs else []
    if logged.model_id not in {link.model_id for link in links}:
        client.log_outputs(run, [LoggedModelOutput(logged.model_id, trial.best_epoch)])


def _written(
    experiment: Experiment,
    run: str,
    checkpoint: Path,
    config: SweepConfig,
    trial: TrialRecord,
    half: Sequence[LoggedModel],
) -> LoggedModel | None:
    """The checkpoint as a model, in the place of one that is half there; None: it cannot be read.

    That is the trial's loss, and no other's.
    """
    client = experiment.client
    try:
        model, spec = mrimodels.load(fetched(checkpoint))
        info = CheckpointInfo.read(checkpoint)
    except (mrimodels.ModelError, UserError):
        experiment.tag(run, {Tag.MODEL: "none, as the checkpoint is gone or cannot be read"})
        return None
    with tempfile.TemporaryDirectory() as scratch:
        content = Path(scratch) / "model"
        how = _save(model, spec, info, content, _size(config), checkpoint)
        name, tags = f"{trial.trial}-{trial.norm}", {Tag.TRIAL: trial.trial, Tag.FORMAT: how}
        logged = (
            half[0]
            if half
            else client.create_logged_model(
                experiment.id,
                name=name,
                source_run_id=run,
                tags={**tags, EPOCH: str(trial.best_epoch)},
            )
        )
        client.log_model_artifacts(logged.model_id, str(content))
    client.finalize_logged_model(logged.model_id, "READY")
    return logged


def _save(
    model: mrimodels.Classifier,
    spec: ModelSpec,
    info: CheckpointInfo,
    content: Path,
    size: tuple[int, int],
    checkpoint: Path,
) -> str:
    """Write MLflow's folder of a model; how it is written."""
    ours = "mrisweep[networks]" if spec.is_foreign else "mrisweep"
    # Requirements are given: MLflow would otherwise import the model in a new process to find
    # them, which takes longer than many a trial.
    described: dict[str, Any] = {
        "pip_requirements": [ours, "torch"],
        "extra_files": [str(checkpoint)],
        "signature": _signature(spec),
        "metadata": {
            "labels": list(info.labels),
            "task": info.task,
            "scaling": f"{info.config.data.normalize}, of each slice, before it is given",
        },
    }
    with warnings.catch_warnings(action="ignore"):
        # A network may take one size alone: that of its slices.
        for height, width in dict.fromkeys((SMALL, size)):
            example = np.zeros((2, spec.in_channels, height, width), np.float32)
            with suppress(Exception):  # of what torch cannot export, of many types
                mlflow.pytorch.save_model(
                    model,
                    str(content),
                    serialization_format=GRAPH,
                    input_example=example,
                    **described,
                )
                graph = mlflow.pytorch.load_model(str(content))
                if agree(graph, model, spec.in_channels, size):
                    return GRAPH
            shutil.rmtree(content, ignore_errors=True)
        mlflow.pytorch.save_model(model, str(content), serialization_format=PICKLE, **described)
    return PICKLE


def _signature(spec: ModelSpec) -> ModelSignature:
    """Any number of slices of any size, to logits."""
    float32 = np.dtype("float32")
    images = TensorSpec(float32, (-1, spec.in_channels, -1, -1), "images")
    return ModelSignature(Schema([images]), Schema([TensorSpec(float32, (-1, spec.n_outputs))]))


def _size(config: SweepConfig) -> tuple[int, int]:
    """The size of the sweep's slices; where its store is not at hand, a small one."""
    with suppress(UserError, OSError):
        height, width = Store.open(Path(config.data.store)).images.shape[1:]
        return int(height), int(width)
    return SMALL
