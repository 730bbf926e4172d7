"""Plain values, whoever gives them: numbers, lists, records, keys, seeds and places of slices."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError, shown

_SEED_BITS = 128
_MOST_NUMBERS = 2**31
AS_GIVEN = "pass what `sample` or `to_dict` gave, unaltered"


def plain(value: Any) -> Any:
    """Give NumPy's and torch's numbers and arrays as Python's; anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().tolist() if has_values(value) else value
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def number(value: object) -> float:
    """Give a number as Python's float: NaN where it is none, infinite where it is too large.

    A truth value is no number, nor is text.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def is_whole(value: object, least: float, most: float) -> TypeGuard[int]:
    """Whether it is a whole number, by its type, too, from the least to the most."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and least <= int(value) <= most  # type: ignore[call-overload]


def is_listed(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a row of things, not text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_kind(value: object, kind: type, what: str, remedy: str) -> None:
    """Check that something is of a class.

    Args:
        value: What was received.
        kind: The class.
        what: What it is to be, such as ``the geometry of an image is not a Geometry``.
        remedy: What to do.

    Raises:
        ArtifactError: It is of another class.

    """
    if not isinstance(value, kind):
        raise ArtifactError(what, shown(value), remedy)


def check_record(record: object, known: Sequence[str], what: str = "the record") -> None:
    """Check that a record, as read from JSON, has these fields and no others.

    Raises:
        ArtifactError: It has others, or is no record.

    """
    if not isinstance(record, Mapping) or set(record) != set(known):
        raise ArtifactError(
            f"{what} does not have exactly the fields {', '.join(known)}",
            shown(sorted(map(str, record)) if isinstance(record, Mapping) else record),
            "pass what `to_dict` gave",
        )


def checked_rows(values: object, what: str) -> list[Any]:
    """Return a list of a record.

    Raises:
        ArtifactError: It is no list.

    """
    if not is_listed(values):
        raise ArtifactError(f"{what} of the record are not a list", shown(values), AS_GIVEN)
    return list(values)


def checked_keys(keys: Any) -> list[str]:
    """Return keys as a list.

    Raises:
        ArtifactError: A bare string, nothing, or a key that is not text, or not Unicode.

    """
    listed = plain(keys)
    if not is_listed(listed) or not listed or not all(isinstance(key, str) for key in listed):
        raise ArtifactError(
            "the keys are not one string per slice, at least one",
            shown(keys),
            "pass for example keys=['patient-17/slice-4']",
        )
    try:
        "".join(listed).encode()
    except UnicodeEncodeError as error:
        raise ArtifactError(
            "the keys are not text of Unicode characters",
            f"half of a surrogate pair, {error.object[error.start]!a}",
            "decode the keys anew, or replace such characters, "
            "for example key.encode('utf-8', 'replace').decode()",
        ) from None
    return list(listed)


def check_one_each(keys: Sequence[str], name: str, given: Sequence[Any]) -> None:
    """Check that something is given for each of the keys.

    Raises:
        ArtifactError: There are more or fewer.

    """
    if len(given) != len(keys):
        raise ArtifactError(
            f"there is not one {name} per slice",
            f"{len(given)} {name}s for {len(keys)} keys",
            f"give each slice its {name}, or leave {name}s out",
        )


def checked_places(numbers: Any) -> list[int]:
    """Return the numbers of slices in their scans as Python's.

    Raises:
        ArtifactError: They are not whole numbers from 0.

    """
    listed = plain(numbers)
    if not is_listed(listed) or not all(is_whole(one, 0, _MOST_NUMBERS - 1) for one in listed):
        raise ArtifactError(
            "the numbers of slices in their scans are not whole numbers from 0",
            shown(numbers),
            "count the slices of each scan from 0, or leave numbers out",
        )
    return [int(one) for one in listed]


def checked_slices(part: Any, batch: int) -> NDArray[np.int64]:
    """Return the numbers of the slices of a batch that an index takes: at least one.

    Args:
        part: A number, which may count from the end; a slice; numbers, or a truth value for each
            slice, as a list, an array or a tensor.
        batch: B.

    Raises:
        ArtifactError: It is none of these, takes nothing, or one is outside of the batch.

    """
    taken = np.empty(0, np.int64)
    try:
        index = part if isinstance(part, slice) else np.asarray(plain(part))
        if isinstance(index, slice) or index.dtype.kind in ("iu", "iub")[index.ndim]:
            taken = np.arange(batch)[index].reshape(-1).copy()
    except (IndexError, TypeError, ValueError):  # as NumPy says of what is no index
        pass
    if not taken.size:
        raise ArtifactError(
            "the index does not take one or more slices of the batch",
            f"{shown(part)} of {batch} slices",
            f"number the slices from 0 to {batch - 1}, or pass a slice, or a truth value for each",
        )
    return taken


def checked_axis(axis: object, count: int) -> int:
    """Return the number of an axis, which may count from the end, as Python's.

    Raises:
        ArtifactError: There is no such axis among so many.

    """
    axis = plain(axis)
    if not is_whole(axis, -count, count - 1):
        raise ArtifactError(
            "slice_axis is not the number of an axis",
            f"{shown(axis)} for {count} axes",
            f"take {-count} to {count - 1}, or None where there are no volumes",
        )
    return int(axis)


def check_seed(seed: object, name: str = "seed") -> int:
    """Return a seed as a Python integer.

    Raises:
        ArtifactError: It is not a whole number, or has more than 128 bits.

    """
    seed = plain(seed)
    if not is_whole(seed, -(2**_SEED_BITS), 2**_SEED_BITS):
        raise ArtifactError(
            f"the {name} is not a whole number of at most {_SEED_BITS} bits",
            shown(seed),
            f"pass for example {name}=0",
        )
    return int(seed)


def check_severity(level: object, knob: object) -> None:
    """Check that exactly one of a level and a knob value is given.

    Raises:
        ArtifactError: Both or neither.

    """
    if (level is None) == (knob is None):
        raise ArtifactError(
            "the severity is not one of a level and a knob value",
            f"level={shown(level)} and knob={shown(knob)}",
            "pass exactly one of them",
        )


def has_values(x: Tensor) -> bool:
    """Whether a tensor has numbers to look at, one for each element."""
    return x.layout is torch.strided and not x.is_meta and not x.is_nested
