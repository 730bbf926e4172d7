"""Every artifact by name."""

import difflib
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from artifacts_sim.base import Artifact
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.kinds.anisotropy import Anisotropy
from artifacts_sim.kinds.b0_distortion import B0Distortion
from artifacts_sim.kinds.bias import Bias
from artifacts_sim.kinds.blur import Blur
from artifacts_sim.kinds.contrast import Contrast
from artifacts_sim.kinds.elastic import Elastic
from artifacts_sim.kinds.fat_shift import FatShift
from artifacts_sim.kinds.ghosting import Ghosting
from artifacts_sim.kinds.gibbs import Gibbs
from artifacts_sim.kinds.low_field import LowField
from artifacts_sim.kinds.metal import Metal
from artifacts_sim.kinds.motion import Motion
from artifacts_sim.kinds.noncentral_chi import NoncentralChi
from artifacts_sim.kinds.nyquist_ghost import NyquistGhost
from artifacts_sim.kinds.partial_fourier import PartialFourier
from artifacts_sim.kinds.receive import Receive
from artifacts_sim.kinds.rician import Rician
from artifacts_sim.kinds.sense import Sense
from artifacts_sim.kinds.spike import Spike
from artifacts_sim.kinds.tissue_contrast import TissueContrast
from artifacts_sim.kinds.tone_curve import ToneCurve
from artifacts_sim.kinds.undersampling import Undersampling
from artifacts_sim.kinds.wrap import Wrap
from artifacts_sim.kinds.zipper import Zipper
from artifacts_sim.levels import Grid, resolve_grid
from artifacts_sim.params import Params, checked_params
from artifacts_sim.values import check_kind

GROUP = "mrisweep.artifacts"
"""Entry points of other packages: the name of an artifact, and its class or an instance."""

_artifacts: dict[str, Artifact] = {}


def register(artifact: Artifact) -> None:
    """Make an artifact known under its name, with its default options.

    Raises:
        ArtifactError: It is no artifact, or the name is taken.

    """
    check_kind(
        artifact,
        Artifact,
        "what is registered is not an artifact",
        "pass an instance of a subclass of artifacts_sim.Artifact",
    )
    if artifact.name in _artifacts:
        raise ArtifactError(
            "there is an artifact of this name already",
            f"{artifact.name!r} again, from {type(artifact).__name__}",
            "give it another name",
        )
    _artifacts[artifact.name] = artifact


def unregister(name: str) -> None:
    """Forget an artifact that was registered; one that is not known stays so.

    Raises:
        ArtifactError: The name is not text.

    """
    _check_name(name)
    _artifacts.pop(name, None)


def names() -> tuple[str, ...]:
    """Return the known artifacts: in the order of registration, then those of other packages.

    Raises:
        ArtifactError: A package adds an artifact under the name of one that ships, or two add one
            under the same name.

    """
    return (*_artifacts, *(name for name in _added() if name not in _artifacts))


def _added() -> dict[str, EntryPoint]:
    """What other packages add; nothing of it is imported."""
    found: dict[str, EntryPoint] = {}
    for point in _points(tuple(sys.path)):
        if point.name in _SHIPPED or found.setdefault(point.name, point).value != point.value:
            raise ArtifactError(
                f"the artifact {point.name!r} of {_package(point)} has a name that is taken",
                point.value,
                "rename it there, or uninstall that package",
            )
    return found


@cache
def _points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages on this path; finding them takes 20 ms."""
    return tuple(entry_points(group=GROUP))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an installed package"


def _loaded(point: EntryPoint) -> Artifact:
    """Import an artifact of another package, and register it."""
    name, package = point.name, _package(point)
    try:
        found = point.load()
        artifact = found() if isinstance(found, type) else found
    except Exception as error:  # the code of another package can raise anything
        raise ArtifactError(
            f"the artifact {name!r} of {package} cannot be imported",
            f"{type(error).__name__}: {error} from {point.value}",
            "mend or uninstall that package",
        ) from error
    if not isinstance(artifact, Artifact) or artifact.name != name:
        raise ArtifactError(
            f"the entry point {name!r} of {package} is not an artifact of that name",
            f"{found!r} from {point.value}",
            "mend or uninstall that package",
        )
    register(artifact)
    return artifact


def get(name: str, /, **options: Any) -> Artifact:
    """Return the artifact of this name; by default, of its default kind.

    Args:
        name: One of `names()`.
        options: What kind of it: the fields of its class.

    Raises:
        ArtifactError: It is unknown; the message names the nearest and lists the known. Or an
            option is unknown, or has a value that the artifact refuses.

    """
    return _with(name, options)


def _with(name: str, options: Mapping[str, Any]) -> Artifact:
    _check_name(name)
    artifact = _artifacts[name] if name in _artifacts else _found(name)
    known = [field.name for field in fields(artifact)]
    for option in options:
        if option not in known:
            raise ArtifactError(f"{name} has no such option", repr(option), _nearest(option, known))
    return replace(artifact, **options)


def _found(name: str) -> Artifact:
    """Look for an artifact in other packages, which costs a look at all that are installed."""
    added = _added()
    if name not in added:
        raise ArtifactError("there is no such artifact", repr(name), _nearest(name, names()))
    return _loaded(added[name])


def named_grid(grid: Grid | str) -> Grid:
    """A grid of all known artifacts: one that ships by its name, or as it is.

    Raises:
        ArtifactError: Another name; or, for the grid of physical values, which asks every artifact
            for its own, a package whose artifact cannot be imported.

    """
    asked = names() if isinstance(grid, str) and grid == "physical" else ()
    return resolve_grid(grid, {name: get(name).knob for name in asked})


def drawn_by(params: Params) -> Artifact:
    """Return the artifact that drew these parameters, options and all.

    Raises:
        ArtifactError: They are no params, or of an artifact or with options that are unknown.

    """
    params = checked_params(params)
    return recorded(params.name, params.options)


def recorded(name: Any, options: Any) -> Artifact:
    """Return the artifact of a record.

    Raises:
        ArtifactError: The artifact or an option is unknown, or the options are not under names.

    """
    if not isinstance(options, Mapping) or not all(isinstance(one, str) for one in options):
        raise ArtifactError(
            "the options of an artifact are not under names",
            shown(options),
            "pass what `to_dict` gave",
        )
    return _with(name, options)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise ArtifactError(
            "the name of an artifact is not text", shown(name), _nearest("", names())
        )


def _nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    if not known:
        return "leave it out"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


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
    Receive(),
    Sense(),
    NoncentralChi(),
    ToneCurve(),
    TissueContrast(),
    LowField(),
    B0Distortion(),
    Metal(),
):
    register(_artifact)

_SHIPPED = frozenset(_artifacts)
