"""Image classifiers that differ by their normalisation layers and by nothing else.

A `ModelSpec` says what a network is, `build` makes it with keyed first weights, `save` and `load`
keep it in a file without code. `ARCHS`, `NORMS` and `HEADS` are the tables of what there is;
`foreign` has networks of other packages, whose norms `convert` replaces.
"""

from mrimodels.archs import ARCHS
from mrimodels.checkpoint import Checkpoint, load, load_checkpoint, load_meta, save
from mrimodels.classifier import Classifier, build, skeleton
from mrimodels.dropout import KeyedDropout, key_dropout
from mrimodels.errors import ModelError
from mrimodels.foreign import (
    TORCHVISION,
    Loaded,
    Replaced,
    Weights,
    convert,
    digest_of,
    is_norm,
    summary,
)
from mrimodels.heads import HEADS
from mrimodels.norms import NORMS, Norm, group_count
from mrimodels.norms.modes import (
    Population,
    batch_norms,
    batch_statistics,
    population_statistics,
    using_statistics,
)
from mrimodels.spec import KEEP, ModelSpec
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
