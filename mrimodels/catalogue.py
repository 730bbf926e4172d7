"""What a network can be, by name: archs, norms, heads; nothing that makes one is imported.

Whoever only has to know whether a name is right asks here, and does not wait for torch. `archs`,
`norms` and `foreign` make networks of the names.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from mrimodels.errors import ModelError
from mrimodels.places import is_place
from mrimodels.plugins import Added

ARCH_NAMES = ("preact_resnet18", "preact_resnet34", "preact_resnet50")
"""Networks of this package; `archs.ARCHS` makes them."""

TORCHVISION: Mapping[str, str | None] = MappingProxyType(
    {
        "resnet18": None,
        "resnet50": None,
        "convnext_tiny": None,
        "densenet121": None,
        "efficientnet_v2_s": "dropout",
    }
)
"""Networks of torchvision -> the keyword of the dropout before the last layer, where it has one."""

NORM_NAMES = (
    "batch",
    "group",
    "layer",
    "instance",
    "layer2d",
    "rms2d",
    "frn",
    "evonorm_s0",
    "ws_group",
    "batch_renorm",
    "switchable",
    "none",
)
"""Norms of this package; `norms.NORMS` makes them, and those of other packages."""

KEEP = "keep"
"""The `norm` that leaves a network of another package as it is."""

HEADS: Mapping[str, int] = MappingProxyType({"gap": 1, "pool10": 10})
"""Name -> side of the grid of averages that is flattened into the linear layer."""

OURS_TO_CALL = "package.module:function"

ADDED_NETWORKS = Added("mrisweep.models", "network", (*ARCH_NAMES, *TORCHVISION))
"""Entry points of other packages: the name of a network, and the callable that makes it."""

ADDED_NORMS = Added("mrisweep.norms", "norm", NORM_NAMES)
"""Entry points of other packages: the name of a norm, and a `Norm` or what makes its layer of
(channels, eps)."""


def norm_names() -> tuple[str, ...]:
    """All norms: those of this package, then those that others add."""
    return (*NORM_NAMES, *ADDED_NORMS.points())


def require_arch(arch: object) -> None:
    """Raise `ModelError` unless `arch` has the form of a name; nothing is imported."""
    named = [*ARCH_NAMES, *TORCHVISION, *ADDED_NETWORKS.points()]
    if isinstance(arch, str) and (
        arch in named or arch.startswith(("timm/", "monai/")) or is_place(arch)
    ):
        return
    known = [*named, "timm/NAME", "monai/NAME", OURS_TO_CALL]
    nearest = difflib.get_close_matches(str(arch), named, n=1, cutoff=0)
    raise ModelError(
        f"arch is not one of {', '.join(known)}", repr(arch), f"did you mean {nearest[0]!r}?"
    )


def is_of_library(arch: str) -> bool:
    """Whether a network is torchvision's, timm's or MONAI's, and no code of the user's."""
    return arch in TORCHVISION or arch.startswith(("timm/", "monai/"))
