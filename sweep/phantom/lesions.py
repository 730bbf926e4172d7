"""Lesions of a knee: what is found where, drawn once per patient."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]

# Label -> finding, by the names of fastMRI+'s vocabulary. The four are what the study's label rule
# tells apart.
BONE = "Bone - Lesion"
FINDINGS: Mapping[str, Mapping[str, str]] = {
    "one": {"lesion": BONE},
    "four": {
        "acl": "Ligament - ACL High Grade Sprain",
        "mtear": "Meniscus Tear",
        "cartilage": "Cartilage - Partial Thickness loss/defect",
        "abnormal": BONE,
    },
}


@dataclass(frozen=True)
class Lesion:
    """A soft ball.

    Attributes:
        u: Centre, see ``anatomy``.
        v: Centre.
        radius: Where it is largest.
        brightness: The brightness of its middle, 0..1: that of fat or fluid, which a slice shows
            elsewhere too.
        first: Its first slice.
        last: Its last slice.

    """

    u: float
    v: float
    radius: float
    brightness: float
    first: int
    last: int


class _Where(NamedTuple):
    """Ranges of the distance from the middle, of v, and of the radius."""

    u: tuple[float, float]
    v: tuple[float, float]
    radius: tuple[float, float]


_PLACES = {
    "Ligament - ACL High Grade Sprain": _Where((0.0, 0.04), (-0.16, 0.0), (0.10, 0.14)),
    "Meniscus Tear": _Where((0.44, 0.54), (0.03, 0.08), (0.08, 0.12)),
    "Cartilage - Partial Thickness loss/defect": _Where((0.20, 0.34), (0.02, 0.07), (0.08, 0.12)),
}
_FEMUR, _TIBIA = (-0.40, -0.26), (0.30, 0.42)


def draw_lesion(rng: np.random.Generator, slices: int, finding: str = BONE) -> Lesion:
    """Draw a lesion for a volume of so many slices; of a bone, in the femur or the tibia."""
    extent = max(1, round(slices * rng.uniform(0.35, 0.75)))
    first = int(rng.integers(0, slices - extent + 1))
    if finding == BONE:
        bone = _FEMUR if rng.random() < 0.5 else _TIBIA
        where = _Where((0.18, 0.40), bone, (0.14, 0.20))
    else:
        where = _PLACES[finding]
    return Lesion(
        u=rng.choice([-1.0, 1.0]) * rng.uniform(*where.u),
        v=rng.uniform(*where.v),
        radius=rng.uniform(*where.radius),
        brightness=rng.uniform(0.8, 1.0),
        first=first,
        last=first + extent - 1,
    )


def lesion_share(lesion: Lesion, place: int, u: Plane, v: Plane) -> Plane:
    """Share (rows, columns) of the lesion in each pixel of slice ``place``: 1 in its middle.

    All zeros where the slice lies outside the lesion.
    """
    if not lesion.first <= place <= lesion.last:
        return np.zeros(u.shape)
    half = (lesion.last - lesion.first + 1) / 2
    off = (place - (lesion.first + lesion.last) / 2) / half
    radius = lesion.radius * math.sqrt(1 - 0.6 * off**2)
    distance = np.hypot(u - lesion.u, v - lesion.v) / radius
    return np.exp(-(distance**4))
