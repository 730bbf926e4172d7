"""A DICOM series as a volume: its slices as stored, or planes along another axis of the stack."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import number_of
from sweep.ingest.formats.dicom.choice import ALL, Choice
from sweep.ingest.formats.dicom.file import read_frames
from sweep.ingest.formats.dicom.series import Series, read_series
from sweep.ingest.formats.dicom.stack import Placed
from sweep.ingest.formats.planes import (
    Axis,
    Format,
    Grid,
    Outline,
    Section,
    affine_of,
    sections_of,
    view_along,
)
from sweep.store.geometry import Geometry

EVEN = 0.01  # relative difference up to which steps or spacings count as equal


def dicom(choice: Choice) -> Format:
    """DICOM, of which the slices are taken that the choice names."""
    return Format(
        "dicom",
        partial(outline, choice=choice),
        partial(sections, choice=choice),
        names_patients=True,
        options={"take": str(choice)} if choice.wanted else {},
    )


def outline(path: Path, axis: Axis, choice: Choice = ALL) -> Outline:
    """Read the headers of a series: one file, or the files in a folder.

    Raises:
        UnusableError: See ``read_series``; for an anatomical axis, see ``stack_grid``.

    """
    series = read_series(path, choice)
    first = series.headers[0]
    if axis == "acquired":
        height, width = first.shape
        geometries = tuple(_geometries(series.slices))
        grid = _grid_if_any(series, path)
    else:
        grid = stack_grid(series, path)
        seen = view_along(grid, axis, str(path)).grid(grid)
        count, height, width = seen.shape
        geometries = (seen.geometry,) * count
    return Outline(
        paths=tuple(header.path for header in series.headers),
        shape=(height, width),
        geometries=geometries,
        patient=first.patient,
        sequence=first.sequence,
        ignored=series.ignored,
        remarks=series.remarks,
        grid=grid,
        instances=tuple(one.header.instance for one in series.slices) if axis == "acquired" else (),
    )


def _geometries(slices: Sequence[Placed]) -> Iterator[Geometry]:
    """Of each slice, with how far the next one lies; the last one is as far from that before it."""
    places = [one.frame.position for one in slices]
    gaps: list[float] = []
    if len(places) > 1 and all(places):
        gaps = np.linalg.norm(np.diff(np.array(places, float), axis=0), axis=1).tolist()
    for one, gap in zip_longest(slices, [*gaps, *gaps[-1:]]):
        yield replace(one.frame.geometry, spacing_mm=gap or None)


def sections(
    path: Path, axis: Axis, numbers: Sequence[int], choice: Choice = ALL
) -> Iterator[Section]:
    """Give the numbered planes of a series, in the files' units, see ``read_frames``.

    As acquired one slice is held at a time, otherwise the volume.

    Raises:
        UnusableError: See ``outline`` and ``read_frames``.

    """
    series = read_series(path, choice)
    if axis == "acquired":
        slices = [series.slices[number] for number in numbers]
        geometries = tuple(_geometries(series.slices))
        for number, image in zip(numbers, _images(slices), strict=True):
            yield Section(image, geometries[number])
    else:
        grid = stack_grid(series, path)
        view = view_along(grid, axis, str(path))
        yield from sections_of(_volume(series, grid), grid, view, numbers)


def stack_grid(series: Series, path: Path) -> Grid:
    """Where the voxels of a stack of slices lie.

    Raises:
        UnusableError: A single slice; positions, orientation or pixel spacing unknown; steps from
            slice to slice, or pixel spacings, that differ by more than 1 %.

    """
    frames = [one.frame for one in series.slices]
    places = [one.position for one in frames if one.position]
    orientation, pixel_mm = frames[0].orientation, frames[0].pixel_mm
    if len(frames) < 2 or len(places) < len(frames) or not orientation or not pixel_mm:
        raise UnusableError(
            "the slices are not a stack with positions, orientation and pixel spacing, which "
            "planes other than the acquired ones need",
            f"{path} with {number_of(len(frames), 'slice')}: {len(places)} with a position, "
            f"{sum(bool(one.orientation) for one in frames)} with an orientation, "
            f"{sum(bool(one.pixel_mm) for one in frames)} with a pixel spacing",
            "take the planes as acquired",
        )
    steps = np.diff(np.array(places), axis=0)
    step = steps.mean(axis=0)
    uneven = np.linalg.norm(steps - step, axis=1).max()
    spacings = [one.pixel_mm or (0.0, 0.0) for one in frames]
    alike = np.allclose(spacings, pixel_mm, rtol=EVEN, atol=0)
    if not (alike and step.any() and uneven <= EVEN * np.linalg.norm(step)):
        lengths = np.linalg.norm(steps, axis=1)
        raise UnusableError(
            "the slices do not have one pixel spacing and, to 1 %, equal steps along a line, which "
            "planes other than the acquired ones need",
            f"{path} with steps of {lengths.min():.4g} to {lengths.max():.4g} mm and "
            f"{len(set(spacings))} different pixel spacings",
            "take the planes as acquired",
        )
    return Grid(
        (len(frames), *series.headers[0].shape), affine_of(step, orientation, pixel_mm, places[0])
    )


def _grid_if_any(series: Series, path: Path) -> Grid | None:
    """Where the voxels lie, also of one slice alone; None = on no grid, or it is not known."""
    frames = [one.frame for one in series.slices]
    if len(frames) > 1:
        try:
            return stack_grid(series, path)
        except UnusableError:
            return None
    (frame,) = frames
    if not (frame.position and frame.orientation and frame.pixel_mm):
        return None
    along, down = map(np.array, frame.orientation)
    step = np.cross(along, down) * (frame.thickness_mm or 1.0)
    return Grid(
        (1, *series.headers[0].shape),
        affine_of(step, frame.orientation, frame.pixel_mm, frame.position),
    )


def _images(slices: Sequence[Placed]) -> Iterator[NDArray[np.float32]]:
    for header, run in groupby(slices, key=lambda one: one.header):
        yield from read_frames(header.path, [one.frame for one in run], header.shape)


def _volume(series: Series, grid: Grid) -> NDArray[np.float32]:
    volume = np.empty(grid.shape, np.float32)
    for place, image in enumerate(_images(series.slices)):
        volume[place] = image
    return volume


DICOM = dicom(ALL)
