"""MR artifacts of five kinds: keyed draws, one physical severity knob each, CPU or GPU.

    art = artifacts_sim.get("motion")
    params = art.sample(level=3, keys=["patient-17/slice-4"], seed=0)
    y = art.apply(x, params)  # x: (1, H, W) magnitude -> y: (1, H, W) magnitude

`sample` holds all the randomness and `apply` all the work. Params are plain numbers: they pass
through JSON, processes and devices, and replay the same pixels. The same key and seed draw the
same whatever the order, the batch or the worker, and the same at every severity.

Conventions: H = readout, W = phase encode = last axis; the spectrum is centred, DC at N // 2.

To add an artifact:

1. Write one file with a subclass of `Artifact`: `_draw` turns a slice's random words into named
   numbers, `_render` damages a batch with them. State the formula and its source.
2. Give its knob and five levels one row in `levels.py`.
3. Add one line to `registry.py`.

The conformance kit, `tests/artifacts_sim/test_conformance.py`, then holds it to the contract.
"""

from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.levels import LEVELS, Knob
from artifacts_sim.params import Params
from artifacts_sim.registry import get, names, register

__all__ = ["LEVELS", "Artifact", "ArtifactError", "Knob", "Params", "get", "names", "register"]
