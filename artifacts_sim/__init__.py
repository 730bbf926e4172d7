"""MR artifacts: keyed draws, one physical severity knob each, images or k-space, CPU or GPU.

    art = artifacts_sim.get("motion")
    params = art.sample(level=3, keys=["patient-17/slice-4"], seed=0)
    y = art.apply(x, params)  # x: (1, H, W) magnitude or complex image -> y: (1, H, W) magnitude

`sample` holds all the randomness and `apply` all the work. Params are plain numbers: they pass
through JSON, processes and devices, and replay the same pixels. The same key and seed draw the
same whatever the order, the batch or the worker, and the same at every severity.

Measured data go in as `KSpace(samples, Geometry(...))`, (B, [coil,] RO, PE), and come out as a
magnitude (`apply`) or as k-space (`corrupt`). Several artifacts at once are a `Shift`, or
drawn for each slice by `Several`; a pipeline takes a `Transform`, a module that needs no keys.

Conventions: RO = readout, PE = phase encode = last axis; an image is (B, H, W) with W = PE unless
its geometry says H. Spectra are centred, DC at N // 2, and orthonormal. Nothing here needs
anything but torch and numpy.

How it is built: an `Artifact` draws numbers (`draw`) and makes an `Operator` of them (`operator`);
operators act on a `Signal`, which changes its domain only when one asks; `pipeline` is the one
way through the scanner for images, k-space and chains.

To add an artifact, write one file with a subclass of `Artifact` (formula, source, knob with its
unit) and add it to `catalogue.py`. The conformance kit, `tests/artifacts_sim/test_conformance.py`
and `test_domains.py`, then holds it to the contract; `mrisweep calibrate` gives it levels.
"""

import importlib
from typing import TYPE_CHECKING, Any

from artifacts_sim.catalogue import GRIDS, LEVELS, expand, families, names
from artifacts_sim.errors import ArtifactError

if TYPE_CHECKING:
    from artifacts_sim.acquisition.geometry import Geometry
    from artifacts_sim.acquisition.kspace import KSpace
    from artifacts_sim.base import Artifact
    from artifacts_sim.keyed import Names
    from artifacts_sim.levels import Grid, Knob
    from artifacts_sim.mixtures import family
    from artifacts_sim.params import Params
    from artifacts_sim.registry import drawn_by, get, named_grid, register, unregister
    from artifacts_sim.several import Several
    from artifacts_sim.shifts import Shift, ShiftParams
    from artifacts_sim.transform import Transform

__all__ = [
    "GRIDS",
    "LEVELS",
    "Artifact",
    "ArtifactError",
    "Geometry",
    "Grid",
    "KSpace",
    "Knob",
    "Names",
    "Params",
    "Several",
    "Shift",
    "ShiftParams",
    "Transform",
    "drawn_by",
    "expand",
    "families",
    "family",
    "get",
    "named_grid",
    "names",
    "register",
    "unregister",
]

# What needs torch, which takes a second to import: it is imported when it is used.
_HOMES = {
    "Artifact": "base",
    "Geometry": "acquisition.geometry",
    "Grid": "levels",
    "KSpace": "acquisition.kspace",
    "Knob": "levels",
    "Names": "keyed",
    "Params": "params",
    "Several": "several",
    "Shift": "shifts",
    "ShiftParams": "shifts",
    "Transform": "transform",
    "drawn_by": "registry",
    "family": "mixtures",
    "get": "registry",
    "named_grid": "registry",
    "register": "registry",
    "unregister": "registry",
}


def __dir__() -> list[str]:
    """The public names, imported or not yet."""
    return sorted([*globals(), *_HOMES])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found  # the next use is as fast as of any other name
    return found
