"""Importing what networks come from: torchvision, timm, MONAI, and modules of the user."""

from importlib import import_module
from types import ModuleType

from mrimodels.errors import ModelError, told

EXTRA = "pip install 'mrisweep[networks]'"

_operators: list[object] = []  # what is declared lasts as long as its library


def imported(name: str) -> ModuleType:
    """Import a module, torchvision in it or not, whatever build of torchvision this is.

    The wheel of torchvision on PyPI is built for CUDA. Beside a torch for CPUs alone its C++
    operators do not load, and its Python files, which describe two of them to torch, end in
    "operator torchvision::nms does not exist". Networks that classify use none of these operators
    (they choose boxes). So the two are declared, without a body, and the import is done again; who
    calls one is told by torch that it is not implemented.
    """
    try:
        return import_module(name)
    except RuntimeError as error:
        if _operators or "operator torchvision::" not in str(error):
            raise
    import torch  # what fails is torchvision, which has imported it

    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's
    for operator in ("nms", "qnms"):
        schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]  # torch's
    _operators.append(library)
    return import_module(name)


def library(name: str, arch: str) -> ModuleType:
    """Import a library of networks, for the network `arch`.

    Raises:
        ModelError: It is not installed, or cannot be imported.

    """
    try:
        if name == "timm":
            imported("torchvision")  # timm imports it, too, and would fail half-way
        return imported(name)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"the arch {arch!r} needs a package that is not installed", error.name, EXTRA
        ) from error
    except Exception as error:  # it depends on the machine what an import can raise
        raise ModelError(
            f"the arch {arch!r} needs {name}, which cannot be imported",
            told(error),
            f"install the versions that go together: {EXTRA}",
        ) from error
