"""Pretrained weights: a file of tensors by name, into a network as its library makes it."""

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any

import torch
from torch import Tensor, nn

from mrimodels.errors import ModelError
from mrimodels.files import read_bytes, require_plain_archive
from mrimodels.foreign.channels import first_convolution
from mrimodels.libraries import EXTRA, imported

_INSIDE = ("state_dict", "model")
_PARALLEL = "module."
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


@dataclass(frozen=True)
class Weights:
    """A file of pretrained weights.

    Attributes:
        path: A state dict of torch (``.pt``, ``.pth``, or any other name), or ``.safetensors``.
        digest: What `digest_of` has to say of it; None: anything.

    """

    path: str
    digest: str | None = None

    def read(self) -> dict[str, Tensor]:
        """The tensors by name; no code of the file is run.

        A state dict may lie under ``state_dict`` or ``model``, its names may begin with
        ``module.``, which DataParallel puts there.

        Raises:
            ModelError: No such file, another digest, or no tensors by name in it.

        """
        data = _bytes(self.path)
        if self.digest not in (None, sha256(data).hexdigest()):
            raise ModelError(
                f"the file of weights is not the one with the digest {self.digest}",
                f"{sha256(data).hexdigest()} in {self.path}",
                "put that file back, or begin anew with this one",
            )
        try:
            content = _unpacked(self.path, data)
        except ModelError:
            raise
        except Exception as error:  # damaged bytes can make a reader raise anything
            raise self._not_weights(type(error).__name__) from error
        for key in _INSIDE:
            if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
                content = content[key]
        if not isinstance(content, Mapping):
            raise self._not_weights(type(content).__name__)
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if not tensors:
            raise self._not_weights("no tensors in it")
        if any(v.layout != torch.strided or v.device.type != "cpu" for v in tensors.values()):
            raise self._not_weights("tensors that are sparse, or without values")
        if all(name.startswith(_PARALLEL) for name in tensors):
            tensors = {name.removeprefix(_PARALLEL): v for name, v in tensors.items()}
        return tensors

    def _not_weights(self, reason: str) -> ModelError:
        return ModelError(
            "the file of weights does not hold tensors by name alone",
            f"{self.path} ({reason})",
            "save the state_dict() of a network: torch.save(model.state_dict(), path)",
        )


def digest_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        ModelError: No such file.

    """
    return sha256(_bytes(path)).hexdigest()


@dataclass(frozen=True)
class Loaded:
    """What became of a file of weights.

    Attributes:
        path: The file.
        taken: Names of the network that have their tensor from it.
        left: Names of the network that have not, the last layer's among them.
        unused: Names in the file that the network has no use for.
        void: Norms, by path, whose trained parameters and statistics were taken and went with them
            as they were replaced.

    """

    path: str
    taken: tuple[str, ...]
    left: tuple[str, ...]
    unused: tuple[str, ...]
    void: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people."""
        total = len(self.taken) + len(self.left)
        lines = [f"{len(self.taken)} of {total} tensors from {self.path}"]
        lines += [f"not in the file, or of another shape: {_some(self.left)}"] if self.left else []
        lines += [f"in the file alone: {_some(self.unused)}"] if self.unused else []
        if self.void:
            lines.append(
                f"warning: the trained parameters and statistics of {len(self.void)} norms that "
                "were replaced are lost, so what follows them gets other inputs than in its "
                "training"
            )
        return lines


@torch.no_grad()
def load_into(model: nn.Module, weights: Weights) -> Loaded:
    """Give a network all tensors of the file that have a name and a shape of its own.

    A first convolution that takes one channel where the file's takes several gets their sum.

    Raises:
        ModelError: The file cannot be read, or nothing in it fits.

    """
    own = model.state_dict()
    given = {_renamed(name, own): tensor for name, tensor in weights.read().items()}
    first = first_convolution(model)
    if first is not None and (name := f"{first[0]}.weight") in given and name in own:
        wide, narrow = given[name], own[name]
        if narrow.ndim == wide.ndim == 4 and narrow.shape[1] == 1 < wide.shape[1]:
            given[name] = wide.sum(1, keepdim=True)
    fit = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    if not fit:
        raise ModelError(
            "no tensor in the file of weights has a name and a shape of the network's",
            f"{weights.path} with {_some(tuple(given))}; the network has {_some(tuple(own))}",
            "give the weights of this very arch",
        )
    model.load_state_dict(fit, strict=False)
    return Loaded(
        path=weights.path,
        taken=tuple(name for name in own if name in fit),
        left=tuple(name for name in own if name not in fit),
        unused=tuple(name for name in given if name not in fit),
    )


def _renamed(name: str, own: Mapping[str, Tensor]) -> str:
    """The name of today where torchvision's files for DenseNets have that of long ago."""
    today = _OLD_DENSENET.sub(r"\1\2", name)
    return today if today in own else name


def _bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        return read_bytes(path)
    except (OSError, ValueError) as error:  # the second is of a NUL in the path
        raise ModelError(
            "the file of weights cannot be read",
            f"{path} ({type(error).__name__}: {getattr(error, 'strerror', error)})",
            "correct the path; nothing is downloaded",
        ) from error


def _unpacked(path: str, data: bytes) -> Any:
    if not path.endswith(".safetensors"):
        if zipfile.is_zipfile(BytesIO(data)):  # older files are none
            require_plain_archive(data)
        return torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    try:
        reader = imported("safetensors.torch")
    except ModuleNotFoundError as error:
        raise ModelError(
            "a file of weights needs a package that is not installed", error.name, EXTRA
        ) from error
    return reader.load(data)


def _some(names: tuple[str, ...], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
