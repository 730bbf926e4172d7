"""What was drawn: plain numbers that replay an artifact on any device, in any process."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.limits import check_finite_draws, checked_draws, checked_knob
from artifacts_sim.values import check_kind, check_record, checked_slices, plain

Draws = Mapping[str, NDArray[Any]]
"""Named nuisance draws; every array is (B, ...), one entry per slice, float64 or int64."""
Options = Mapping[str, Any]
"""What kind of the artifact it is, by option name: numbers, strings, truth values."""
KnobValues = float | NDArray[np.float64] | Tensor
"""One knob value for all slices, or (B,), one for each; a tensor may record gradients."""
_FIELDS = ("name", "options", "knob", "draws")
_REMEDY = "pass what `sample` or `to_dict` gave, unaltered"


@dataclass(frozen=True, eq=False)
class Params:
    """One artifact's parameters for a batch of B slices.

    Attributes:
        name: The artifact.
        options: Its options, all of them.
        knob: Its severity in the knob's physical unit; 0 = identity.
        draws: The nuisance draws, which do not depend on the knob; read-only arrays.

    Raises:
        ArtifactError: The draws, or the knob values, are no numbers, or not one for each slice.

    """

    name: str
    options: Options
    knob: KnobValues
    draws: Draws

    def __post_init__(self) -> None:
        check_kind(self.name, str, "the name of the artifact of params is not text", _REMEDY)
        check_kind(self.options, Mapping, "the options of params are not under names", _REMEDY)
        if type(self.knob) is not float:
            knob = checked_knob(self.knob)
            if knob is None:
                raise ArtifactError(
                    "the knob of params is not a number, or one for each slice",
                    shown(self.knob),
                    _REMEDY,
                )
            object.__setattr__(self, "knob", knob)
        draws = checked_draws(self.draws)
        lengths = {name: len(array) for name, array in draws.items()}
        if not self._is_one_knob:
            lengths["knob"] = len(self.knob)  # type: ignore[arg-type]
        if len(set(lengths.values())) != 1 or not len(self):
            raise ArtifactError(
                "the draws do not hold one entry per slice, the same number under every name",
                lengths,
                _REMEDY,
            )
        object.__setattr__(self, "draws", {k: _read_only(array) for k, array in draws.items()})

    def __len__(self) -> int:
        """Count the slices, B."""
        return len(next(iter(self.draws.values())))

    def __getitem__(self, part: Any) -> Self:
        """Take the parameters of some of the slices: see `KSpace`.

        Raises:
            ArtifactError: The index takes none, or is no index of them.

        """
        at = part if isinstance(part, slice) else checked_slices(part, len(self))
        draws = {name: array[at] for name, array in self.draws.items()}
        knob = self.knob if self._is_one_knob else self.knob[at]  # type: ignore[index]
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
            ArtifactError: A field is missing or unknown; or the draws are not finite numbers, or
                differ in length.

        """
        check_record(record, _FIELDS, "the record of params")
        check_kind(record["options"], Mapping, "the options of params are not named", _REMEDY)
        options = {name: _as_option(value) for name, value in record["options"].items()}
        params = cls(record["name"], options, record["knob"], record["draws"])
        check_finite_draws(params.draws)
        return params


def checked_params(params: object) -> Params:
    """Return what are to be params.

    Raises:
        ArtifactError: They are of another class.

    """
    if not isinstance(params, Params):
        raise ArtifactError("the params are not what `sample` gives", shown(params), "pass Params")
    return params


def as_tensors(draws: Draws) -> dict[str, Tensor]:
    """Copy draws to tensors on the CPU, each in its own type."""
    return {name: torch.tensor(array) for name, array in draws.items()}


def _as_option(value: Any) -> Any:
    """JSON has lists where options have tuples."""
    value = plain(value)
    return tuple(map(_as_option, value)) if isinstance(value, list) else value


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
