"""What was drawn: plain numbers that replay an artifact on any device, in any process."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError

Draws = Mapping[str, NDArray[Any]]
"""Named nuisance draws; every array is (B, ...), one entry per slice, float64 or int64."""
Options = Mapping[str, Any]
"""What kind of the artifact it is, by option name: numbers, strings, truth values."""
KnobValues = float | NDArray[np.float64] | Tensor
"""One knob value for all slices, or (B,), one for each; a tensor may record gradients."""
_FIELDS = ("name", "options", "knob", "draws")


@dataclass(frozen=True, eq=False)
class Params:
    """One artifact's parameters for a batch of B slices.

    Attributes:
        name: The artifact.
        options: Its options, all of them.
        knob: Its severity in the knob's physical unit; 0 = identity.
        draws: The nuisance draws, which do not depend on the knob; read-only arrays.

    Raises:
        ArtifactError: The draws, or the knob values, are not one for each slice.

    """

    name: str
    options: Options
    knob: KnobValues
    draws: Draws

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.draws.items()}
        if not self._is_one_knob:
            lengths["knob"] = len(self.knob)  # type: ignore[arg-type]
        if len(set(lengths.values())) != 1 or not self.draws:
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
        knob = self.knob if self._is_one_knob else self.knob[part]  # type: ignore[index]
        return type(self)(self.name, self.options, knob, draws)

    def with_knob(self, knob: KnobValues) -> Self:
        """The same draws at another severity, such as a tensor that records gradients."""
        return replace(self, knob=knob)

    @property
    def knobs(self) -> Tensor:
        """The knob value of every slice: (B,) float64 on the CPU, with its gradient."""
        if isinstance(self.knob, float):
            return torch.full((len(self),), self.knob, dtype=torch.float64)
        values = torch.as_tensor(self.knob, dtype=torch.float64, device="cpu")
        return values.expand(len(self)) if values.ndim == 0 else values

    @property
    def records_gradients(self) -> bool:
        """Whether the knob is a tensor that records gradients."""
        return isinstance(self.knob, Tensor) and self.knob.requires_grad

    @property
    def _is_one_knob(self) -> bool:
        return np.ndim(self.knob) == 0 if not isinstance(self.knob, Tensor) else not self.knob.ndim

    def to_dict(self) -> dict[str, Any]:
        """Write as names, numbers and nested lists only, so that JSON keeps every bit."""
        draws = {name: array.tolist() for name, array in self.draws.items()}
        knob = self.knob if isinstance(self.knob, float | int) else self.knob.tolist()
        return {"name": self.name, "options": dict(self.options), "knob": knob, "draws": draws}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Undo `to_dict`.

        Raises:
            ArtifactError: A field is missing or unknown, or the draws differ in length.

        """
        if not isinstance(record, Mapping) or set(record) != set(_FIELDS):
            raise ArtifactError(
                f"the record of params does not have exactly the fields {', '.join(_FIELDS)}",
                sorted(record) if isinstance(record, Mapping) else f"{record!r:.100}",
                "pass what `to_dict` gave",
            )
        draws = {name: np.asarray(values) for name, values in record["draws"].items()}
        knob = record["knob"]
        knob = np.asarray(knob, dtype=np.float64) if isinstance(knob, list) else knob
        options = {name: _as_option(value) for name, value in record["options"].items()}
        return cls(record["name"], options, knob, draws)


def as_tensors(draws: Draws) -> dict[str, Tensor]:
    """Copy draws to tensors on the CPU, each in its own type."""
    return {name: torch.tensor(array) for name, array in draws.items()}


def _as_option(value: Any) -> Any:
    """JSON has lists where options have tuples."""
    return tuple(map(_as_option, value)) if isinstance(value, list) else value


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
