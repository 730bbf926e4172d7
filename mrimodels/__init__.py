"""Image classifiers that differ by their normalisation layers and by nothing else.

A `ModelSpec` says what a network is, `build` makes it with keyed first weights, `save` and `load`
keep it in a file without code. `ARCHS`, `NORMS` and `HEADS` are the tables of what there is.
"""

from mrimodels.archs import ARCHS
from mrimodels.checkpoint import Checkpoint, load, load_checkpoint, load_meta, save
from mrimodels.classifier import Classifier, build
from mrimodels.dropout import KeyedDropout, key_dropout
from mrimodels.errors import ModelError
from mrimodels.heads import HEADS
from mrimodels.norms import NORMS, Norm, group_count
from mrimodels.spec import ModelSpec

__all__ = [
    "ARCHS",
    "HEADS",
    "NORMS",
    "Checkpoint",
    "Classifier",
    "KeyedDropout",
    "ModelError",
    "ModelSpec",
    "Norm",
    "build",
    "group_count",
    "key_dropout",
    "load",
    "load_checkpoint",
    "load_meta",
    "save",
]
