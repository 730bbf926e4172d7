"""What a level means in a sweep: the knob value of an artifact, and the shift that it makes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import artifacts_sim
from artifacts_sim import GRIDS, ArtifactError, Grid, Shift
from sweep.config.settings import AUTO, AugmentSettings, LevelKnobs, StressSettings
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell


def shift_of(settings: StressSettings, cell: Cell) -> Shift:
    """What happens to every slice of a cell.

    Args:
        settings: What a level means.
        cell: The clean images, or an artifact at a level that it reaches.

    Raises:
        UserError: A grid that is not there, or that does not have the artifact.

    """
    if cell == CLEAN:
        return Shift.clean()
    return Shift.of(cell.artifact, knob=knob_of(settings, cell.artifact, cell.level))


def augmentation(settings: StressSettings, augment: AugmentSettings) -> Shift:
    """What may happen to a training slice.

    A slice gets an artifact with the probability asked for; then each artifact is as likely as
    the others, and of its levels that it reaches each is.

    Args:
        settings: What a level means.
        augment: Which artifacts and levels, and how often.

    Raises:
        UserError: No artifact reaches any of the levels; or see ``shift_of``.

    """
    if not augment.probability:
        return Shift.clean()
    require_some_reached(settings, augment.artifacts, augment.levels)
    levels_of = {one: reached(settings, one, augment.levels) for one in augment.artifacts}
    levels_of = {artifact: levels for artifact, levels in levels_of.items() if levels}
    parts = []
    for artifact, levels in levels_of.items():
        share = augment.probability / len(levels_of) / len(levels)
        parts += [(shift_of(settings, Cell(artifact, level)), share) for level in levels]
    if not parts:
        return Shift.clean()
    if augment.probability < 1:
        parts.append((Shift.clean(), 1 - augment.probability))
    return Shift.mixture(*parts)


def knob_of(settings: StressSettings, artifact: str, level: int) -> float | None:
    """The knob value of a level; None where the artifact does not reach it.

    Raises:
        UserError: A grid that is not there, or that does not have the artifact.

    """
    return knobs_of(settings, artifact)[level - 1]


def knobs_of(settings: StressSettings, artifact: str) -> LevelKnobs:
    """The knob values of all levels: as written in the settings, else those of the grid.

    Raises:
        UserError: See ``knob_of``.

    """
    if artifact in settings.knobs:
        return tuple(settings.knobs[artifact])
    return grid_knobs(settings.grid, artifact)


def grid_knobs(grid: str, artifact: str) -> LevelKnobs:
    """The knob values of all levels in a grid.

    Args:
        grid: ``calibrated``, ``physical``, or a file of ``mrisweep calibrate``; what ``auto``
            means is known of a sweep that was begun, and stands in its settings.
        artifact: The name of the artifact.

    Raises:
        UserError: A grid that is not there, or that does not have the artifact.

    """
    try:
        return _grid(grid).knobs_of(artifact)
    except ArtifactError as error:
        raise UserError(*error.args) from None


def bound_knobs(settings: StressSettings, artifacts: Iterable[str]) -> dict[str, LevelKnobs]:
    """The knob values of all levels by artifact, to be written into a sweep's settings.

    Raises:
        UserError: See ``knob_of``.

    """
    return {artifact: knobs_of(settings, artifact) for artifact in artifacts}


def in_grid(grid: str) -> tuple[str, ...]:
    """The artifacts that a grid has.

    Raises:
        UserError: A grid that is not there.

    """
    return tuple(_grid(grid).knobs)


def reached(settings: StressSettings, artifact: str, levels: Sequence[int]) -> tuple[int, ...]:
    """Those of the levels that the artifact reaches, which may be none.

    Raises:
        UserError: See ``knob_of``.

    """
    return tuple(level for level in levels if knob_of(settings, artifact, level) is not None)


def require_some_reached(
    settings: StressSettings, artifacts: Sequence[str], levels: Sequence[int]
) -> None:
    """Refuse artifacts none of which reaches a level.

    One of several that reaches none is left out, as a level is that it does not reach: which ones
    these are is not known before levels are calibrated.

    Raises:
        UserError: There are artifacts, and nothing is left of them; or see ``knob_of``.

    """
    if artifacts and not any(reached(settings, artifact, levels) for artifact in artifacts):
        raise UserError(
            f"no artifact reaches any of the levels on the {settings.grid} grid",
            f"{', '.join(artifacts)} at levels {', '.join(map(str, levels))}",
            "ask for lower levels or other artifacts, or set stress.grid to physical",
        )


def unreached(settings: StressSettings) -> tuple[str, ...]:
    """The cells that were asked for and are left out, such as ``zipper 5``.

    Raises:
        UserError: See ``knob_of``.

    """
    return tuple(
        f"{artifact} {level}"
        for artifact in settings.artifacts
        for level in settings.levels
        if knob_of(settings, artifact, level) is None
    )


def uncalibrated(settings: StressSettings, artifacts: Iterable[str]) -> tuple[str, ...]:
    """Those of the artifacts, each once, whose levels are still to be calibrated."""
    if settings.grid != AUTO:
        return ()
    return tuple(name for name in dict.fromkeys(artifacts) if name not in settings.knobs)


def grid_record(grid: str) -> Mapping[str, Any]:
    """What a grid of calibrated levels says of its reference; empty where it says nothing.

    Raises:
        UserError: A grid that is not there.

    """
    if grid in ("physical", AUTO):
        return {}
    record = artifacts_sim.levels.calibrated_record() if grid in GRIDS else _read(grid)
    reference = record.get("reference")
    return reference if isinstance(reference, dict) else {}


def _grid(name: str) -> Grid:
    if name == AUTO:
        raise UserError(
            "the levels are calibrated as a sweep or fit() begins, and are not known here",
            f"the grid {name!r}",
            f"take {' or '.join(map(repr, GRIDS))}, or the levels.json of a sweep's folder",
        )
    return artifacts_sim.named_grid(name) if name in GRIDS else _from_file(name)


@cache
def _from_file(name: str) -> Grid:
    return Grid.from_record(_read(name), name)


@cache
def _read(name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
        Grid.from_record(record, name)
    except FileNotFoundError:
        raise UserError(
            "there is no such grid of levels",
            f"{name!r}",
            f"take {', '.join(map(repr, (AUTO, *GRIDS)))}, or a file that `mrisweep calibrate` "
            "wrote",
        ) from None
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise UserError(
            "the file of levels cannot be used",
            f"{name!r} ({error})",
            "take one that `mrisweep calibrate` wrote",
        ) from None
    return record
