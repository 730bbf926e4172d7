"""Receive coils: what each loop of an array around the object sees of it.

By reciprocity a coil receives from a place in proportion to the field B that a unit current in it
makes there, B_x - i B_y across the main field (Hoult and Richards, J Magn Reson 24:71 (1976)). The
field of a circular loop is that of Biot and Savart in closed form (Smythe, Static and Dynamic
Electricity, 3rd ed., 7.10). It is quasi-static: neither waves nor losses in the object.

An array is built for what is shown: its lengths are fractions of half the shown field of view, the
mean of both axes where they differ, so that neither the matrix nor the size of the object matters.
A loop in the direction n stands upright on the slice, across n, and all that is shown lies at least
`GAP` behind it. What is encoded and not shown is given the sensitivity of the edge.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.acquisition.geometry import Frame

Array = NDArray[np.float64]
Maps = NDArray[np.complexfloating[Any, Any]]

GAP = 0.2  # from the field of view to a loop: 24 mm beside 240
RADIUS = 0.4  # of a loop: eight around a square touch
FULL_TURN = 2 * np.pi
_NODES = 48  # of polynomials that meet the field of wires GAP beyond [-1, 1] within 2e-4
_AGM_STEPS = 5  # to all bits, at the moduli of a wire GAP away
_ON_AXIS = 1e-6  # of the loop's radius


def sensitivities(
    turn_rad: Array,
    arc_rad: Array | float,
    coils: int,
    shown: Frame,
    encoded: Frame,
    columns: int | None = None,
    *,
    single: bool = False,
) -> Maps:
    """What each loop sees of each pixel, in units of the field at a loop's own centre.

    Args:
        turn_rad: (B,) the direction of the array's middle, from RO towards PE.
        arc_rad: (B,) or one for all, the arc over which the loops are spaced evenly.
        coils: How many loops, C.
        shown: The frame whose shown field of view the array surrounds.
        encoded: The frame whose encoded pixels are asked for.
        columns: Pixels along PE into which its encoded field of view is divided; by default, as
            it is.
        single: Whether to round to single precision.

    Returns:
        (B, C, RO, PE), complex128, or complex64.

    """
    tables = _interpolations(shown, encoded, columns)
    shape = (len(turn_rad), coils, *(len(table) for table in tables))
    maps: Maps = np.empty(shape, dtype=np.complex64 if single else np.complex128)
    for out, nodes in zip(maps, _fields(turn_rad, arc_rad, coils, shown), strict=True):
        out.real = _at_pixels(nodes.real, tables)
        out.imag = _at_pixels(nodes.imag, tables)
    return maps


def root_sum_of_squares(
    turn_rad: Array, arc_rad: Array | float, coils: int, shown: Frame, encoded: Frame
) -> Array:
    """The root sum of squares of `sensitivities` over the coils: (B, RO, PE)."""
    tables = _interpolations(shown, encoded)
    fields = _fields(turn_rad, arc_rad, coils, shown)
    power: Array = np.empty((len(turn_rad), *(len(table) for table in tables)))
    for out, nodes in zip(power, fields, strict=True):
        out[:] = _at_pixels(_power(nodes, axis=0), tables)
    return np.sqrt(np.maximum(power, 0, out=power), out=power)


def normalised(maps: Maps) -> Maps:
    """Divide by the root sum of squares over the coils, so that these together see 1 everywhere."""
    unit: Maps = maps * (1 / np.sqrt(_power(maps, axis=1)))[:, None]
    return unit


def loop_field(along: Array, across: Array, radius: float) -> tuple[Array, Array]:
    """The field of a circular loop, in units of that at its centre, mu0 I / (2 radius).

    Args:
        along: Distance from the loop's plane.
        across: Distance from its axis, of either sign.
        radius: Of the loop.

    Returns:
        The components along the axis, and across it.

    """
    s = np.abs(across)
    far = (radius + s) ** 2 + along**2
    near = (radius - s) ** 2 + along**2
    first, second = _elliptic(4 * radius * s / far)
    scale = radius / (np.pi * np.sqrt(far))
    axial: Array = scale * (first + (radius**2 - s**2 - along**2) / near * second)
    aside = s > _ON_AXIS * radius
    slope = scale * along / np.where(aside, s, np.inf)
    radial = slope * ((radius**2 + s**2 + along**2) / near * second - first)
    return axial, radial * np.sign(across)


def _elliptic(m: Array) -> tuple[Array, Array]:
    """Complete elliptic integrals K(m) and E(m) by the arithmetic-geometric mean.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 17.6.
    """
    a, b, lost = np.ones_like(m), np.sqrt(1 - m), m / 2
    for step in range(_AGM_STEPS):
        a, b, c = (a + b) / 2, np.sqrt(a * b), (a - b) / 2
        lost = lost + 2.0**step * c * c
    first: Array = np.pi / (2 * a)
    return first, first * (1 - lost)


def _fields(turn_rad: Array, arc_rad: Array | float, coils: int, shown: Frame) -> Iterator[Maps]:
    """The fields of the array at the nodes of the shown field of view, slice by slice."""
    fields = np.array(shown.crop) * shown.pixel_mm
    halves = np.broadcast_to(fields / fields.mean(axis=1, keepdims=True), (len(turn_rad), 2))
    arcs = np.broadcast_to(arc_rad, turn_rad.shape)
    for turn, arc, (half_ro, half_pe) in zip(turn_rad, arcs, halves, strict=True):
        yield _at_nodes(float(turn), float(arc), coils, (float(half_ro), float(half_pe)))


@lru_cache(maxsize=16)
def _at_nodes(turn: float, arc: float, coils: int, half: tuple[float, float]) -> Maps:
    """The field of each loop at the nodes, (C, nodes along RO, along PE).

    Args:
        turn: See `sensitivities`.
        arc: See `sensitivities`.
        coils: See `sensitivities`.
        half: Half the shown field of view along RO and PE.

    """
    angle = turn + arc * ((np.arange(coils)[:, None, None] + 0.5) / coils - 0.5)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = half[0] * _nodes()[:, None], half[1] * _nodes()
    distance = half[0] * np.abs(cos) + half[1] * np.abs(sin) + GAP
    axial, radial = loop_field(distance - x * cos - y * sin, y * cos - x * sin, RADIUS)
    # A loop's axis points at the object, along (-cos, -sin); (-sin, cos) is across it.
    field: Maps = -(axial * cos + radial * sin) + 1j * (axial * sin - radial * cos)
    field.flags.writeable = False  # it is shared
    return field


def _nodes() -> Array:
    """Chebyshev's nodes of the first kind, in (-1, 1)."""
    nodes: Array = np.cos((np.arange(_NODES) + 0.5) * np.pi / _NODES)
    return nodes


def _at_pixels(nodes: NDArray[np.floating[Any]], tables: tuple[Tensor, Tensor]) -> Array:
    """Carry values at the nodes, (..., along RO, along PE), to the pixels, (..., RO, PE).

    By torch, whose number of threads those who run several processes set; in double precision,
    which nobody can lower.
    """
    along_ro, along_pe = tables
    found: Array = (along_ro @ torch.from_numpy(nodes.copy()) @ along_pe.mT).numpy()
    return found


def _interpolations(
    shown: Frame, encoded: Frame, columns: int | None = None
) -> tuple[Tensor, Tensor]:
    """What carries values at the nodes to the pixels along RO, and along PE."""
    (n_ro, n_pe), (shown_ro, shown_pe) = encoded.encoded, shown.crop
    along_ro = _interpolation(n_ro, n_ro, shown_ro)
    return along_ro, _interpolation(columns or n_pe, n_pe, shown_pe)


@lru_cache(maxsize=16)
def _interpolation(count: int, encoded: int, shown: int) -> Tensor:
    """What carries values at the nodes to pixels along one axis: (count, nodes) float64.

    Args:
        count: Pixels into which the encoded field of view is divided. The centres N // 2 of these,
            of the encoded and of the shown pixels coincide.
        encoded: Encoded pixels.
        shown: Those of them from -1 to 1; beyond, the values are those of the edge.

    """
    place = (np.arange(count) - count // 2) * (encoded / count)
    u = (place + shown // 2 + 0.5) * 2 / shown - 1
    order = np.arange(_NODES)
    at_pixels = np.cos(np.arccos(np.clip(u, -1, 1))[:, None] * order)
    of_nodes = np.cos((order + 0.5) * np.pi / _NODES * order[:, None]) * (2 / _NODES)
    of_nodes[0] /= 2
    return torch.from_numpy(at_pixels @ of_nodes)


def _power(maps: Maps, axis: int) -> Array:
    power: Array = (maps.real**2 + maps.imag**2).sum(axis=axis)
    return power
