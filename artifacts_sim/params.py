"""What was drawn: plain numbers that replay an artifact on any device, in any process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from artifacts_sim.errors import ArtifactError

Draws = Mapping[str, NDArray[Any]]
"""Named nuisance draws; every array is (B, ...), one entry per slice, float64 or int64."""
Options = Mapping[str, Any]
"""What kind of the artifact it is, by option name: numbers, strings, truth values."""
_FIELDS = ("name", "options", "knob", "draws")


@dataclass(frozen=True, eq=False)
class Params:
    """One artifact's parameters for a batch of B slices.

    Attributes:
        name: The artifact.
        options: Its options, all of them.
        knob: Its severity in the knob's physical unit; 0 = identity.
        draws: The nuisance draws, which do not depend on the knob; read-only arrays.

    """

    name: str
    options: Options
    knob: float
    draws: Draws

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.draws.items()}
        if len(set(lengths.values())) != 1:
            raise ArtifactError(
                "the draws do not hold one entry per slice, the same number under every name",
                lengths,
                "pass what `sample` or `to_dict` gave, unaltered",
            )
        frozen = {name: _read_only(array) for name, array in self.draws.items()}
        object.__setattr__(self, "draws", frozen)

    def __len__(self) -> int:
        """Count the slices, B."""
        return len(next(iter(self.draws.values())))

    def __getitem__(self, part: slice | NDArray[np.int64]) -> Self:
        """Take the parameters of some of the slices."""
        draws = {name: array[part] for name, array in self.draws.items()}
        return type(self)(self.name, self.options, self.knob, draws)

    def to_dict(self) -> dict[str, Any]:
        """Write as names, numbers and nested lists only, so that JSON keeps every bit."""
        draws = {name: array.tolist() for name, array in self.draws.items()}
        return {
            "name": self.name,
            "options": dict(self.options),
            "knob": self.knob,
            "draws": draws,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`.

        Raises:
            ArtifactError: A field is missing or unknown, or the draws differ in length.

        """
        if set(record) != set(_FIELDS):
            raise ArtifactError(
                f"the record of params does not have exactly the fields {', '.join(_FIELDS)}",
                sorted(record),
                "pass what `to_dict` gave",
            )
        draws = {name: np.asarray(values) for name, values in record["draws"].items()}
        return cls(record["name"], dict(record["options"]), record["knob"], draws)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
