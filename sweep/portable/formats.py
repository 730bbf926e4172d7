"""The formats: how a graph becomes the bytes of a file, and how the bytes are run again."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from sweep.core.errors import UserError
from sweep.portable.graph import INPUT, OUTPUT, quiet
from sweep.portable.rewrites import REWRITES

Run = Callable[[Tensor], Tensor]  # images (N, C, H, W) -> logits (N, L)
NOTES = "mrisweep.json"


@dataclass(frozen=True)
class Format:
    """One format of file.

    Attributes:
        name: What it is called.
        write: A graph and what is said of it give the content of a file.
        run: The content of a file gives what other programs will compute with it.
        needs: Packages that are no part of a plain installation.

    """

    name: str
    write: Callable[[ExportedProgram, Mapping[str, str]], bytes]
    run: Callable[[bytes], Run]
    needs: tuple[str, ...] = ()

    def check_installed(self) -> None:
        """Raise ``UserError`` unless all is there that it needs."""
        if missing := [name for name in self.needs if find_spec(name) is None]:
            raise UserError(
                f"{self.name} needs packages that are not installed",
                f"an installation without {', '.join(missing)}",
                "install them with `pip install 'mrisweep[export]'`",
            )


def _write_onnx(program: ExportedProgram, said: Mapping[str, str]) -> bytes:
    with quiet():
        made = torch.onnx.export(
            program.run_decompositions(REWRITES),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: "N", 2: "H", 3: "W"},),
            dynamo=True,
            verbose=False,
        )
    model = made.model_proto  # type: ignore[union-attr]  # None of the old exporter alone
    for key, value in said.items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def _run_onnx(content: bytes) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: images.numpy()})
        return torch.from_numpy(np.asarray(logits))

    return run


def _write_torch(program: ExportedProgram, said: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={NOTES: json.dumps(said, indent=1)})
    return buffer.getvalue()


def _run_torch(content: bytes) -> Run:
    with quiet():
        module = torch.export.load(io.BytesIO(content)).module()

    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = module(images)
        return logits

    return run


FORMATS = {
    "onnx": Format("ONNX", _write_onnx, _run_onnx, ("onnx", "onnxscript", "onnxruntime")),
    "torch": Format("torch.export", _write_torch, _run_torch),
}
