"""What there is by name: artifacts, families of them, levels and grids; no artifact is imported.

Whoever only has to know whether a name is right asks here, and does not wait for torch. `registry`
makes artifacts of the names, `levels` makes grids.
"""

import difflib
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

import numpy as np

from artifacts_sim.errors import ArtifactError, shown

GROUP = "mrisweep.artifacts"
"""Entry points of other packages: the name of an artifact, and its class or an instance."""

SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "rician": "Rician",
        "motion": "Motion",
        "ghosting": "Ghosting",
        "spike": "Spike",
        "bias": "Bias",
        "nyquist_ghost": "NyquistGhost",
        "gibbs": "Gibbs",
        "undersampling": "Undersampling",
        "partial_fourier": "PartialFourier",
        "zipper": "Zipper",
        "elastic": "Elastic",
        "anisotropy": "Anisotropy",
        "blur": "Blur",
        "contrast": "Contrast",
        "fat_shift": "FatShift",
        "wrap": "Wrap",
        "receive": "Receive",
        "sense": "Sense",
        "noncentral_chi": "NoncentralChi",
        "tone_curve": "ToneCurve",
        "tissue_contrast": "TissueContrast",
        "low_field": "LowField",
        "b0_distortion": "B0Distortion",
        "metal": "Metal",
    }
)
"""Name of each artifact that ships, which is that of its file in `kinds`, and its class there."""

SEARCH = (
    *("rician", "motion", "ghosting", "spike", "bias"),  # of Madaan et al. (MIDL 2023)
    *("wrap", "undersampling", "contrast"),  # of the stages that these leave out
)

LEVELS = (1, 2, 3, 4, 5)
GRIDS = ("calibrated", "physical")
"""The grids that ship."""

_registered: dict[str, None] = dict.fromkeys(SHIPPED)


def register(name: str, what: str) -> None:
    """Make the name of an artifact known.

    Args:
        name: The name.
        what: What it is to be the name of, for messages.

    Raises:
        ArtifactError: It is taken.

    """
    if name in _registered:
        raise ArtifactError(
            "there is an artifact of this name already",
            f"{name!r} again, from {what}",
            "give it another name",
        )
    _registered[name] = None


def unregister(name: str) -> None:
    """Forget the name of an artifact; one that is not known stays so."""
    _registered.pop(name, None)


def is_registered(name: str) -> bool:
    """Whether the name is of an artifact that ships or was registered."""
    return name in _registered


def names() -> tuple[str, ...]:
    """Return the known artifacts: in the order of registration, then those of other packages.

    Raises:
        ArtifactError: A package adds an artifact under the name of one that ships, or two add one
            under the same name.

    """
    return (*_registered, *(name for name in added() if name not in _registered))


def added() -> dict[str, EntryPoint]:
    """What other packages add, by name.

    Raises:
        ArtifactError: See `names`.

    """
    found: dict[str, EntryPoint] = {}
    for point in _points(tuple(sys.path)):
        if point.name in SHIPPED or found.setdefault(point.name, point).value != point.value:
            raise ArtifactError(
                f"the artifact {point.name!r} of {package_of(point)} has a name that is taken",
                point.value,
                "rename it there, or uninstall that package",
            )
    return found


@cache
def _points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages on this path; finding them takes 20 ms."""
    return tuple(entry_points(group=GROUP))


def package_of(point: EntryPoint) -> str:
    """The package that an entry point is of, for messages."""
    return point.dist.name if point.dist else "an installed package"


def nearest(name: str, known: Sequence[str]) -> str:
    """The remedy for a name that is not among the known: the nearest of them, and all of them."""
    if not known:
        return "leave it out"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"


def families() -> Mapping[str, tuple[str, ...]]:
    """Return the families by name.

    `search` are those on which configurations are compared: the five of Madaan et al. (MIDL 2023),
    and one of each stage of the scanner that these leave out. `holdout` are all others: a
    configuration that was chosen by the first has not met them. Every stage has members in both,
    where the lines and what is reconstructed of them count as one.
    """
    holdout = tuple(name for name in names() if name not in SEARCH)
    return MappingProxyType({"search": SEARCH, "holdout": holdout})


def expand(wanted: Sequence[str]) -> tuple[str, ...]:
    """Put the artifacts of a family in the place of its name; other names stay.

    Raises:
        ArtifactError: It is not a row of names.

    """
    known = families()
    given: object = wanted
    listed = given.tolist() if isinstance(given, np.ndarray) else given
    if (
        not isinstance(listed, Sequence)
        or isinstance(listed, str | bytes)
        or not all(isinstance(name, str) for name in listed)
    ):
        raise ArtifactError(
            "the artifacts are not a row of names",
            shown(wanted),
            "pass for example ['search', 'metal']",
        )
    return tuple(name for item in listed for name in known.get(item, (item,)))
