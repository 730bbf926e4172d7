"""The best checkpoint of a trial as a logged model, made once and linked to its run."""

import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mlflow.entities import LoggedModel, LoggedModelOutput

import mrimodels
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.mirrors import fetched
from sweep.core.records import TrialRecord
from sweep.learn.checkpoints import CheckpointInfo
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.model_content import SMALL, note, write_content
from sweep.results.mlflow.names import EPOCH, Tag
from sweep.results.mlflow.server import Experiment
from sweep.store import Store

UNNAMEABLE: Final = re.compile(r"""[/:.%"']""")  # what MLflow takes in no name of a model


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
    logged = ready[0] if ready else _written(experiment, run, folder, config, trial, half)
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
    folder: SweepFolder,
    config: SweepConfig,
    trial: TrialRecord,
    half: Sequence[LoggedModel],
) -> LoggedModel | None:
    """The checkpoint as a model, in the place of one that is half there; None: it cannot be read.

    That is the trial's loss, and no other's.
    """
    client = experiment.client
    checkpoint = folder.checkpoint(trial.trial, int(trial.best_epoch or 0))
    try:
        network, spec = mrimodels.load(fetched(checkpoint))
        info = CheckpointInfo.read(checkpoint)
    except (mrimodels.ModelError, UserError):
        experiment.tag(run, {Tag.MODEL: "none, as the checkpoint is gone or cannot be read"})
        return None
    with tempfile.TemporaryDirectory() as scratch:
        content = Path(scratch) / "model"
        how = write_content(content, network, spec, info, _size(config), checkpoint)
        name = UNNAMEABLE.sub("_", f"{folder.path.name}-{trial.trial}-{trial.norm}")
        tags = {Tag.TRIAL: trial.trial, Tag.FORMAT: how, Tag.NOTE: note(info)}
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


def _size(config: SweepConfig) -> tuple[int, int]:
    """The size of the sweep's slices; where its store is not at hand, a small one."""
    with suppress(UserError, OSError):
        height, width = Store.open(Path(config.data.store)).images.shape[1:]
        return int(height), int(width)
    return SMALL
