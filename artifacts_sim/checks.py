"""What is given to be damaged, and its geometry, each refused with what is wrong and the remedy."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.values import has_values, is_listed, is_whole, number, plain

MAX_PIXEL = 1e15  # squares of sums of such pixels still fit float32
_REAL = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COMPLEX = (torch.complex64, torch.complex128)
_MAX_PIXEL_BITS = int(np.float32(MAX_PIXEL).view(np.int32))
_MOST_SAMPLES = 2**16  # along an axis
_PIXELS_MM = (1e-4, 1e4)


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
    if not has_values(x):
        raise ArtifactError(
            f"{what} is not a dense tensor on a device that holds values",
            f"{x.layout} on {x.device}",
            "load it to the CPU or a GPU, or convert it with to_dense()",
        )


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
