"""MR artifacts: keyed draws, one physical severity knob each, images or k-space, CPU or GPU."""

from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.families import expand, families, family
from artifacts_sim.geometry import Geometry
from artifacts_sim.kspace import KSpace
from artifacts_sim.levels import Grid, Knob, named_grid
from artifacts_sim.params import Params
from artifacts_sim.registry import drawn_by, get, names, register
from artifacts_sim.shifts import Shift, ShiftParams

__all__ = [
    "Artifact",
    "ArtifactError",
    "Geometry",
    "Grid",
    "KSpace",
    "Knob",
    "Params",
    "Shift",
    "ShiftParams",
    "drawn_by",
    "expand",
    "families",
    "family",
    "get",
    "named_grid",
    "names",
    "register",
]
