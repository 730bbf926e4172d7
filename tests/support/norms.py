"""What each row of the table of norms promises; the kit of tests holds the layers to it."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Promise:
    """A row.

    Attributes:
        a_channel: Parameters of a layer for each channel.
        a_layer: Parameters of a layer besides.
        a_branch: Parameters of a residual branch besides.
        sees_batch: Whether a sample's output in training depends on the others of its batch; eval
            mode uses running statistics then, and is the same function as training otherwise.
        grouped: Whether the setting of groups changes it.

    """

    a_channel: int = 2
    a_layer: int = 0
    a_branch: int = 0
    sees_batch: bool = False
    grouped: bool = False


PROMISES = {
    "batch": Promise(sees_batch=True),
    "group": Promise(grouped=True),
    "layer": Promise(),
    "instance": Promise(),
    "layer2d": Promise(),
    "rms2d": Promise(),
    "frn": Promise(a_channel=3),
    "evonorm_s0": Promise(a_channel=3, grouped=True),
    "ws_group": Promise(grouped=True),
    "batch_renorm": Promise(sees_batch=True),
    "switchable": Promise(a_layer=6, sees_batch=True),
    "none": Promise(a_channel=1, a_branch=1),
}

STARTS = {
    "weight": 1,
    "bias": 0,
    "tau": 0,
    "v": 1,
    "mean_weight": 1,
    "var_weight": 1,
    "running_mean": 0,
    "running_var": 1,
    "num_batches_tracked": 0,
}
"""What every parameter and buffer of a layer is at the start, by its name."""


def norm_layers(model: nn.Module) -> list[nn.Module]:
    """The layers in the places of norms, in order."""
    return [
        module
        for name, module in model.named_modules()
        if name.rpartition(".")[2].startswith("norm")
    ]
