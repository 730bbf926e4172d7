"""What is exported: a network after its input scaling, for any count and size of images."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import torch
from torch.export import Dim, ExportedProgram

from sweep.core.errors import WorkError, told
from sweep.learn.checkpoints import CheckpointInfo, LoadedCheckpoint
from sweep.learn.scaled import GIVEN, ScaledClassifier, channels_text, scaling_text

INPUT, OUTPUT = "images", "logits"
# The networks shrink an image by this and by the stride of their stem. A feature map of one pixel
# has no deviation from its mean, and a graph of open sizes takes sizes of 1 as fixed.
SHRINKS = 8
EXAMPLE = (2, 96, 80)  # no size alike, so that none is taken for another


def scaled(loaded: LoadedCheckpoint) -> ScaledClassifier:
    """What a checkpoint is to other programs, in torch."""
    return ScaledClassifier(loaded.model, loaded.info.config.data.normalize).eval()


def least_side(info: CheckpointInfo) -> int:
    """The smallest height and width that the graph of a checkpoint takes."""
    return SHRINKS * info.config.model.stem_stride + 1


def contiguous(loaded: LoadedCheckpoint) -> LoadedCheckpoint:
    """The checkpoint without the layout of evaluation, so that sums round as in other programs."""
    return loaded._replace(model=loaded.model.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]  # missing in torch's stubs


def program_of(loaded: LoadedCheckpoint) -> ExportedProgram:
    """The graph of a checkpoint on the CPU, with N, H and W open.

    Raises:
        WorkError: A layer that torch cannot export.

    """
    least = least_side(loaded.info)
    count, height, width = EXAMPLE
    channels = loaded.info.config.data.channels
    sizes = {0: Dim("N"), 2: Dim("H", min=least), 3: Dim("W", min=least)}
    try:
        with quiet():
            return torch.export.export(
                scaled(loaded),
                (torch.zeros(count, channels, height, width),),
                dynamic_shapes=(sizes,),
            )
    except Exception as error:  # what torch raises of what it cannot export is of many types
        raise WorkError(
            "torch cannot export the network",
            told(error),
            "take a checkpoint with other layers; those of this package can be exported",
        ) from error


def description(info: CheckpointInfo) -> dict[str, str]:
    """What the file says of itself, by name."""
    data, model, least = info.config.data, info.config.model, least_side(info)
    shape = f"float32 (N, {data.channels}, H, W), N of 1 or more, H and W of {least} or more"
    odds = "softmax" if info.task == "multiclass" else "sigmoid"
    return {
        "producer": f"mrisweep {version('mrisweep')}",
        "checkpoint": info.title,
        "labels": json.dumps(list(info.labels), ensure_ascii=False),
        "task": info.task,
        "input": f"{INPUT}: {shape}; {GIVEN[data.signal]}{channels_text(data)}",
        "output": f"{OUTPUT}: float32 (N, {len(info.labels)}), in the order of the labels; "
        f"their {odds} is the probability",
        "scaling": scaling_text(data, "graph"),
        "signal": data.signal,
        "arch": model.arch,
        "norm": model.norm,
        "data": info.fingerprint,
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch and its converters say of themselves to their developers."""
    level = (logger := logging.getLogger("torch.onnx")).level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
