"""What a level means in a sweep: the knob value of an artifact, and the shift that it makes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import artifacts_sim
from artifacts_sim import GRIDS, ArtifactError, Grid, Several, Shift
from artifacts_sim.calibration.ssim import MEASURES
from artifacts_sim.levels import calibrated_record
from sweep.config.artifacts import NO_OPTIONS, Options, artifact_of, base_of, check_options
from sweep.config.augment import AugmentSettings
from sweep.config.settings import AUTO, LevelKnobs, StressSettings
from sweep.core.errors import UserError
from sweep.core.reading import read_text
from sweep.core.records import CLEAN, Cell
from sweep.core.text import size_text


def shift_of(settings: StressSettings, cell: Cell) -> Shift:
    """What happens to every slice of a cell.

    Args:
        settings: What a level means.
        cell: The clean images, or an artifact at a level that it reaches.

    Raises:
        UserError: Options that its artifact refuses; a grid that is not there, or that does not
            have the artifact with its options.

    """
    if cell == CLEAN:
        return Shift.clean()
    art = artifact_of(cell.artifact, settings.options)
    return Shift.of(art, knob=knob_of(settings, cell.artifact, cell.level))


def augmentation(settings: StressSettings, augment: AugmentSettings) -> Shift | Several:
    """Which artifacts may fall on a training slice.

    A slice gets artifacts with the probability asked for; then each artifact is as likely as
    the others, and of its levels that it reaches each is. With AugMix none falls by itself.

    Args:
        settings: What a level means.
        augment: Which artifacts and levels, how often, how many at once.

    Raises:
        UserError: No artifact reaches any of the levels; or see ``shift_of``.

    """
    if not augment.probability or augment.augmix:
        return Shift.clean()
    cells_of = _cells_to_draw(settings, augment)
    if not cells_of:
        return Shift.clean()
    if augment.chain > 1:
        return Several(operations(settings, augment), augment.chain, augment.probability)
    parts = []
    for cells in cells_of:
        share = augment.probability / len(cells_of) / len(cells)
        parts += [(shift_of(settings, cell), share) for cell in cells]
    if augment.probability < 1:
        parts.append((Shift.clean(), 1 - augment.probability))
    return Shift.mixture(*parts)


def operations(settings: StressSettings, augment: AugmentSettings) -> tuple[Shift, ...]:
    """Each artifact of the augmentation, at one of its levels that it reaches, each as likely.

    Raises:
        UserError: See ``augmentation``.

    """
    return tuple(
        Shift.mixture(*((shift_of(settings, cell), 1.0) for cell in cells))
        for cells in _cells_to_draw(settings, augment)
    )


def _cells_to_draw(settings: StressSettings, augment: AugmentSettings) -> list[list[Cell]]:
    """The cells of each artifact of the augmentation that reaches any of its levels."""
    require_some_reached(settings, augment.artifacts, augment.levels)
    cells = (
        [Cell(one, level) for level in reached(settings, one, augment.levels)]
        for one in augment.artifacts
    )
    return [own for own in cells if own]


def knob_of(settings: StressSettings, artifact: str, level: int) -> float | None:
    """The knob value of a level; None where the artifact does not reach it.

    Raises:
        UserError: A grid that is not there, or that does not have the artifact with its options.

    """
    return knobs_of(settings, artifact)[level - 1]


def knobs_of(settings: StressSettings, artifact: str) -> LevelKnobs:
    """The knob values of all levels: as written in the settings, else those of the grid.

    Raises:
        UserError: See ``knob_of``.

    """
    if artifact in settings.knobs:
        return tuple(settings.knobs[artifact])
    return grid_knobs(settings.grid, artifact, settings.options)


def grid_knobs(grid: str, artifact: str, options: Options = NO_OPTIONS) -> LevelKnobs:
    """The knob values of all levels in a grid.

    Levels of a calibrated grid are those of an artifact with the options that it was calibrated
    with, by default those that it has by itself; those of the grid ``physical`` are of the scale.

    Args:
        grid: ``calibrated``, ``physical``, or a file of ``mrisweep calibrate``; what ``auto``
            means is known of a sweep that was begun, and stands in its settings.
        artifact: The name of the artifact, or of a variant.
        options: The options of artifacts, by name.

    Raises:
        UserError: A grid that is not there, or that does not have the artifact with its options.

    """
    levels = _grid(grid)
    try:
        art = artifact_of(artifact, options)
        if grid == "physical":
            return levels.knobs_of(art.name)
        rows = [row for row in levels.knobs if base_of(row) == art.name]
        own = grid_options(grid)
        found = next(
            (row for row in rows if artifact_of(row, {row: {}, **own}, f"{grid}: ") == art), None
        )
        if found is None and rows:
            raise UserError(
                f"the {grid} levels of {art.name} were found with other options, and mean nothing "
                "with these",
                f"{_written(artifact, options.get(artifact, {}))} with levels of "
                f"{', '.join(_written(row, own.get(row, {})) for row in rows)}",
                "take the grid physical (auto in a sweep), or calibrate a file with these options",
            )
        return levels.knobs_of(found or artifact)
    except ArtifactError as error:
        raise UserError(*error.args) from None


def _written(artifact: str, options: Mapping[str, Any]) -> str:
    """An artifact with its options, for messages."""
    named = ", ".join(f"{name}: {value}" for name, value in options.items())
    return f"{artifact} ({named or 'default options'})"


def grid_options(grid: str) -> Options:
    """The options that the artifacts of a grid were calibrated with, where they are not default.

    Raises:
        UserError: A grid that is not there.

    """
    if grid in (*GRIDS, AUTO):
        return NO_OPTIONS
    rows = _read(grid).record["artifacts"].items()
    return {name: row["options"] for name, row in rows if row.get("options")}


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


def unreached(
    settings: StressSettings, asked: StressSettings | AugmentSettings | None = None
) -> tuple[str, ...]:
    """The cells that were asked for and are left out, such as ``zipper 5``.

    Args:
        settings: What a level means.
        asked: Who asks for artifacts at levels; None: the stress test.

    Raises:
        UserError: See ``knob_of``.

    """
    return tuple(
        f"{artifact} {level}"
        for artifact in (asked or settings).artifacts
        for level in (asked or settings).levels
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
    reference = _record(grid).get("reference")
    return reference if isinstance(reference, dict) else {}


def grid_meaning(grid: str) -> str:
    """What the levels of a grid are, in words, for people.

    Raises:
        UserError: A grid that is not there.

    """
    if grid == "physical":
        return "physical levels: round values of each artifact's own scale, at no fixed similarity"
    record = _record(grid)
    where = {text: name for name, text in MEASURES.items()}.get(record.get("measure", ""))
    reference = record.get("reference", {})
    if where is None or not {"height", "width"} <= set(reference):
        return f"{grid} levels, which do not say what they were found on"
    size = size_text((reference["height"], reference["width"]))
    targets = ", ".join(f"{target:g}" for target in record.get("targets", []))
    over = {"foreground": "over the foreground", "whole": "over the whole image"}[where]
    return (
        f"{grid} levels: mean SSIM {over} of {targets} on {reference.get('signal', 'images')} of "
        f"{size} pixels"
    )


def _record(grid: str) -> dict[str, Any]:
    return calibrated_record() if grid in GRIDS else _read(grid).record


def _grid(name: str) -> Grid:
    if name == AUTO:
        raise UserError(
            "the levels are calibrated as a sweep or fit() begins, and are not known here",
            f"the grid {name!r}",
            f"take {' or '.join(map(repr, GRIDS))}, or the levels.json of a sweep's folder",
        )
    return artifacts_sim.named_grid(name) if name in GRIDS else _read(name).grid


class _Levels(NamedTuple):
    """What a file of levels holds, and the grid that it is."""

    record: dict[str, Any]
    grid: Grid


def _read(name: str) -> _Levels:
    """The levels in a file, as it is now."""
    try:
        return _checked(read_text(name), name)
    except FileNotFoundError:
        raise UserError(
            "the levels are neither those of a grid that is known nor a file that is there",
            f"{name!r}, looked for in {Path.cwd()}",
            f"take {', '.join((AUTO, *GRIDS))}, or the path of a file that `mrisweep calibrate` or "
            "a sweep wrote (its levels.json)",
        ) from None
    except (OSError, ValueError, AttributeError, LookupError, TypeError, RecursionError) as error:
        raise UserError(
            "the file of levels cannot be used",
            f"{name!r} ({error})",
            "take one that `mrisweep calibrate` wrote",
        ) from None


@lru_cache(maxsize=8)
def _checked(text: str, name: str) -> _Levels:
    """The levels in the text of a file of this name; parsed once, however often they are asked for.

    Raises:
        ValueError: What is not as `artifacts_sim.calibration.calibrate.record` writes it; or
            another error of what is read.

    """
    record: dict[str, Any] = json.loads(text)
    grid = Grid.from_record(record, name)
    targets = record.get("targets", [])
    parts = {
        "targets": isinstance(targets, list)
        and all(isinstance(one, int | float) for one in targets),
        "measure": isinstance(record.get("measure", ""), str),
        "reference": isinstance(record.get("reference", {}), dict),
        "options": all(
            isinstance(row.get("options", {}), dict) for row in record["artifacts"].values()
        ),
    }
    for part, holds in parts.items():
        if not holds:
            raise ValueError(f"{part} are not what a calibration writes")
    own = {row: one["options"] for row, one in record["artifacts"].items() if one.get("options")}
    check_options(own, "options of ")
    return _Levels(record, grid)
