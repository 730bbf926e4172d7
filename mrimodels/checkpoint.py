"""Checkpoints: a spec, its weights and plain notes in one file that holds no code.

A file is `torch.save` of {"format": 1, "spec": dict, "state": {name: tensor}, "meta": dict} and is
read with `weights_only=True`, so nothing in a stranger's file is run. What its spec names is
imported and run: for the arch ``package.module:function`` that is a module of this machine. The
same content gives the same bytes under one version of torch.
"""

import io
import os
import sys
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mrimodels.classifier import Classifier, skeleton
from mrimodels.errors import ModelError, told
from mrimodels.files import read_bytes, require_plain_archive
from mrimodels.spec import ModelSpec

FORMAT = 1
DEEP = 50  # more levels than any notes have


def save(
    path: str | os.PathLike[str],
    model: nn.Module,
    spec: ModelSpec,
    meta: Mapping[str, object] | None = None,
) -> None:
    """Write `model`, a network of `spec` on any device, to `path`, whole or not at all.

    Args:
        path: File to make or replace; its folder must exist.
        model: What `build(spec)` returned, trained or not.
        spec: The model's spec.
        meta: Notes, as str, int, float, bool, None, and lists and dicts of them.

    Raises:
        ModelError: The weights do not fit the spec, `meta` has other values, or there is no folder.

    """
    state = {sys.intern(name): _canonical(tensor) for name, tensor in model.state_dict().items()}
    _require_fit(state, spec, "the model", "give the spec it was built with, in float32")
    content = {
        "format": FORMAT,
        "spec": _plain(asdict(spec), "spec"),
        "state": state,
        "meta": _plain(dict(meta or {}), "meta"),
    }
    # Through memory, because torch.save writes the name of a file it opens into that file.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    _replace(Path(path), buffer.getbuffer())


class Checkpoint(NamedTuple):
    """What a file holds: the network in eval mode, its spec, the notes that `save` was given."""

    model: Classifier
    spec: ModelSpec
    meta: dict[str, Any]


def load(
    path: str | os.PathLike[str], device: str | torch.device = "cpu"
) -> tuple[Classifier, ModelSpec]:
    """Return the network in eval mode on `device`, and its spec, from a file of `save`.

    Raises:
        ModelError: See `load_checkpoint`.

    """
    model, spec, _ = load_checkpoint(path, device)
    return model, spec


def load_checkpoint(
    path: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    expected: ModelSpec | None = None,
) -> Checkpoint:
    """Return all that a file of `save` holds, reading it once; the network is on `device`.

    Args:
        path: The file.
        device: Where the network goes.
        expected: The spec that it has to be of, before anything is made of it; None: any.

    Raises:
        ModelError: No such file, not a checkpoint, damaged, of another format, at odds with its
            own spec, or of another than that which is expected.

    """
    content = _read(path)
    if expected is not None and not content["spec"].items() <= asdict(expected).items():
        raise ModelError(
            f"the checkpoint is of another network than {expected}",
            f"{content['spec']} in {path}",
            "take that of the network",
        )
    spec = _spec(content["spec"], content["state"], path)
    remedy = "write the checkpoint again with mrimodels.save"
    _require_fit(content["state"], spec, f"the checkpoint {path}", remedy)
    model = skeleton(spec)
    # A network of another package may share parameters, which assigned ones would no longer be.
    model.load_state_dict(content["state"], assign=not spec.is_foreign)
    return Checkpoint(model.to(device).eval(), spec, content["meta"])


def load_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the notes that `save` was given, {} if none; raises `ModelError` as `load` does."""
    meta: dict[str, Any] = _read(path)["meta"]
    return meta


def _canonical(tensor: Tensor) -> Tensor:
    # A copy, so that the file holds this tensor alone and not the storage it is a view of.
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _plain(value: object, where: str) -> object:
    """Copy `value`, made of plain values; exact types, as the loader knows no others.

    Strings are interned: pickle writes a repeated object as a reference and an equal one in full,
    so that otherwise equal content could give different bytes.
    """
    if type(value) is str:
        return sys.intern(value)
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is list:
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if type(value) is dict and all(type(key) is str for key in value):
        return {sys.intern(key): _plain(v, f"{where}[{key!r}]") for key, v in value.items()}
    raise ModelError(
        f"{where} is not a str, int, float, bool, None, list, or dict with str keys",
        f"{type(value).__name__} {value!r:.80}",
        "convert it to one of these first",
    )


def _replace(path: Path, data: memoryview) -> None:
    if not path.parent.is_dir():
        raise ModelError(
            "the folder for the checkpoint does not exist", path, f"create {path.parent} first"
        )
    if path.exists() and not path.is_file():  # a rename would take the place of a device as well
        raise ModelError(
            "what is there is no regular file", path, "choose another path for the checkpoint"
        )
    # Host and process say whether it is still written, should anybody find it.
    own = f"{zlib.crc32(gethostname().encode()):08x}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    beside = path.with_name(f".{path.name[:100]}.{own}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    if not isinstance(path, str | os.PathLike):
        raise ModelError("a checkpoint is named by its path", f"{path!r:.200}", "give a path")
    content = _unpack(path)
    if not isinstance(content, dict) or "format" not in content:
        raise _not_a_checkpoint(path, "no format number in it")
    if content["format"] != FORMAT:
        raise ModelError(
            f"the checkpoint is not of format {FORMAT}, which this version reads",
            f"format {content['format']!r} in {path}",
            "use the mrimodels version that wrote it",
        )
    if not all(isinstance(content.get(part), dict) for part in ("spec", "state", "meta")):
        raise _not_a_checkpoint(path, "spec, state or meta is missing")
    if not (_is_plain(content["spec"]) and _is_plain(content["meta"])):
        raise _not_a_checkpoint(path, "spec or meta has other values")
    return content


def _is_plain(value: object) -> bool:
    """Whether a value could be one of `_plain`; a pickle may share and nest without end."""
    seen: set[int] = set()
    level: list[object] = [value]
    for _ in range(DEEP):
        inner: list[object] = []
        for one in level:
            if type(one) is dict or type(one) is list:
                if id(one) not in seen:
                    seen.add(id(one))
                    inner += [*one.keys(), *one.values()] if isinstance(one, dict) else one
            elif one is not None and type(one) not in (str, bool, int, float):
                return False
        if not inner:
            return True
        level = inner
    return False


def _unpack(path: str | os.PathLike[str]) -> object:
    try:
        data = read_bytes(path)
    except (OSError, ValueError) as error:  # the second is of a NUL in the path
        raise ModelError(
            "the checkpoint is not a readable file",
            f"{path} ({type(error).__name__}: {getattr(error, 'strerror', error)})",
            "give a path that mrimodels.save wrote",
        ) from error
    try:
        require_plain_archive(data)
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can make a reader raise anything
        raise _not_a_checkpoint(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    # Not torch's own text, which proposes to switch weights_only off.
    return str(error) if isinstance(error, zipfile.BadZipFile) else type(error).__name__


def _not_a_checkpoint(path: str | os.PathLike[str], reason: str) -> ModelError:
    return ModelError(
        "the checkpoint is not an undamaged file of mrimodels.save, "
        "with plain values and tensors only",
        f"{path} ({reason})",
        "copy the file again, or save the model again",
    )


def _spec(fields: dict[str, Any], state: dict[str, Any], path: str | os.PathLike[str]) -> ModelSpec:
    remedy = "use the mrimodels version that wrote it"
    elements = sum(value.numel() for value in state.values() if isinstance(value, Tensor))
    # Before a network is made of it, which may take more memory than there is.
    large = [one for one in fields.values() if type(one) is int and one > max(elements, 256)]
    if large:
        raise ModelError(
            "the spec of the checkpoint is of a larger network than its tensors are",
            f"{large[0]} with {elements} numbers in {path}",
            remedy,
        )
    try:
        spec = ModelSpec(**fields)
        _kinds(spec)
    except ModelError:
        raise
    except Exception as error:  # fields of any kind, of which anything may be made
        raise ModelError(
            "the spec of the checkpoint does not have the fields of ModelSpec",
            f"{fields} in {path} ({told(error)})",
            remedy,
        ) from error
    return spec


def _require_fit(state: dict[str, Any], spec: ModelSpec, what: str, remedy: str) -> None:
    expected = _kinds(spec)
    received = {name: f"{_kind(value)}{_odd(value)}" for name, value in state.items()}
    names = sorted(expected.keys() | received.keys(), key=str)
    wrong = [name for name in names if expected.get(name) != received.get(name)]
    if wrong:
        first = wrong[0]
        raise ModelError(
            f"{what} does not hold the tensors of {spec}: {len(wrong)} differ, first {first}, "
            f"expected {expected.get(first, 'none')}",
            received.get(first, "none"),
            remedy,
        )


@lru_cache(maxsize=16)
def _kinds(spec: ModelSpec) -> Mapping[str, str]:
    """What every tensor of the network is; kept, as each epoch of a trial asks for it."""
    return {name: _kind(tensor) for name, tensor in skeleton(spec).state_dict().items()}


def _odd(value: object) -> str:
    """What no tensor is that was saved: without values, sparse, or of a class of its own."""
    if not isinstance(value, Tensor):
        return ""
    plain = type(value) is Tensor and value.layout == torch.strided and value.device.type == "cpu"
    return "" if plain else f", {type(value).__name__}, {value.layout}, on {value.device}"


def _kind(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{value.dtype} {tuple(value.shape)}"
