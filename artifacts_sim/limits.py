"""What an artifact may be set to, and what may be drawn for it: options, knobs, draws."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.values import AS_GIVEN, is_listed, is_whole, number, plain

_DRAWN = (np.dtype(np.float64), np.dtype(np.int64))
MAX_COUNT = 1000  # of what an option counts
MAX_COILS = 256


def checked_knob(value: Any) -> float | NDArray[np.float64] | Tensor | None:
    """Return knob values as Python's float, as an array of them, or as the tensor that records.

    Args:
        value: One number for all slices, or one for each.

    Returns:
        None where it is neither; the numbers may lie anywhere.

    """
    listed = plain(value)
    several = is_listed(listed)
    values = [number(plain(one)) for one in (listed if several else [listed])]
    if not values or any(map(math.isnan, values)):
        return None
    if isinstance(value, Tensor) and value.requires_grad:
        return value
    return np.array(values) + 0.0 if several else values[0] + 0.0  # -0.0 is 0.0


def checked_draws(draws: Any) -> dict[str, NDArray[Any]]:
    """Return draws as arrays of float64 or int64, of one row per slice.

    Raises:
        ArtifactError: They are not rows of numbers under names.

    """
    named = isinstance(draws, Mapping) and all(isinstance(name, str) for name in draws)
    arrays = {name: _rows(values) for name, values in draws.items()} if named else {}
    wrong = [f"{name}={shown(draws[name])}" for name, rows in arrays.items() if rows is None]
    if wrong or not arrays:
        raise ArtifactError(
            "the draws are not numbers under names, one row per slice",
            wrong[0] if wrong else shown(draws),
            AS_GIVEN,
        )
    return {name: rows for name, rows in arrays.items() if rows is not None}


def _rows(values: Any) -> NDArray[Any] | None:
    if isinstance(values, np.ndarray) and values.ndim and values.dtype in _DRAWN:
        return values
    try:
        array = np.asarray(plain(values) if isinstance(values, Tensor) else values)
    except (TypeError, ValueError):  # of rows that differ in length
        return None
    kind = {"i": np.int64, "u": np.int64, "f": np.float64}.get(array.dtype.kind)
    fits = kind is not None and array.ndim > 0 and array.dtype != np.uint64
    return array.astype(kind, copy=False) if fits else None


def check_finite_draws(draws: Mapping[str, NDArray[Any]]) -> None:
    """Check that draws are finite.

    Raises:
        ArtifactError: One is not.

    """
    for name, array in draws.items():
        # A sum of squares costs a third of looking at each number; where it overflows, none is
        # drawn either.
        if array.dtype.kind == "f" and not math.isfinite(np.vdot(array, array)):
            raise ArtifactError(
                "the draws are not finite numbers", f"{name}={shown(array.tolist())}", AS_GIVEN
            )


def check_params(
    name: str, options: Mapping[str, Any], params: Any, batch: int, drawn: Mapping[str, Any]
) -> None:
    """Check that params belong to this artifact and to this batch.

    Args:
        name: Of the artifact.
        options: Of the artifact.
        params: What are to be its params.
        batch: B.
        drawn: What the artifact draws for one slice.

    Raises:
        ArtifactError: They are another artifact's, or for another number of slices, or altered to
            what is never drawn.

    """
    if (params.name, params.options) != (name, options):
        raise ArtifactError(
            f"the params were not drawn by this artifact, {name!r} with {options}",
            f"params of {params.name!r} with {params.options}",
            "use artifacts_sim.drawn_by(params)",
        )
    if len(params) != batch:
        raise ArtifactError(
            "the params do not hold one draw per slice",
            f"{len(params)} draws for a batch of {batch}",
            "sample with one key per slice",
        )
    given = params.draws
    if given.keys() != drawn.keys() or any(
        given[key].shape[1:] != one.shape[1:]
        or (one.dtype.kind == "i" and given[key].dtype.kind != "i")
        for key, one in drawn.items()
    ):
        raise ArtifactError(
            f"the draws are not those of {name}: "
            + ", ".join(f"{key} {_form(one)}" for key, one in drawn.items()),
            ", ".join(f"{key} {_form(one)}" for key, one in given.items()),
            AS_GIVEN,
        )
    check_finite_draws(given)


def _form(array: NDArray[Any]) -> str:
    return f"(B{''.join(f', {size}' for size in array.shape[1:])}) {array.dtype}"


def check_count(name: str, value: object, least: int, most: int = MAX_COUNT) -> None:
    """Check that an option of an artifact counts something.

    Raises:
        ArtifactError: It is not whole, too small, or more than a scanner has.

    """
    law = f"a whole number from {least} to {most}"
    check_option(name, value, law, is_whole(value, least, most))


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Check that an option of an artifact lies where its physics does.

    Raises:
        ArtifactError: It does not.

    """
    check_option(name, value, f"a number from {low:g} to {high:g}", low <= value <= high)


def check_option(name: str, value: object, law: str, holds: bool) -> None:
    """Check that an option of an artifact is what it must be.

    Raises:
        ArtifactError: It is not.

    """
    if not holds:
        raise ArtifactError(
            f"the option {name} is not {law}",
            shown(value),
            f"correct {name}, or leave it out to take its default",
        )
