"""A knee-like body in coronal slices, drawn once per patient and painted slice by slice.

Coordinates: u to the right and v down, -1..1 across the reconstructed square; v goes beyond it
where the readout is oversampled. z goes through the slices, -1..1.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweep.phantom.lesions import Lesion, Plane, lesion_share

ACQUISITIONS = ("CORPD_FBK", "CORPDFS_FBK")  # proton density without and with fat suppression
# Rough looks of a knee at 1.5 T, brightest = 1: for each tissue, in the order of ACQUISITIONS.
BRIGHTNESS: Mapping[str, tuple[float, float]] = {
    "fat": (0.80, 0.20),
    "muscle": (0.30, 0.38),
    "marrow": (0.46, 0.24),
    "scar": (0.32, 0.16),
    "cortex": (0.06, 0.05),
    "cartilage": (0.52, 0.66),
    "fluid": (0.62, 0.95),
    "meniscus": (0.10, 0.12),
    "ligament": (0.14, 0.16),
    "vessel": (0.74, 0.72),
}
EDGE = 0.012  # softness of a border, in units of u


class Region(NamedTuple):
    """A tissue inside a superellipse |x/a|^power + |y/b|^power < 1, tilted about its centre."""

    tissue: str
    u: float
    v: float
    a: float
    b: float
    tilt_deg: float = 0.0
    power: float = 2.0


@dataclass(frozen=True)
class Knee:
    """All that is drawn for one patient except the noise-like fields.

    Attributes:
        acquisition: One of ``ACQUISITIONS``.
        scale: Size against the average knee.
        tilt_deg: Rotation in the plane.
        shift: (u, v) of the middle of the joint.
        mirrored: A left knee.
        brightness: The brightness of each tissue, 0..1.
        vessels: Small bright regions in the soft tissue: what a lesion looks like elsewhere.
        lesions: None of a healthy knee.

    """

    acquisition: str
    scale: float
    tilt_deg: float
    shift: tuple[float, float]
    mirrored: bool
    brightness: Mapping[str, float]
    vessels: tuple[Region, ...]
    lesions: tuple[Lesion, ...]


def draw_knee(
    rng: np.random.Generator, *, fat_suppressed: bool, lesions: tuple[Lesion, ...]
) -> Knee:
    """Draw one patient's knee; what is drawn does not depend on the lesions."""
    return Knee(
        acquisition=ACQUISITIONS[fat_suppressed],
        scale=rng.uniform(0.9, 1.08),
        tilt_deg=rng.uniform(-7, 7),
        shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.08, 0.08)),
        mirrored=bool(rng.integers(2)),
        brightness={
            tissue: levels[fat_suppressed] * rng.uniform(0.88, 1.12)
            for tissue, levels in BRIGHTNESS.items()
        },
        vessels=tuple(_vessel(rng) for _ in range(rng.integers(3, 7))),
        lesions=lesions,
    )


def grid(knee: Knee, rows: int, columns: int, size: int, warp: Plane) -> tuple[Plane, Plane]:
    """Coordinates of every pixel in the body's own frame.

    Args:
        knee: Whose pose to undo.
        rows: Pixels along v.
        columns: Pixels along u.
        size: Pixels of the reconstructed square, -1..1.
        warp: (2, rows, columns) displacement, makes outlines irregular.

    Returns:
        u and v, each (rows, columns).

    """
    u = (np.arange(columns) - columns // 2)[None, :] / (size / 2) - knee.shift[0] + warp[0]
    v = (np.arange(rows) - rows // 2)[:, None] / (size / 2) - knee.shift[1] + warp[1]
    u, v = _turned(u, v, knee.tilt_deg)
    return (-u if knee.mirrored else u) / knee.scale, v / knee.scale


def paint(knee: Knee, place: int, slices: int, u: Plane, v: Plane) -> Plane:
    """Brightness (rows, columns) of slice ``place`` of so many, before texture, coil and noise."""
    image = np.zeros(u.shape)
    for region in _regions(knee, z=(2 * place + 1) / slices - 1):
        inside = _soft_inside(region, u, v)
        image += inside * (knee.brightness[region.tissue] - image)
    for lesion in knee.lesions:
        image += lesion_share(lesion, place, u, v) * (lesion.brightness - image)
    return image


def _vessel(rng: np.random.Generator) -> Region:
    side = rng.choice([-1.0, 1.0])
    return Region(
        tissue="vessel",
        u=side * rng.uniform(0.55, 0.72),
        v=rng.uniform(-0.9, 0.9),
        a=rng.uniform(0.03, 0.055),
        b=rng.uniform(0.04, 0.09),
        tilt_deg=rng.uniform(-40, 40),
    )


def _regions(knee: Knee, z: float) -> Iterator[Region]:
    """Give the tissues of a slice, each to be painted over those before it."""
    bulge = math.sqrt(1 - 0.45 * z**2)  # bones are widest in the middle of the volume
    condyle = 0.31 * bulge
    yield Region("fat", 0.0, 0.0, 0.92 * (0.94 + 0.06 * bulge), 3.0, power=4)
    yield Region("muscle", 0.0, 0.0, 0.78, 3.0, power=4)
    yield from knee.vessels
    yield Region("fat", 0.0, -0.02, 0.72, 0.13)
    yield Region("fluid", 0.0, 0.02, 0.60 * bulge, 0.05)
    for side in (-1, 1):
        yield Region("cartilage", side * 0.30, -0.25, condyle + 0.02, 0.30, power=2.4)
    yield Region("cartilage", 0.0, 0.33, 0.61 * bulge, 0.25, power=4)
    yield from _bone(0.0, -1.35, 0.25, 0.95, power=6)
    for side in (-1, 1):
        yield from _bone(side * 0.30, -0.30, condyle, 0.30, power=2.4)
    yield Region("marrow", 0.0, -0.58, 0.30 * bulge, 0.18, power=3)
    yield from _bone(0.0, 1.35, 0.27, 0.95, power=6)
    yield from _bone(0.0, 0.36, 0.60 * bulge, 0.24, power=4)
    yield Region("marrow", 0.0, 0.62, 0.24, 0.16, power=3)
    yield Region("scar", 0.0, 0.50, 0.42 * bulge, 0.012)
    yield Region("scar", 0.0, -0.48, 0.40 * bulge, 0.012)
    yield from _bone(0.60, 0.80, 0.085, 0.42, power=4)
    yield Region("muscle", 0.0, -0.08, 0.085, 0.16 * bulge)
    yield Region("ligament", 0.02 - 0.05 * z, -0.06, 0.024, 0.17, tilt_deg=28)
    for side in (-1, 1):
        yield Region("meniscus", side * 0.50 * bulge, 0.055, 0.12, 0.038, tilt_deg=side * 12)
        yield Region("ligament", side * 0.645 * bulge, 0.02, 0.018, 0.36)


def _bone(u: float, v: float, a: float, b: float, power: float) -> Iterator[Region]:
    yield Region("cortex", u, v, a, b, power=power)
    yield Region("marrow", u, v, a - 0.03, b - 0.03, power=power)


def _soft_inside(region: Region, u: Plane, v: Plane) -> Plane:
    x, y = _turned(u - region.u, v - region.v, region.tilt_deg)
    power = region.power
    radius = (np.abs(x / region.a) ** power + np.abs(y / region.b) ** power) ** (1 / power)
    depth = (1 - radius) * min(region.a, region.b) / EDGE
    return 0.5 * (1 + np.tanh(depth))


def _turned(u: Plane, v: Plane, tilt_deg: float) -> tuple[Plane, Plane]:
    cos, sin = math.cos(math.radians(tilt_deg)), math.sin(math.radians(tilt_deg))
    return cos * u + sin * v, cos * v - sin * u
