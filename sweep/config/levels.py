"""What a level means in a sweep: the knob value of an artifact, from a grid or as recorded."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import artifacts_sim
from artifacts_sim import ArtifactError, Grid
from sweep.config.settings import Ladder, StressSettings
from sweep.core.errors import UserError

GRIDS = ("calibrated", "physical")


def knob_of(settings: StressSettings, artifact: str, level: int) -> float | None:
    """The knob value of a level; None where the artifact does not reach it.

    Raises:
        UserError: a grid that is not there, or that does not have the artifact.

    """
    return ladder_of(settings, artifact)[level - 1]


def ladder_of(settings: StressSettings, artifact: str) -> Ladder:
    """The knob values of levels 1 to 5: as written in the settings, else those of the grid.

    Raises:
        UserError: see ``knob_of``.

    """
    if artifact in settings.knobs:
        return tuple(settings.knobs[artifact])
    return grid_ladder(settings.grid, artifact)


def grid_ladder(grid: str, artifact: str) -> Ladder:
    """The knob values of levels 1 to 5 in a grid.

    Args:
        grid: ``calibrated``, ``physical``, or a file of ``mrisweep calibrate``.
        artifact: its name.

    Raises:
        UserError: a grid that is not there, or that does not have the artifact.

    """
    try:
        return _grid(grid).ladder(artifact)
    except ArtifactError as error:
        raise UserError(str(error)) from None


def ladders(settings: StressSettings, artifacts: Iterable[str]) -> dict[str, Ladder]:
    """The knob values of all levels by artifact, to be written into a sweep's settings.

    Raises:
        UserError: see ``knob_of``.

    """
    return {artifact: ladder_of(settings, artifact) for artifact in artifacts}


def in_grid(grid: str) -> tuple[str, ...]:
    """The artifacts that a grid has.

    Raises:
        UserError: a grid that is not there.

    """
    return tuple(_grid(grid).ladders)


def reached(settings: StressSettings, artifact: str, levels: Sequence[int]) -> tuple[int, ...]:
    """Those of the levels that the artifact reaches.

    Raises:
        UserError: none; or see ``knob_of``.

    """
    found = tuple(level for level in levels if knob_of(settings, artifact, level) is not None)
    if not found:
        raise UserError(
            f"an artifact that is asked for reaches at least one of the levels; {artifact!r} "
            f"reaches none of {list(levels)} of the {settings.grid} grid: ask for lower levels, "
            f"or leave it out"
        )
    return found


def unreached(settings: StressSettings) -> tuple[str, ...]:
    """The cells that were asked for and are left out, such as ``zipper 5``.

    Raises:
        UserError: see ``knob_of``.

    """
    return tuple(
        f"{artifact} {level}"
        for artifact in settings.artifacts
        for level in settings.levels
        if knob_of(settings, artifact, level) is None
    )


def _grid(name: str) -> Grid:
    if name == "physical":
        knobs = {artifact: artifacts_sim.get(artifact).knob for artifact in artifacts_sim.names()}
        return Grid(name, {artifact: knob.physical for artifact, knob in knobs.items()})
    return artifacts_sim.named_grid(name) if name == "calibrated" else _from_file(name)


@cache
def _from_file(name: str) -> Grid:
    try:
        record = json.loads(Path(name).read_text(encoding="utf-8"))
        return Grid.from_record(record, name)
    except FileNotFoundError:
        raise UserError(
            f"a grid of levels must be {', '.join(map(repr, GRIDS))} or a file that `mrisweep "
            f"calibrate` wrote, and there is no file {name!r}"
        ) from None
    except (OSError, ValueError, AttributeError, LookupError, TypeError) as error:
        raise UserError(
            f"a grid of levels must be a file that `mrisweep calibrate` wrote; {name!r} is none: "
            f"{error}"
        ) from None
