"""What the public functions refuse, each with what is wrong, what was received, and the remedy."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.errors import ArtifactError
from artifacts_sim.keyed import Names
from artifacts_sim.params import Options, Params

MAX_PIXEL = 1e15  # squares of sums of such pixels still fit float32
_COMPLEX = (torch.complex64, torch.complex128)
_MAX_PIXEL_BITS = int(np.float32(MAX_PIXEL).view(np.int32))


def check_keys(keys: Sequence[str]) -> None:
    """Check that keys are a non-empty sequence of strings.

    Raises:
        ArtifactError: A bare string, an empty sequence, or a key that is not a string.

    """
    is_list = isinstance(keys, Sequence) and not isinstance(keys, str)
    if not is_list or not keys or not all(isinstance(key, str) for key in keys):
        raise ArtifactError(
            "the keys are not one string per slice, at least one",
            f"{keys!r:.100}",
            "pass for example keys=['patient-17/slice-4']",
        )


def named_slices(
    keys: Sequence[str], scans: Sequence[str] | None = None, numbers: Sequence[int] | None = None
) -> Names:
    """Return what slices are called, as draws take it.

    Raises:
        ArtifactError: Bad keys; or scans or numbers that are not one per slice.

    """
    check_keys(keys)
    if scans is not None:
        check_keys(scans)
    if numbers is not None:
        numbers = _places(numbers)
    for name, given in (("scan", scans), ("number", numbers)):
        if given is not None and len(given) != len(keys):
            raise ArtifactError(
                f"there is not one {name} per slice",
                f"{len(given)} {name}s for {len(keys)} keys",
                f"give each slice its {name}, or leave {name}s out",
            )
    return Names(keys, scans, numbers)


def _places(numbers: Any) -> list[int]:
    listed: Any = numbers.tolist() if hasattr(numbers, "tolist") else numbers
    whole = isinstance(listed, Sequence) and all(
        not isinstance(one, bool) and isinstance(one, Integral) and 0 <= int(one) < 2**31
        for one in listed
    )
    if not whole:
        raise ArtifactError(
            "the numbers of slices in their scans are not whole numbers from 0",
            f"{numbers!r:.100}",
            "count the slices of each scan from 0, or leave numbers out",
        )
    return [int(one) for one in listed]


def check_seed(seed: object) -> int:
    """Return a seed as a Python integer.

    Raises:
        ArtifactError: It is not a whole number.

    """
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise ArtifactError("the seed is not a whole number", repr(seed), "pass for example seed=0")
    return int(seed)


def check_severity(level: object, knob: object) -> None:
    """Check that exactly one of a level and a knob value is given.

    Raises:
        ArtifactError: Both or neither.

    """
    if (level is None) == (knob is None):
        raise ArtifactError(
            "the severity is not one of a level and a knob value",
            f"level={level!r} and knob={knob!r}",
            "pass exactly one of them",
        )


def check_image(x: Tensor) -> None:
    """Check that an image is (B, H, W), a magnitude or complex, non-empty, finite.

    Raises:
        ArtifactError: Any of these fails.

    """
    if not isinstance(x, Tensor) or x.ndim != 3 or x.numel() == 0:
        received = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ArtifactError(
            "the image x is not a non-empty tensor of shape (B, H, W)",
            received,
            "add or merge axes, for example x[None] or x.flatten(0, 1); or use "
            "artifacts_sim.Transform, which takes other shapes",
        )
    if not (x.is_floating_point() or x.dtype in _COMPLEX):
        raise ArtifactError(
            "the image x is neither a magnitude of a floating type nor complex64 or complex128",
            x.dtype,
            "convert it with x.float() or x.to(torch.complex64)",
        )
    _check_finite(
        x, "apply artifacts to magnitudes, before any standardisation, or to a complex image"
    )


def check_kspace(samples: Tensor) -> None:
    """Check that samples are (B, [coil,] RO, PE) complex, non-empty, finite.

    Raises:
        ArtifactError: Any of these fails.

    """
    is_tensor = isinstance(samples, Tensor)
    if not is_tensor or samples.ndim not in (3, 4) or samples.numel() == 0:
        received = tuple(samples.shape) if is_tensor else type(samples).__name__
        raise ArtifactError(
            "the k-space is not a non-empty tensor of shape (B, RO, PE) or (B, coil, RO, PE)",
            received,
            "add an axis, for example k[None]",
        )
    if samples.dtype not in _COMPLEX:
        raise ArtifactError(
            "the k-space is neither complex64 nor complex128",
            samples.dtype,
            "convert it with k.to(torch.complex64), "
            "or torch.view_as_complex where the last axis holds both parts",
        )
    _check_finite(samples, "repair or drop the slice")


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
            "the geometry of an image is not a Geometry", repr(geometry), "pass Geometry(...)"
        )


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
    floating = isinstance(fat, Tensor) and fat.is_floating_point()
    if not floating or tuple(fat.shape) != shape:
        received = (fat.dtype, tuple(fat.shape)) if isinstance(fat, Tensor) else type(fat).__name__
        raise ArtifactError(
            f"the map of fat is not floating numbers of the shape that is shown, {shape}",
            received,
            "convert it with fat.float(), or crop it as the image",
        )
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


def check_params(name: str, options: Options, params: Params, batch: int) -> None:
    """Check that params belong to this artifact and to this batch.

    Raises:
        ArtifactError: They are another artifact's, or for another number of slices.

    """
    if not isinstance(params, Params):
        raise ArtifactError(
            "the params are not what `sample` gives", type(params).__name__, "pass Params"
        )
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


def check_count(name: str, value: object, least: int) -> None:
    """Check that an option of an artifact counts something.

    Raises:
        ArtifactError: It is not whole, or too small.

    """
    holds = not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least
    check_option(name, value, f"a whole number from {least}", holds)


def check_option(name: str, value: object, law: str, holds: bool) -> None:
    """Check that an option of an artifact is what it must be.

    Raises:
        ArtifactError: It is not.

    """
    if not holds:
        raise ArtifactError(
            f"the option {name} is not {law}",
            repr(value),
            f"correct {name}, or leave it out to take its default",
        )
