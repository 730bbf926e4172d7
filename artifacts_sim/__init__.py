"""MR artifacts: keyed draws, one physical severity knob each, images or k-space, CPU or GPU."""

from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.geometry import Geometry
from artifacts_sim.kspace import KSpace
from artifacts_sim.levels import Grid, Knob
from artifacts_sim.params import Params
from artifacts_sim.registry import drawn_by, get, names, register

__all__ = [
    "Artifact",
    "ArtifactError",
    "Geometry",
    "Grid",
    "KSpace",
    "Knob",
    "Params",
    "drawn_by",
    "get",
    "names",
    "register",
]
