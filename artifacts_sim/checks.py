"""What the public functions refuse, each with what is wrong, what was received, and the remedy."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError, shown

MAX_PIXEL = 1e15  # squares of sums of such pixels still fit float32
_REAL = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COMPLEX = (torch.complex64, torch.complex128)
_MAX_PIXEL_BITS = int(np.float32(MAX_PIXEL).view(np.int32))
_DRAWN = (np.dtype(np.float64), np.dtype(np.int64))
_SEED_BITS = 128
_MOST_NUMBERS = 2**31
_MOST_SAMPLES = 2**16  # along an axis
_PIXELS_MM = (1e-4, 1e4)
MAX_COUNT = 1000  # of what an option counts
MAX_COILS = 256

Kind = TypeVar("Kind")


def plain(value: Any) -> Any:
    """Give NumPy's and torch's numbers and arrays as Python's; anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().tolist() if _has_values(value) else value
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
        raise ArtifactError(f"{what} of the record are not a list", shown(values), _AS_GIVEN)
    return list(values)


_AS_GIVEN = "pass what `sample` or `to_dict` gave, unaltered"


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


def check_image(x: Tensor) -> None:
    """Check that an image is (B, H, W), a magnitude or complex, non-empty, finite.

    Raises:
        ArtifactError: Any of these fails.

    """
    if not isinstance(x, Tensor) or x.ndim != 3 or x.numel() == 0:
        raise ArtifactError(
            "the image x is not a non-empty tensor of shape (B, H, W)",
            _shape(x),
            "add or merge axes, for example x[None] or x.flatten(0, 1); or use "
            "artifacts_sim.Transform, which takes other shapes",
        )
    check_pixels(x)
    _check_finite(
        x, "apply artifacts to magnitudes, before any standardisation, or to a complex image"
    )


def check_pixels(x: Tensor) -> None:
    """Check that an image has values, of a type that artifacts compute in; not the values.

    Raises:
        ArtifactError: It has not.

    """
    if x.dtype not in (*_REAL, *_COMPLEX):
        raise ArtifactError(
            "the image x is neither a magnitude of a floating type nor complex64 or complex128",
            x.dtype,
            "convert it with x.float() or x.to(torch.complex64)",
        )
    _check_values("the image x", x)


def _check_values(what: str, x: Tensor) -> None:
    if not _has_values(x):
        raise ArtifactError(
            f"{what} is not a dense tensor on a device that holds values",
            f"{x.layout} on {x.device}",
            "load it to the CPU or a GPU, or convert it with to_dense()",
        )


def _has_values(x: Tensor) -> bool:
    return x.layout is torch.strided and not x.is_meta and not x.is_nested


def _shape(x: object) -> object:
    return tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__


def check_kspace(samples: Tensor) -> None:
    """Check that samples are (B, [coil,] RO, PE) complex, non-empty, finite.

    Raises:
        ArtifactError: Any of these fails.

    """
    is_tensor = isinstance(samples, Tensor)
    if not is_tensor or samples.ndim not in (3, 4) or samples.numel() == 0:
        raise ArtifactError(
            "the k-space is not a non-empty tensor of shape (B, RO, PE) or (B, coil, RO, PE)",
            _shape(samples),
            "add an axis, for example k[None]",
        )
    _check_values("the k-space", samples)
    if samples.dtype not in _COMPLEX:
        raise ArtifactError(
            "the k-space is neither complex64 nor complex128",
            samples.dtype,
            "convert it with k.to(torch.complex64), "
            "or torch.view_as_complex where the last axis holds both parts",
        )
    _check_finite(samples, "repair or drop the slice")


def check_device(to: object) -> None:
    """Check that k-space can be brought to a device or a type.

    Raises:
        ArtifactError: There is no such device here, or it is a type that k-space does not have.

    """
    try:
        known = to in _COMPLEX if isinstance(to, torch.dtype) else _is_there(to)
    except (
        AssertionError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # as torch says of names and of devices
        known = False
    if not known:
        raise ArtifactError(
            "k-space cannot be brought there",
            shown(to),
            "name a device of this machine, or torch.complex64 or torch.complex128",
        )


def _is_there(to: Any) -> bool:
    return not isinstance(to, bool) and not torch.empty(1, device=torch.device(to)).is_meta


def check_no_display(on_display: Iterable[str]) -> None:
    """Check that no artifact of a chain acts on what is made of the k-space.

    Args:
        on_display: The names of those that do.

    Raises:
        ArtifactError: One does.

    """
    names = list(on_display)
    if names:
        raise ArtifactError(
            "an artifact acts on what is made of the k-space, not on the k-space",
            ", ".join(map(repr, names)),
            "use `apply`, which returns the magnitude",
        )


def check_no_geometry(geometry: object) -> None:
    """Check that k-space, which has its own geometry, does not come with another.

    Raises:
        ArtifactError: It does.

    """
    if geometry is not None:
        raise ArtifactError(
            "the k-space has its own geometry, and comes with a second one",
            geometry,
            "pass the geometry to KSpace only",
        )


def check_whole_object(acquired: NDArray[np.bool_], on_object: Iterable[str]) -> None:
    """Check that nothing is to act on an object that was measured with gaps between its lines.

    Args:
        acquired: (PE,), the lines that were measured.
        on_object: The names of the artifacts that move, shade or fold the object.

    Raises:
        ArtifactError: There are gaps, and an artifact.

    """
    names, (measured,) = list(on_object), np.nonzero(acquired)
    gaps = measured[-1] - measured[0] + 1 - len(measured)
    if names and gaps:
        raise ArtifactError(
            "an artifact acts on the object, which is not known where lines within the measured "
            "ones are missing",
            f"{', '.join(map(repr, names))} on {len(measured)} lines with {gaps} missing between "
            "them",
            "reconstruct the image first, or use artifacts of the lines, or such as noise, that "
            "come after them",
        )


def check_is_kspace(kspace: object) -> None:
    """Check that k-space comes as `KSpace`.

    Raises:
        ArtifactError: It does not.

    """
    if not hasattr(kspace, "samples"):
        raise ArtifactError(
            "what is to be corrupted is not a KSpace",
            type(kspace).__name__,
            "wrap the samples, KSpace(samples, Geometry(...)), or use `apply` on an image",
        )


def check_geometry(geometry: object, kind: type) -> None:
    """Check that a geometry, where given, is one.

    Raises:
        ArtifactError: It is not.

    """
    if geometry is not None and not isinstance(geometry, kind):
        raise ArtifactError(
            "the geometry of an image is not a Geometry", shown(geometry), "pass Geometry(...)"
        )


def checked_sizes(name: str, sizes: object) -> tuple[int, int]:
    """Return two sizes of a matrix as Python's.

    Raises:
        ArtifactError: They are not two whole numbers above 0.

    """
    listed = plain(sizes)
    listed = [plain(one) for one in listed] if is_listed(listed) else []
    if len(listed) != 2 or not all(is_whole(one, 1, _MOST_SAMPLES) for one in listed):
        raise ArtifactError(
            f"{name} is not two whole numbers above 0, (RO, PE), at most {_MOST_SAMPLES}",
            shown(sizes),
            f"give the sizes along readout and phase encode, or leave {name} out",
        )
    return int(listed[0]), int(listed[1])


def check_pixel_sizes(pixel_mm: object) -> None:
    """Check that pixel sizes are (RO, PE) in mm, of all slices or of each.

    Raises:
        ArtifactError: They are not, or no image has such pixels.

    """
    low, high = _PIXELS_MM
    rows = [plain(one) for one in plain(pixel_mm)] if is_listed(plain(pixel_mm)) else []
    rows = rows if any(map(is_listed, rows)) else [rows]
    pairs = all(is_listed(row) and len(row) == 2 for row in rows)
    if not pairs or not all(low <= number(plain(one)) <= high for row in rows for one in row):
        raise ArtifactError(
            "the pixel sizes are not finite numbers above 0 mm, (RO, PE), for all slices or each, "
            f"from {low:g} to {high:g}",
            shown(pixel_mm),
            "give the size of a pixel along RO and PE, or leave pixel_mm out",
        )


def checked_lines(lines: Any) -> NDArray[Any] | None:
    """Return numbers or truth values of lines as an array; None where they are neither."""
    try:
        given = np.asarray(plain(lines))
    except (TypeError, ValueError):
        return None
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iub":
        return None
    if given.dtype.kind == "b":
        return given if given.any() else None
    return given if given.min() >= 0 and len(np.unique(given)) == len(given) else None


def check_pixel_count(pixel_mm: object, batch: int) -> None:
    """Check that pixel sizes are one for all slices, or one for each.

    Raises:
        ArtifactError: They are not.

    """
    count = len(np.array(pixel_mm, ndmin=2)) if pixel_mm is not None else 1
    if count not in (1, batch):
        raise ArtifactError(
            "there is not one pixel size per slice",
            f"{count} pixel sizes for {batch} slices",
            "pass one (RO, PE) for each slice, or one for all",
        )


def check_one_size(encoded: Sequence[tuple[int, int]]) -> None:
    """Check that k-space of several slices ends in one size.

    Raises:
        ArtifactError: It does not, as their fields of view differ.

    """
    sizes = sorted(set(encoded))
    if len(sizes) > 1:
        raise ArtifactError(
            "the slices end in k-space of different sizes, as their fields of view differ",
            " and ".join(map(str, sizes)),
            "corrupt the slices of each knob value apart",
        )


def check_fat(fat: Tensor, shape: tuple[int, ...]) -> None:
    """Check that a map of fat holds fractions, for the image that is shown.

    Raises:
        ArtifactError: It does not.

    """
    floating = isinstance(fat, Tensor) and fat.dtype in _REAL
    if not floating or tuple(fat.shape) != shape:
        raise ArtifactError(
            f"the map of fat is not floating numbers of the shape that is shown, {shape}",
            (fat.dtype, _shape(fat)) if isinstance(fat, Tensor) else _shape(fat),
            "convert it with fat.float(), or crop it as the image",
        )
    _check_values("the map of fat", fat)
    low, high = (float(value) for value in fat.aminmax())
    if not (low >= 0 and high <= 1):  # true for NaN, too
        raise ArtifactError(
            "the map of fat does not hold fractions from 0 to 1",
            f"{low:g} to {high:g}",
            "divide fat by fat + water",
        )


def _check_finite(x: Tensor, remedy: str) -> None:
    x = x.detach()
    if x.dtype == torch.float32 and _bits_in_range(x):
        return
    parts = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
    low, high = (float(value) for value in torch.stack(parts.aminmax()).tolist())
    floor = -MAX_PIXEL if x.is_complex() else 0.0
    if not (floor <= low and high <= MAX_PIXEL):  # false for NaN, too
        raise ArtifactError(
            f"the values are not finite numbers from {floor:g} to {MAX_PIXEL:g}",
            f"{low:g} to {high:g}",
            remedy,
        )


def _bits_in_range(x: Tensor) -> bool:
    """Whether 0 <= x <= MAX_PIXEL, by the bits; -0.0, too, is answered with no.

    Read as integers, such floats rise with their value, infinity and NaN lie above, and the sign
    makes them negative. Comparing integers costs half of comparing floats.
    """
    low, high = torch.stack(x.view(torch.int32).aminmax()).tolist()
    return bool(low >= 0 and high <= _MAX_PIXEL_BITS)


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
            _AS_GIVEN,
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
                "the draws are not finite numbers", f"{name}={shown(array.tolist())}", _AS_GIVEN
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
            _AS_GIVEN,
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
