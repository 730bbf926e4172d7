"""What the public functions refuse, each with the rule, what came, and the remedy."""

from collections.abc import Sequence

import torch
from torch import Tensor

from artifacts_sim.errors import ArtifactError
from artifacts_sim.params import Params

MAX_PIXEL = 1e15  # squares of sums of such pixels still fit float32


def check_keys(keys: Sequence[str]) -> None:
    """Check that keys are a non-empty sequence of strings.

    Raises:
        ArtifactError: a bare string, an empty sequence, or a key that is not a string.

    """
    is_list = isinstance(keys, Sequence) and not isinstance(keys, str)
    if not is_list or not keys or not all(isinstance(key, str) for key in keys):
        raise ArtifactError(
            f"keys are one string per slice, at least one: received {keys!r:.100}; "
            "pass for example keys=['patient-17/slice-4']"
        )


def check_image(x: Tensor) -> None:
    """Check that an image is (B, H, W), float32 magnitude or complex64, non-empty, finite.

    Raises:
        ArtifactError: any of these fails.

    """
    if not isinstance(x, Tensor) or x.ndim != 3 or x.numel() == 0:
        received = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ArtifactError(
            f"x is a non-empty tensor of shape (B, H, W): received {received}; "
            "add or merge axes, for example x[None] or x.flatten(0, 1)"
        )
    if x.dtype not in (torch.float32, torch.complex64):
        raise ArtifactError(
            f"x is float32 (magnitude) or complex64 (image): received {x.dtype}; "
            "convert it with x.float() or x.to(torch.complex64)"
        )
    _check_pixels(x)


def _check_pixels(x: Tensor) -> None:
    parts = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
    low, high = (float(value) for value in torch.stack(parts.aminmax()).tolist())
    floor = -MAX_PIXEL if x.is_complex() else 0.0
    if not (floor <= low and high <= MAX_PIXEL):  # false for NaN, too
        raise ArtifactError(
            f"pixels are finite, from {floor:g} to {MAX_PIXEL:g}: "
            f"received {low:g} to {high:g}; apply artifacts to magnitudes, before any "
            "standardisation, or to a complex64 image"
        )


def check_params(name: str, params: Params, batch: int) -> None:
    """Check that params belong to this artifact and to this batch.

    Raises:
        ArtifactError: they are another artifact's, or for another number of slices.

    """
    if params.name != name:
        raise ArtifactError(
            f"params go to the artifact that drew them: {name!r} received those of "
            f"{params.name!r}; use artifacts_sim.get({params.name!r})"
        )
    if len(params) != batch:
        raise ArtifactError(
            f"params hold one draw per slice: received {len(params)} for a batch of {batch}; "
            "sample with one key per slice"
        )
