"""One item of a dataset: asked for, checked, and taken apart into an image and a description.

An item is a mapping. ``image`` is the picture; ``patient``, ``key`` and ``labels`` say what it is;
``split``, ``scan``, ``number``, ``pixel_mm`` and ``sequence`` may. Any other text is a column.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, UserError, nearest, told
from sweep.ingest.dataset.contract import Dataset
from sweep.ingest.formats.pixels import fitted_mm, native_size
from sweep.store.geometry import Geometry, Matrix, PixelMm
from sweep.store.slices import Slice, scan_name

IMAGE, SHAPE = "image", "shape"
MEANINGS = (
    *(IMAGE, "key", "patient", "labels", "split", "scan", "number", "pixel_mm", "sequence"),
    SHAPE,
)


@dataclass(frozen=True)
class Described:
    """An item before its image is stored.

    Attributes:
        index: Its number in the dataset.
        slice: What it says of itself.
        shape: (H, W) of its image.
        pixel_mm: Of its image, before it is brought to another size; None = unknown.
        ignored: Names of values that are neither known nor text.

    """

    index: int
    slice: Slice
    shape: Matrix
    pixel_mm: PixelMm | None
    ignored: frozenset[str]


def ask(call: Callable[[int], object], index: int) -> Mapping[Any, Any]:
    """What the dataset gives for a number.

    Raises:
        UnusableError: Its code fails, or gives no mapping.

    """
    try:
        says = call(index)
    except Exception as error:  # the code of others can raise anything
        raise UnusableError(
            "the dataset's own code fails for an item",
            f"item {index} ({told(error)})",
            "mend the code or the item's data",
        ) from error
    if not isinstance(says, Mapping):
        raise UnusableError(
            "an item of the dataset is not a mapping of names to values",
            f"{type(says).__name__} for item {index}",
            "give {'image': ..., 'labels': ..., 'patient': ..., 'key': ...}",
        )
    return says


def image_of(says: Mapping[Any, Any], index: int) -> NDArray[np.float32]:
    """The image of an item.

    Returns:
        (H, W) in its own intensity units.

    Raises:
        UnusableError: No image; not an array of one grey picture of real, finite numbers; the same
            value everywhere.

    """
    where = f"item {index}"
    values = _array(_given(says, IMAGE, where), where)
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim != 2 or not values.size:
        raise UnusableError(
            "the image is not (H, W) or (1, H, W)",
            f"{values.shape} in {where}",
            "give one grey slice an item",
        )
    if values.dtype.kind not in "iuf":
        kind = "complex numbers" if values.dtype.kind == "c" else str(values.dtype)
        raise UnusableError(
            "the pixels are not real numbers",
            f"{kind} in {where}",
            "give the magnitude, as integers or floats",
        )
    with np.errstate(over="ignore"):  # said below
        image = values.astype(np.float32)
    if not np.isfinite(image).all():
        raise UnusableError(
            "pixels are not finite numbers",
            f"{where}, which has NaN, infinity, or what float32 cannot hold",
            "mend the item",
        )
    if image.min() == image.max():
        raise UnusableError(
            "the image is empty: every pixel has the same value",
            f"{where} with {image.flat[0]:g} everywhere",
            "leave the item out of the dataset",
        )
    return np.ascontiguousarray(image)


def describe(
    says: Mapping[Any, Any],
    index: int,
    shape: Matrix,
    names: Sequence[str],
    size: int | None,
) -> Described:
    """Describe an item by what it says.

    Args:
        says: The values of the item.
        index: Its number in the dataset.
        shape: (H, W) of its image.
        names: The labels that numbers stand for; empty = the dataset does not say.
        size: See ``fit_square``; None = the image stays as it is.

    Raises:
        UnusableError: No key or labels, or a value that does not do for its name.
        UserError: No patient.

    """
    where = f"item {index}"
    patient = text_of(says, "patient", where)
    if not patient:
        given = ", ".join(repr(str(name)) for name in says)
        raise UserError(
            "an item of the dataset has no patient, and without it images of one person could lie "
            "in several splits, which flatters the test score",
            f"{where} with {given}",
            "give 'patient', a text, with every item",
        )
    _given(says, "key", where)
    key = text_of(says, "key", where)
    if not key:
        raise UnusableError("an item has an empty key", where, "give each item a key of its own")
    scan, pixel_mm = text_of(says, "scan", where), _pixel_mm(says.get("pixel_mm"), where)
    others = {name: value for name, value in says.items() if name not in MEANINGS}
    texts = {n: v.strip() for n, v in others.items() if isinstance(n, str) and isinstance(v, str)}
    fitted = fitted_mm(shape, pixel_mm, size) if pixel_mm and size else pixel_mm
    return Described(
        index=index,
        slice=Slice(
            key=key,
            patient=patient,
            split=text_of(says, "split", where),
            labels=_labels(_given(says, "labels", where), names, where),
            origin=f"{where} ({key})",
            sequence=text_of(says, "sequence", where),
            geometry=Geometry(pixel_mm=fitted, native=native_size(shape, pixel_mm, size)),
            scan=scan_name(patient, scan) if scan else "",
            number=_number(says.get("number"), where),
            columns=texts,
        ),
        shape=shape,
        pixel_mm=pixel_mm,
        ignored=frozenset(str(name) for name in others if name not in texts),
    )


def shape_of(says: Mapping[Any, Any], index: int) -> Matrix:
    """(H, W) as the dataset describes the image of an item.

    Raises:
        UnusableError: It does not, or these are no sizes.

    """
    where = f"the description of item {index}"
    sizes = _array(_given(says, SHAPE, where), where)
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or sizes.min() < 1:
        raise UnusableError(
            "the shape is not (H, W)", f"{reprlib.repr(says[SHAPE])} in {where}", "give two numbers"
        )
    return int(sizes[0]), int(sizes[1])


def label_names(dataset: Dataset) -> tuple[str, ...]:
    """The labels that the dataset says by itself: its ``label_names``, or else its ``classes``.

    Returns:
        Empty = it does not say.

    Raises:
        UserError: They are not a list of different names.

    """
    for attribute in ("label_names", "classes"):
        try:
            names = getattr(dataset, attribute, None)
        except Exception as error:
            raise UserError(
                f"the dataset's own code fails as it is asked for its {attribute}",
                told(error),
                "mend it there",
            ) from error
        if names is None:
            continue
        listed = isinstance(names, Sequence) and not isinstance(names, str)
        if not (listed and names and all(isinstance(name, str) and name for name in names)):
            raise UserError(
                f"the {attribute} of the dataset are not a list of names",
                reprlib.repr(names),
                "give a list of texts, one for each label",
            )
        return tuple(names)
    return ()


def _given(says: Mapping[Any, Any], name: str, where: str) -> Any:
    if name not in says:
        raise UnusableError(
            f"an item of the dataset has no {name!r}",
            f"{where} with {', '.join(repr(str(one)) for one in says) or 'nothing'}",
            f"give {name!r} with every item; {nearest(name, map(str, says))}",
        )
    return says[name]


def _array(value: object, where: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except Exception as error:  # a tensor on a GPU, or one that wants a gradient, for two
        raise UnusableError(
            "a value of an item cannot be made an array of numpy",
            f"{type(value).__name__} in {where} ({told(error)})",
            "give an array, or a tensor on the CPU, detached",
        ) from error


def _plain(value: object) -> object:
    """A number that is wrapped in an array or a tensor without axes, as torch gives them."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def _whole(value: object) -> int | None:
    """A whole number of any library; None = it is none, as true and false are."""
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, Integral) else None


def text_of(says: Mapping[Any, Any], name: str, where: str) -> str:
    """A text of an item, or a whole number as text; None, and none at all, are empty.

    Raises:
        UnusableError: It is something else.

    """
    value = _plain(says.get(name))
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if (whole := _whole(value)) is not None:
        return str(whole)
    raise UnusableError(
        f"{name!r} is not a text",
        f"{reprlib.repr(value)} in {where}",
        "give a text or a whole number",
    )


def _number(value: object, where: str) -> int | None:
    value = _plain(value)
    if value is None:
        return None
    whole = _whole(value)
    if whole is None or not 0 <= whole < 2**31:  # a store keeps it in 32 bits
        raise UnusableError(
            "'number' is not the place of a slice in its scan, from 0",
            f"{reprlib.repr(value)} in {where}",
            "give a whole number, or none",
        )
    return whole


def _pixel_mm(value: Any, where: str) -> PixelMm | None:
    if value is None:
        return None
    sizes = _array(value, where)
    square = np.broadcast_to(sizes, 2) if sizes.ndim == 0 else sizes
    if square.shape != (2,) or square.dtype.kind not in "iuf" or not _lengths(square):
        raise UnusableError(
            "'pixel_mm' is not the distance between rows and between columns, above 0 mm",
            f"{reprlib.repr(value)} in {where}",
            "give two numbers, or one for square pixels",
        )
    return float(square[0]), float(square[1])


def _lengths(sizes: NDArray[Any]) -> bool:
    return bool(np.isfinite(sizes).all() and (sizes > 0).all())


def _labels(value: object, names: Sequence[str], where: str) -> frozenset[str]:
    """The names that an item shows, given as names, as one class, or as 0 and 1 for each label."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple | set | frozenset):
        if all(isinstance(one, str) for one in value):
            return frozenset(one.strip() for one in value if one.strip())
        value = list(value)
    numbers = _array(value, where)
    if not names:
        raise UnusableError(
            "labels are given as numbers, and the dataset does not say what they mean",
            f"{reprlib.repr(value)} in {where}",
            "give the names of the labels, or the dataset a list of them as label_names or classes",
        )
    if numbers.ndim == 0 and numbers.dtype.kind in "iu" and 0 <= numbers < len(names):
        return frozenset({names[int(numbers)]})
    zeros_and_ones = numbers.dtype.kind in "biuf" and np.isin(numbers, (0, 1)).all()
    if numbers.shape == (len(names),) and zeros_and_ones:
        return frozenset(name for name, shown in zip(names, numbers, strict=True) if shown)
    raise UnusableError(
        "labels are neither names, nor the number of one of them, nor 0 or 1 for each",
        f"{reprlib.repr(value)} in {where}, of a dataset with {len(names)} labels",
        "correct the labels",
    )
