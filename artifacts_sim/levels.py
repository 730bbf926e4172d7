"""Severity: every artifact's one physical knob, and the grids that give its values at levels.

A level is a name for a knob value. Two grids ship: `calibrated`, at whose levels all artifacts
reach the same mean SSIM on a reference set, and `physical`, round values of each artifact's own
scale. Equal SSIM is not equal diagnostic damage: a level is no currency between artifacts.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Self

import numpy as np

from artifacts_sim.catalogue import GRIDS, LEVELS
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.limits import checked_knob
from artifacts_sim.params import KnobValues
from artifacts_sim.values import check_kind, is_listed, is_whole, number, plain

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

    Raises:
        ArtifactError: The physical values do not rise, or end above the limit.

    """

    name: str
    meaning: str
    physical: tuple[float, float, float, float, float]
    limit: float

    def __post_init__(self) -> None:
        highest = _rising(self.name, self.physical)[-1]
        if highest is None or not highest <= number(self.limit) < math.inf:
            raise ArtifactError(
                "the knob has no finite limit that its highest physical value keeps",
                f"limit={shown(self.limit)}, physical={shown(self.physical)}",
                "give the largest value that has a physical meaning",
            )

    def checked(self, value: object) -> KnobValues:
        """Return knob values as Python's float, as an array of them, or as the tensor it is.

        Args:
            value: One number for all slices, or one for each.

        Raises:
            ArtifactError: One is outside [0, limit], or not a number.

        """
        if type(value) is float and 0 < value <= self.limit:
            return value
        knob = checked_knob(value)
        numbers = np.ravel(np.nan if knob is None else plain(knob))
        outside = numbers[~((numbers >= 0) & (numbers <= self.limit))]
        if knob is None or outside.size:
            raise ArtifactError(
                f"the knob {self.name} is not a finite number from 0 (identity) to {self.limit:g} "
                f"({self.meaning})",
                shown(value if knob is None else float(outside[0])),
                "take a value in this range, such as its physical levels 1 to 5: "
                + ", ".join(f"{level:g}" for level in self.physical),
            )
        return knob


@dataclass(frozen=True)
class Grid:
    """Knob values of levels, by artifact.

    Attributes:
        name: What it is called in messages.
        knobs: The knob values of all levels, by artifact.

    Raises:
        ArtifactError: The knob values of an artifact are not five that rise from above 0, with None
            where a level is not reached.

    """

    name: str
    knobs: Mapping[str, LevelKnobs]

    def __post_init__(self) -> None:
        check_kind(self.name, str, "the name of a grid of levels is not text", "name it")
        check_kind(
            self.knobs,
            Mapping,
            "the knob values of a grid are not by artifact",
            "pass for example {'bias': (0.3, 0.6, 1.0, 1.5, 2.2)}",
        )
        rising = {name: _rising(name, values) for name, values in self.knobs.items()}
        object.__setattr__(self, "knobs", rising)

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
        at = plain(level)
        if not is_whole(at, 0, LEVELS[-1]):
            raise ArtifactError(
                "there is no such level",
                shown(level),
                f"take 0 (identity) to {LEVELS[-1]}, "
                "or pass knob= in the knob's unit for a severity in between",
            )
        return self.knobs_of(artifact)[at - 1] if at else 0.0

    def knobs_of(self, artifact: str) -> LevelKnobs:
        """Return an artifact's values of levels 1 to 5, None where it does not reach one.

        Raises:
            ArtifactError: The grid does not have the artifact.

        """
        if not isinstance(artifact, str) or artifact not in self.knobs:
            raise ArtifactError(
                f"the {self.name} grid has no levels of this artifact",
                shown(artifact),
                "pass knob=, take grid='physical', or calibrate one",
            )
        return self.knobs[artifact]

    @classmethod
    def from_record(cls, record: Mapping[str, Any], name: str) -> Self:
        """Read what `mrisweep calibrate` writes.

        Raises:
            ArtifactError: Another format, or knob values that do not rise.

        """
        known = record if isinstance(record, Mapping) else {}
        rows = known.get("artifacts")
        written = {key: known.get(key) for key in RECORD_FORMAT} == RECORD_FORMAT
        if not written or not isinstance(rows, Mapping):
            raise ArtifactError(
                "the levels were not written by `mrisweep calibrate`, version 1",
                f"format {shown(known.get('format'))}, version {shown(known.get('version'))}"
                if known
                else shown(record),
                "write the file again with `mrisweep calibrate` of this version",
            )
        knobs: dict[str, Any] = {
            artifact: row.get("values") if isinstance(row, Mapping) else row
            for artifact, row in rows.items()
        }
        return cls(name, knobs)


def _rising(artifact: object, values: object) -> LevelKnobs:
    listed = plain(values)
    several = list(listed) if is_listed(listed) else []
    knobs = tuple(None if one is None else number(plain(one)) for one in several)
    reached = [0.0, *(knob for knob in knobs if knob is not None), math.inf]
    falls = any(not low < high for low, high in pairwise(reached))
    if not isinstance(artifact, str) or len(knobs) != len(LEVELS) or falls:
        raise ArtifactError(
            f"the knob values of {shown(artifact)} are not {len(LEVELS)} that rise from above 0, "
            "with null where a level is not reached",
            shown(several or values),
            "give as many rising values, or write the file again with `mrisweep calibrate`",
        )
    return knobs


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
    name = grid if isinstance(grid, str) else ""
    if name == "physical":
        return Grid(name, {artifact: knob.physical for artifact, knob in knobs.items()})
    if name == "calibrated":
        return _calibrated()
    raise ArtifactError(
        "there is no such grid of levels",
        shown(grid),
        f"take one of {', '.join(map(repr, GRIDS))}, or read a file of `mrisweep calibrate` with "
        "Grid.from_record",
    )


@cache
def _calibrated() -> Grid:
    return Grid.from_record(calibrated_record(), "calibrated")
