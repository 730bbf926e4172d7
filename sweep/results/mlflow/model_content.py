"""What a logged model is made of: its graph, which runs no code as it is loaded.

It takes images as the user has them and gives the probability of each label; the checkpoint itself
lies beside it. A network that torch cannot export is pickled.
"""

import shutil
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from mrimodels import Classifier, ModelSpec
from sweep.learn.agreement import agree
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.scaled import GIVEN, Probabilities, channels_text, scaling_text

GRAPH, PICKLE = "pt2", "pickle"
SMALL = (96, 80)  # no size alike, so that none is taken for another


def write_content(
    content: Path,
    network: Classifier,
    spec: ModelSpec,
    info: CheckpointInfo,
    size: tuple[int, int],
    checkpoint: Path,
) -> str:
    """Write MLflow's folder of a model.

    Args:
        content: The folder; it is not there yet.
        network: What is in the checkpoint.
        spec: What that is made of.
        info: What the checkpoint says of itself.
        size: Of the images that it was trained on.
        checkpoint: Its file.

    Returns:
        How it is written, ``GRAPH`` or ``PICKLE``.

    """
    data = info.config.data
    model = Probabilities(network.eval(), data.normalize, _is_exclusive(info)).eval()
    # Requirements are given: MLflow would otherwise import the model in a new process to find
    # them, which takes longer than many a trial.
    needed = [_pinned("torch"), _pinned("numpy")]
    described: dict[str, Any] = {
        "extra_files": [str(checkpoint)],
        "signature": _signature(info),
        "metadata": {**_said(info), "labels": list(info.labels), "task": info.task},
    }
    with warnings.catch_warnings(action="ignore"):
        # A network may take one size alone: that of its slices.
        for height, width in dict.fromkeys((SMALL, size)):
            example = np.zeros((2, data.channels, height, width), np.float32)
            with suppress(Exception):  # of what torch cannot export, of many types
                mlflow.pytorch.save_model(
                    model,
                    str(content),
                    serialization_format=GRAPH,
                    input_example=example,
                    pip_requirements=needed,
                    **described,
                )
                graph = mlflow.pytorch.load_model(str(content))
                if agree(graph, model, data.channels, size):
                    return GRAPH
            shutil.rmtree(content, ignore_errors=True)
        mlflow.pytorch.save_model(
            model,
            str(content),
            serialization_format=PICKLE,
            pip_requirements=[_pinned("mrisweep", "networks" if spec.is_foreign else ""), *needed],
            **described,
        )
    return PICKLE


def note(info: CheckpointInfo) -> str:
    """What the page of a model says: what it takes and gives."""
    return "\n".join(f"- **{name}**: {text}" for name, text in _said(info).items())


def _pinned(package: str, extra: str = "") -> str:
    """The requirement of the version that is installed, for whatever kind of device."""
    extras = f"[{extra}]" if extra else ""
    return f"{package}{extras}=={version(package).partition('+')[0]}"


def _is_exclusive(info: CheckpointInfo) -> bool:
    """Whether an image shows one label alone."""
    return info.task == "multiclass"


def _said(info: CheckpointInfo) -> dict[str, str]:
    data, count = info.config.data, len(info.labels)
    how = "which add up to 1" if _is_exclusive(info) else "each by itself"
    return {
        "input": f"float32 (N, {data.channels}, H, W): {GIVEN[data.signal]}{channels_text(data)}",
        "output": f"float32 (N, {count}): the probabilities of {', '.join(info.labels)}, in this "
        f"order, {how}",
        "scaling": scaling_text(data, "model"),
    }


def _signature(info: CheckpointInfo) -> ModelSignature:
    """Any number of images of any size, to probabilities.

    The input has no name: MLflow would take a dictionary with that name alone, and then refuse it.
    """
    float32 = np.dtype("float32")
    images = TensorSpec(float32, (-1, info.config.data.channels, -1, -1))
    named = f"probabilities of {', '.join(info.labels)}"
    return ModelSignature(
        Schema([images]), Schema([TensorSpec(float32, (-1, len(info.labels)), named)])
    )
