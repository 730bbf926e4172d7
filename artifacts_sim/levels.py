"""Severity: every artifact's one physical knob, and the grids that give its values at levels.

A level is a name for a knob value. Two grids ship: `calibrated`, at whose levels all artifacts
reach the same mean SSIM on a reference set, and `physical`, round values of each artifact's own
scale. Equal SSIM is not equal diagnostic damage: a level is no currency between artifacts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from torch import Tensor

from artifacts_sim.errors import ArtifactError
from artifacts_sim.params import KnobValues

LEVELS = (1, 2, 3, 4, 5)
GRIDS = ("calibrated", "physical")
"""The grids that ship."""

RECORD_FORMAT = {"format": "mrisweep-levels", "version": 1}
"""What a record of calibrated levels begins with."""

LevelKnobs = tuple[float | None, ...]
"""Knob values at levels 1, 2, ...; rising; None where the artifact does not reach the level."""


@dataclass(frozen=True)
class Knob:
    """The physical scale of one artifact; 0 = identity.

    Attributes:
        name: What the number is, with its unit.
        meaning: The same in words.
        physical: Round values for levels 1 to 5, rising.
        limit: The largest value accepted; beyond it the artifact has no physical meaning.

    """

    name: str
    meaning: str
    physical: tuple[float, float, float, float, float]
    limit: float

    def checked(self, value: object) -> KnobValues:
        """Return knob values as Python's float, as an array of them, or as the tensor it is.

        Args:
            value: One number for all slices, or one for each.

        Raises:
            ArtifactError: One is outside [0, limit], or not a number.

        """
        if type(value) is float and 0 < value <= self.limit:
            return value
        values = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        try:
            numbers = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            numbers = np.full((), np.nan)
        within = np.isfinite(numbers) & (numbers >= 0) & (numbers <= self.limit)
        if numbers.ndim > 1 or not numbers.size or isinstance(value, str) or not within.all():
            outside = numbers[~within].tolist() if numbers.ndim == 1 else []
            raise ArtifactError(
                f"the knob {self.name} is not a finite number from 0 (identity) to {self.limit:g} "
                f"({self.meaning})",
                repr(outside[0]) if outside else f"{value!r:.100}",
                "take a value in this range, such as its physical levels 1 to 5: "
                + ", ".join(f"{level:g}" for level in self.physical),
            )
        if isinstance(value, Tensor) and value.requires_grad:
            return value
        return numbers + 0.0 if numbers.ndim else float(numbers) + 0.0  # -0.0 is 0.0


@dataclass(frozen=True)
class Grid:
    """Knob values of levels, by artifact.

    Attributes:
        name: What it is called in messages.
        knobs: The knob values of all levels, by artifact.

    """

    name: str
    knobs: Mapping[str, LevelKnobs]

    def value(self, artifact: str, level: int | None) -> float:
        """Return the knob value of a level; 0 for level 0.

        Raises:
            ArtifactError: No such level, an artifact that the grid does not have, or a level
                that the artifact does not reach.

        """
        value = self._at(artifact, level)
        if value is None:
            raise ArtifactError(
                "the artifact does not reach this level within the limit of its knob",
                f"level {level} of the {self.name} grid for {artifact!r}",
                "use a lower level, or pass knob=",
            )
        return value

    def reaches(self, artifact: str, level: int) -> bool:
        """Whether the artifact has this level.

        Raises:
            ArtifactError: No such level, or an artifact that the grid does not have.

        """
        return self._at(artifact, level) is not None

    def _at(self, artifact: str, level: int | None) -> float | None:
        if level not in (0, *LEVELS):
            raise ArtifactError(
                "there is no such level",
                repr(level),
                f"take 0 (identity) to {LEVELS[-1]}, "
                "or pass knob= in the knob's unit for a severity in between",
            )
        return self.knobs_of(artifact)[level - 1] if level else 0.0

    def knobs_of(self, artifact: str) -> LevelKnobs:
        """Return an artifact's values of levels 1 to 5, None where it does not reach one.

        Raises:
            ArtifactError: The grid does not have the artifact.

        """
        if artifact not in self.knobs:
            raise ArtifactError(
                f"the {self.name} grid has no levels of this artifact",
                repr(artifact),
                "pass knob=, take grid='physical', or calibrate one",
            )
        return self.knobs[artifact]

    @classmethod
    def from_record(cls, record: Mapping[str, Any], name: str) -> Self:
        """Read what `mrisweep calibrate` writes.

        Raises:
            ArtifactError: Another format, or knob values that do not rise.

        """
        if {key: record.get(key) for key in RECORD_FORMAT} != RECORD_FORMAT:
            raise ArtifactError(
                "the levels were not written by `mrisweep calibrate`, version 1",
                f"format {record.get('format')!r}, version {record.get('version')!r}",
                "write the file again with `mrisweep calibrate` of this version",
            )
        knobs = {key: tuple(row["values"]) for key, row in record["artifacts"].items()}
        for artifact, values in knobs.items():
            _check_rising(artifact, values)
        return cls(name, knobs)


def _check_rising(artifact: str, values: LevelKnobs) -> None:
    reached = [0.0, *(value for value in values if value is not None)]
    if len(values) != len(LEVELS) or sorted(set(reached)) != reached:
        raise ArtifactError(
            f"the knob values of {artifact!r} are not {len(LEVELS)} that rise from above 0, "
            "with null where a level is not reached",
            list(values),
            "write the file again with `mrisweep calibrate`",
        )


def calibrated_record() -> dict[str, Any]:
    """Return the table that ships: how it was made, the values, and what they reach."""
    record: dict[str, Any] = json.loads((files(__package__) / "levels.json").read_text("utf-8"))
    return record


def resolve_grid(grid: Grid | str, knobs: Mapping[str, Knob]) -> Grid:
    """A grid as it is, or one that ships, by its name.

    Args:
        grid: A grid, or one of ``GRIDS``.
        knobs: The knobs of the artifacts that the grid of physical values is to have.

    Raises:
        ArtifactError: Another name.

    """
    if isinstance(grid, Grid):
        return grid
    if grid == "physical":
        return Grid(grid, {name: knob.physical for name, knob in knobs.items()})
    if grid == "calibrated":
        return _calibrated()
    raise ArtifactError(
        "there is no such grid of levels",
        repr(grid),
        f"take one of {', '.join(map(repr, GRIDS))}, or read a file of `mrisweep calibrate` with "
        "Grid.from_record",
    )


@cache
def _calibrated() -> Grid:
    return Grid.from_record(calibrated_record(), "calibrated")
