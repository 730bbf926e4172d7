"""Volumes of fastMRI's layouts: one HDF5 file each.

::

    kspace               complex (slice, RO, PE) or (slice, coil, RO, PE), DC at N // 2; absent
                         where a user has kept the images alone. With more axes, as (average,
                         slice, coil, RO, PE) of fastMRI prostate, it is not read
    reconstruction_rss   real (slice, H, W), of all coils; absent from test files
    reconstruction_esc   real (slice, H, W), of the emulated single coil, beside its k-space
    b50, b1000, b1500    real (slice, H, W), of diffusion files of fastMRI prostate, by b-value
    adc_map              real (slice, H, W), of the same
    ismrmrd_header       XML
    mask                 of undersampled test files only
    attributes           acquisition, patient_id
    dataset              instead of all of these: ISMRMRD raw data, see ``raw``
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.core.text import one_line
from sweep.ingest.fastmri.header import Header, parse_header
from sweep.ingest.fastmri.raw import is_raw, raw_planes, survey_raw
from sweep.store.checking import names, own
from sweep.store.geometry import Sampling

Stored = Literal["rss", "esc", "b50", "b1000", "b1500", "adc"]
# Their datasets.
STORED: Mapping[Stored, str] = {
    "rss": "reconstruction_rss",
    "esc": "reconstruction_esc",
    "b50": "b50",
    "b1000": "b1000",
    "b1500": "b1500",
    "adc": "adc_map",
}
REMEDY = "fetch the file again or remove it"
MORE_AXES = (5, 6, 7)  # numbers of axes of a k-space that is known for one, and not read


@dataclass(frozen=True)
class Volume:
    """A volume without its pixels.

    Attributes:
        path: The file.
        slices: How many.
        sampling: The sampling of the k-space of each slice; None = the file has none that can be
            read.
        unread: The shape of a k-space with more axes than (slice, coil, RO, PE); None = it has
            no more, or there is none.
        stored: (H, W) of the reconstructions that the file holds.
        undersampled: The k-space lacks lines that a mask names.
        acquisition: The pulse sequence; empty = the file does not say.
        patient: Whose knee it is; empty = the file does not say.
        header: What its ISMRMRD header says.
        raw: It is ISMRMRD raw data, see ``survey_raw``.

    """

    path: Path
    slices: int
    sampling: Sampling | None
    unread: tuple[int, ...] | None
    stored: Mapping[Stored, tuple[int, int]]
    undersampled: bool
    acquisition: str
    patient: str
    header: Header
    raw: bool = False


def read_volume(path: Path) -> Volume:
    """Read all but the pixels.

    Raises:
        UnusableError: Not a file, not HDF5, truncated or damaged; ISMRMRD raw data that
            cannot be sorted, see ``survey_raw``; neither
            k-space nor images; data of the wrong kind, number of axes or size; datasets of unequal
            numbers of slices.

    """
    with _opened(path) as file:
        if is_raw(file):
            return _raw_volume(path, file)
        header = _header(file)
        kspace = _array(file, "kspace", "c", (3, 4), MORE_AXES)
        arrays = {which: _array(file, name, "fiu", (3,)) for which, name in STORED.items()}
        stored = {which: one for which, one in arrays.items() if one is not None}
        unread = kspace.shape if kspace is not None and kspace.ndim in MORE_AXES else None
        if unread:
            kspace = None
        if unread and not stored:
            raise many_axes(path, unread, stored)
        return Volume(
            path=path,
            slices=_slices(path, kspace, stored),
            sampling=None if kspace is None else _sampling(kspace.shape, header),
            unread=unread,
            stored={which: one.shape[1:] for which, one in stored.items()},
            undersampled="mask" in file,
            acquisition=_text(file.attrs.get("acquisition", "")),
            patient=_text(file.attrs.get("patient_id", "")),
            header=header,
        )


def read_kspace(volume: Volume) -> Iterator[NDArray[np.complex64]]:
    """K-space slice by slice, (coil, RO, PE), finite or not; one slice is held at a time.

    Raises:
        UnusableError: It cannot be read.

    """
    if volume.raw:
        with _opened(volume.path) as file:
            yield from raw_planes(volume.path, file)
        return
    for plane in _planes(volume, "kspace", np.dtype(np.complex64)):
        yield plane.reshape(-1, *plane.shape[-2:])


def read_stored(volume: Volume, which: Stored) -> Iterator[NDArray[np.float32]]:
    """Give the images of a reconstruction that the file holds, (H, W), finite or not, one by one.

    Raises:
        UnusableError: It cannot be read.

    """
    return _planes(volume, STORED[which], np.dtype(np.float32))


def many_axes(path: Path, shape: Sequence[int], stored: Iterable[Stored]) -> UnusableError:
    """That a k-space of more axes than can be read was asked for, and what to take instead."""
    images = " or ".join(stored)
    return UnusableError(
        f"the k-space has {len(shape)} axes, where (slice, coil, RO, PE) or (slice, RO, PE) can be "
        "read; the others are of averages, echoes or repetitions",
        f"{tuple(shape)} in {path}",
        f"pass --reconstruction {images}, without --kspace, for the images that the file holds"
        if images
        else "take one of them, or their mean where all lines were measured, and write the file "
        "anew with four axes; or add reconstruction_rss",
    )


def _planes(volume: Volume, name: str, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    with _opened(volume.path) as file:
        dataset = own(file, name)
        for number in range(volume.slices):
            with np.errstate(over="ignore"):  # what is too large for float32 is infinite
                plane = np.ascontiguousarray(dataset[number], dtype)
            yield plane


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file; all that h5py raises of a damaged one becomes one kind of error."""
    with broken_is_unusable("the volume is not a readable HDF5 file", path, REMEDY):
        if not path.is_file():  # asked before HDF5, which would wait for a pipe for ever
            raise UnusableError("the volume is not a file, or is a broken link", path, REMEDY)
        with h5py.File(path, "r", locking=False) as file:  # locks fail on some shared disks
            yield file


def _raw_volume(path: Path, file: h5py.File) -> Volume:
    raw = survey_raw(path, file)
    return Volume(
        path=path,
        slices=raw.slices,
        sampling=raw.sampling,
        unread=None,
        stored={},
        undersampled=False,
        acquisition=raw.protocol,
        patient=raw.patient,
        header=raw.header,
        raw=True,
    )


def _array(
    file: h5py.File, name: str, kinds: str, axes: tuple[int, ...], more: tuple[int, ...] = ()
) -> h5py.Dataset | None:
    """Give a dataset, checked but not read; None = there is none of that name.

    Args:
        file: Where it is looked for.
        name: What it is called.
        kinds: The kinds of its numbers, as ``numpy.dtype.kind`` has them.
        axes: The numbers of axes that it should have.
        more: Further ones that it may have.

    """
    if name not in names(file):
        return None
    dataset = own(file, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in kinds:
        found = dataset.dtype if isinstance(dataset, h5py.Dataset) else "a group"
        wanted = "complex" if kinds == "c" else "real"
        raise UnusableError(
            f"{name} is not an array of {wanted} numbers", f"{found} in {file.filename}", REMEDY
        )
    shape = dataset.shape or ()
    if len(shape) not in axes + more or 0 in shape:
        wanted = " or ".join(map(str, axes))
        raise UnusableError(
            f"{name} does not have {wanted} axes, or one of them is empty",
            f"{shape} in {file.filename}",
            REMEDY,
        )
    return dataset


def _slices(path: Path, kspace: h5py.Dataset | None, stored: Mapping[Stored, h5py.Dataset]) -> int:
    counts = {} if kspace is None else {"kspace": len(kspace)}
    counts |= {which: len(one) for which, one in stored.items()}
    if not counts:
        raise UnusableError(
            "the volume has neither a dataset 'kspace' nor 'reconstruction_rss'", path, REMEDY
        )
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise UnusableError(
            "k-space and reconstructions do not have equally many slices",
            f"{path} with {found}",
            REMEDY,
        )
    return next(iter(counts.values()))


def _sampling(shape: Sequence[int], header: Header) -> Sampling:
    _, *coils, rows, columns = shape
    return Sampling(coils[0] if coils else 1, rows, columns, header.acquired(columns))


def _header(file: h5py.File) -> Header:
    name = "ismrmrd_header"
    dataset = own(file, name) if name in names(file) else None
    return parse_header(_text(dataset[()]) if isinstance(dataset, h5py.Dataset) else "")


def _text(value: Any) -> str:
    """Text as HDF5 gives it: bytes or text, alone or in an array; a number is its digits.

    Of a damaged file it may be any text, and a store takes no marks that a terminal acts on.
    """
    first = next(iter(np.ravel(value)), "")
    if isinstance(first, h5py.Empty):
        return ""
    return one_line(first.decode(errors="replace") if isinstance(first, bytes) else first)
