"""Volumes of fastMRI's knee layout: one HDF5 file each.

::

    kspace               complex (slice, RO, PE) or (slice, coil, RO, PE), DC at N // 2; absent
                         where a user has kept the images alone
    reconstruction_rss   real (slice, H, W), of all coils; absent from test files
    reconstruction_esc   real (slice, H, W), of the emulated single coil, beside its k-space
    ismrmrd_header       XML
    mask                 of undersampled test files only
    attributes           acquisition, patient_id
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.fastmri.header import Header, parse_header
from sweep.store.checking import names, own
from sweep.store.geometry import Sampling

Stored = Literal["rss", "esc"]
STORED: tuple[Stored, ...] = ("rss", "esc")
# What h5py raises of damaged files.
DAMAGE = (OSError, LookupError, RuntimeError, ValueError, TypeError, MemoryError)
REMEDY = "fetch the file again or remove it"


@dataclass(frozen=True)
class Volume:
    """A volume without its pixels.

    Attributes:
        path: The file.
        slices: How many.
        sampling: The sampling of the k-space of each slice; None = the file has none.
        stored: (H, W) of the reconstructions that the file holds.
        undersampled: The k-space lacks lines that a mask names.
        acquisition: The pulse sequence; empty = the file does not say.
        patient: Whose knee it is; empty = the file does not say.
        header: What its ISMRMRD header says.

    """

    path: Path
    slices: int
    sampling: Sampling | None
    stored: Mapping[Stored, tuple[int, int]]
    undersampled: bool
    acquisition: str
    patient: str
    header: Header


def read_volume(path: Path) -> Volume:
    """Read all but the pixels.

    Raises:
        UnusableError: Not a file, not HDF5, truncated or damaged; neither k-space nor images;
            data of the wrong kind, number of axes or size; datasets of unequal numbers of slices.

    """
    with _opened(path) as file:
        header = _header(file)
        kspace = _array(file, "kspace", "c", (3, 4))
        stored = {which: _array(file, f"reconstruction_{which}", "fiu", (3,)) for which in STORED}
        return Volume(
            path=path,
            slices=_slices(path, {"kspace": kspace, "rss": stored["rss"], "esc": stored["esc"]}),
            sampling=None if kspace is None else _sampling(kspace.shape, header),
            stored={which: one.shape[1:] for which, one in stored.items() if one is not None},
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
    for plane in _planes(volume, "kspace", np.dtype(np.complex64)):
        yield plane.reshape(-1, *plane.shape[-2:])


def read_stored(volume: Volume, which: Stored) -> Iterator[NDArray[np.float32]]:
    """Give the images of a reconstruction that the file holds, (H, W), finite or not, one by one.

    Raises:
        UnusableError: It cannot be read.

    """
    return _planes(volume, f"reconstruction_{which}", np.dtype(np.float32))


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
    try:
        if not path.is_file():  # asked before HDF5, which would wait for a pipe for ever
            raise UnusableError("the volume is not a file, or is a broken link", path, REMEDY)
        with h5py.File(path, "r", locking=False) as file:  # locks fail on some shared disks
            yield file
    except UserError:
        raise
    except DAMAGE as error:
        raise UnusableError(
            "the volume is not a readable HDF5 file",
            f"{path} ({type(error).__name__}: {error})",
            REMEDY,
        ) from error


def _array(file: h5py.File, name: str, kinds: str, axes: tuple[int, ...]) -> h5py.Dataset | None:
    """Give a dataset, checked but not read; None = there is none of that name."""
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
    if len(shape) not in axes or 0 in shape:
        wanted = " or ".join(map(str, axes))
        raise UnusableError(
            f"{name} does not have {wanted} axes, or one of them is empty",
            f"{shape} in {file.filename}",
            REMEDY,
        )
    return dataset


def _slices(path: Path, datasets: Mapping[str, h5py.Dataset | None]) -> int:
    counts = {name: len(one) for name, one in datasets.items() if one is not None}
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
    """Text as HDF5 gives it: bytes or text, alone or in an array; a number is its digits."""
    first = next(iter(np.ravel(value)), "")
    if isinstance(first, h5py.Empty):
        return ""
    return (first.decode(errors="replace") if isinstance(first, bytes) else str(first)).strip()
