"""Every artifact by name."""

import difflib
from dataclasses import fields, replace
from typing import Any

from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError
from artifacts_sim.kinds.anisotropy import Anisotropy
from artifacts_sim.kinds.bias import Bias
from artifacts_sim.kinds.blur import Blur
from artifacts_sim.kinds.contrast import Contrast
from artifacts_sim.kinds.elastic import Elastic
from artifacts_sim.kinds.fat_shift import FatShift
from artifacts_sim.kinds.ghosting import Ghosting
from artifacts_sim.kinds.gibbs import Gibbs
from artifacts_sim.kinds.motion import Motion
from artifacts_sim.kinds.nyquist_ghost import NyquistGhost
from artifacts_sim.kinds.partial_fourier import PartialFourier
from artifacts_sim.kinds.rician import Rician
from artifacts_sim.kinds.spike import Spike
from artifacts_sim.kinds.undersampling import Undersampling
from artifacts_sim.kinds.wrap import Wrap
from artifacts_sim.kinds.zipper import Zipper
from artifacts_sim.levels import Grid, resolve_grid
from artifacts_sim.params import Params

_artifacts: dict[str, Artifact] = {}


def register(artifact: Artifact) -> None:
    """Make an artifact known under its name, with its default options.

    Raises:
        ArtifactError: the name is taken.

    """
    if artifact.name in _artifacts:
        raise ArtifactError(
            f"an artifact's name is unique: received {artifact.name!r} again, from "
            f"{type(artifact).__name__}; give it another name"
        )
    _artifacts[artifact.name] = artifact


def names() -> tuple[str, ...]:
    """Return the known artifacts, in the order of registration."""
    return tuple(_artifacts)


def get(name: str, **options: Any) -> Artifact:
    """Return the artifact of this name; by default, of its default kind.

    Args:
        name: one of `names()`.
        options: what kind of it: the fields of its class.

    Raises:
        ArtifactError: it is unknown; the message names the nearest and lists the known. Or an
            option is unknown, or has a value that the artifact refuses.

    """
    if name not in _artifacts:
        raise ArtifactError(
            f"artifacts are asked for by name: received {name!r}; {_nearest(name, names())}"
        )
    artifact = _artifacts[name]
    known = [field.name for field in fields(artifact)]
    for option in options:
        if option not in known:
            raise ArtifactError(
                f"{name} takes the options it has: received {option!r}; {_nearest(option, known)}"
            )
    return replace(artifact, **options)


def named_grid(grid: Grid | str) -> Grid:
    """A grid of all known artifacts: one that ships by its name, or as it is.

    Raises:
        ArtifactError: Another name.

    """
    return resolve_grid(grid, {name: get(name).knob for name in names()})


def drawn_by(params: Params) -> Artifact:
    """Return the artifact that drew these parameters, options and all."""
    return get(params.name, **params.options)


def _nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known) or 'none'}"


for _artifact in (
    Rician(),
    Motion(),
    Ghosting(),
    Spike(),
    Bias(),
    NyquistGhost(),
    Gibbs(),
    Undersampling(),
    PartialFourier(),
    Zipper(),
    Elastic(),
    Anisotropy(),
    Blur(),
    Contrast(),
    FatShift(),
    Wrap(),
):
    register(_artifact)
