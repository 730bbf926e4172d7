"""Image classifiers that differ by their normalisation layers and by nothing else.

A `ModelSpec` says what a network is, `build` makes it with keyed first weights, `save` and `load`
keep it in a file without code. `ARCHS`, `NORMS` and `HEADS` are the tables of what there is;
`foreign` has networks of other packages, whose norms `convert` replaces.
"""

from typing import TYPE_CHECKING, Any

from mrimodels.catalogue import HEADS, KEEP, TORCHVISION
from mrimodels.errors import ModelError
from mrimodels.late import imported
from mrimodels.norms.groups import group_count
from mrimodels.spec import ModelSpec

if TYPE_CHECKING:
    from mrimodels.archs import ARCHS
    from mrimodels.checkpoint import Checkpoint, load, load_checkpoint, load_meta, save
    from mrimodels.classifier import Classifier, build, skeleton
    from mrimodels.dropout import KeyedDropout, key_dropout
    from mrimodels.foreign import (
        Loaded,
        Replaced,
        Weights,
        convert,
        digest_of,
        is_norm,
        summary,
    )
    from mrimodels.norms import NORMS, Norm
    from mrimodels.norms.modes import (
        Population,
        batch_norms,
        batch_statistics,
        population_statistics,
        using_statistics,
    )
    from mrimodels.stages import first_stages

__all__ = [
    "ARCHS",
    "HEADS",
    "KEEP",
    "NORMS",
    "TORCHVISION",
    "Checkpoint",
    "Classifier",
    "KeyedDropout",
    "Loaded",
    "ModelError",
    "ModelSpec",
    "Norm",
    "Population",
    "Replaced",
    "Weights",
    "batch_norms",
    "batch_statistics",
    "build",
    "convert",
    "digest_of",
    "first_stages",
    "group_count",
    "is_norm",
    "key_dropout",
    "load",
    "load_checkpoint",
    "load_meta",
    "population_statistics",
    "save",
    "skeleton",
    "summary",
    "using_statistics",
]

# What needs torch, which takes a second to import: it is imported when it is used.
_HOMES = {
    "ARCHS": "archs",
    "Checkpoint": "checkpoint",
    "Classifier": "classifier",
    "KeyedDropout": "dropout",
    "Loaded": "foreign",
    "NORMS": "norms",
    "Norm": "norms",
    "Population": "norms.modes",
    "Replaced": "foreign",
    "Weights": "foreign",
    "batch_norms": "norms.modes",
    "batch_statistics": "norms.modes",
    "build": "classifier",
    "convert": "foreign",
    "digest_of": "foreign",
    "first_stages": "stages",
    "is_norm": "foreign",
    "key_dropout": "dropout",
    "load": "checkpoint",
    "load_checkpoint": "checkpoint",
    "load_meta": "checkpoint",
    "population_statistics": "norms.modes",
    "save": "checkpoint",
    "skeleton": "classifier",
    "summary": "foreign",
    "using_statistics": "norms.modes",
}


def __dir__() -> list[str]:
    """The public names, imported or not yet."""
    return sorted([*globals(), *_HOMES])


def __getattr__(name: str) -> Any:
    return imported(__name__, _HOMES, name)
