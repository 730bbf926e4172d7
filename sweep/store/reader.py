"""An open store: one map of the file, which all processes of a node share."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError, nearest, told
from sweep.core.kinds import require_kind
from sweep.core.reading import readable
from sweep.core.text import ACTED_ON, number_of, one_line, shortened
from sweep.store import checking
from sweep.store.digests import content_digest
from sweep.store.geometry import Direction, Frame, Geometry, Matrix, PixelMm, Sampling
from sweep.store.layout import (
    ATTRIBUTES,
    COLUMN,
    DATASETS,
    FORMAT_VERSION,
    KSPACE,
    NATIVE,
    SAMPLING,
    SPACING,
    chunk_offsets,
    frame_slices,
)
from sweep.store.neighbours import Neighbours
from sweep.store.slices import UNKNOWN_PATIENTS, Task

TEXTS = ("scan", "patient", "split", "sequence")  # that every store has of each slice
PIXELS = (np.dtype("<f4"), np.dtype("<f2"))
FIND = "correct the path, or make it with 'mrisweep ingest'"
AGAIN = "ingest the data again"


@dataclass(frozen=True, eq=False)
class Store:
    """An open store of N slices with L labels; nothing is read before it is used.

    Pickling sends the path and the fingerprint: whoever receives it maps the file anew.

    Attributes:
        path: Absolute path of the file.
        label_names: The L labels in the order of the columns of ``labels``.
        task: 'multiclass' = exactly one label for each slice; 'multilabel' = independent labels.
        source: Where the slices come from and how they were prepared.
        fingerprint: SHA-256 of the description of all slices and of their pixels.
        frame: The sizes that all k-space is zero-filled to; None: none was kept.
        columns: Every contiguous dataset by its name, read-only, mapped; see ``layout``.

    """

    path: Path
    label_names: tuple[str, ...]
    task: Task
    source: Mapping[str, Any]
    fingerprint: str
    frame: Frame | None
    columns: Mapping[str, NDArray[Any]]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Map a store; takes milliseconds, whatever its size.

        Raises:
            UserError: No such file; not HDF5, truncated or damaged; not a store; another format
                version; pixels that cannot be mapped; a store that was never finished.

        """
        path = _resolved(path)
        with _reading(path) as file:
            _check_format(file, path)
            columns = _columns(file, path)
            labels, task, source = _attributes(file, columns["labels"].shape[1])
            return cls(
                path=path,
                label_names=labels,
                task=task,
                source=source,
                fingerprint=_fingerprint(file, path),
                frame=_frame(file, path),
                columns=columns,
            )

    def __reduce__(self) -> tuple[Callable[[Path, str], "Store"], tuple[Path, str]]:
        return _reopen, (self.path, self.fingerprint)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def caution(self) -> str | None:
        """What flatters scores by how the store was made, in words; None = nothing is known."""
        files = self.source.get(UNKNOWN_PATIENTS)
        if not isinstance(files, int) or files < 1:
            return None
        return (
            f"nothing says whose {number_of(files, 'file')} of the store are, and each counts as "
            "a patient: where images of one person lie in several splits, scores are flattered"
        )

    @property
    def images(self) -> NDArray[np.float32 | np.float16]:
        """(N, H, W) as stored; times ``scale`` they are in the source's units, as by ``read``."""
        return self.columns["images"]

    @property
    def scale(self) -> NDArray[np.float32]:
        """(N,) powers of two, 1 in a store of float32."""
        return self.columns["scale"]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(N, L), 1 = shown."""
        return self.columns["labels"]

    @cached_property
    def keys(self) -> NDArray[np.str_]:
        """(N,) unique; every random draw for a slice starts from its key."""
        return self._text("slice_key")

    @cached_property
    def scans(self) -> NDArray[np.str_]:
        """(N,) names of what was scanned as one; slices of one volume share it."""
        return self._text("scan")

    @property
    def numbers(self) -> NDArray[np.int32]:
        """(N,) places in the scans, from 0; -1 where the source numbers none."""
        return self.columns["number"]

    @cached_property
    def neighbours(self) -> Neighbours:
        """Which slices of a scan lie beside which."""
        return Neighbours.of(self.scans, self.numbers)

    @cached_property
    def patients(self) -> NDArray[np.str_]:
        """(N,)."""
        return self._text("patient")

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """(N,) folds or named splits."""
        return self._text("split")

    @cached_property
    def sequences(self) -> NDArray[np.str_]:
        """(N,) names of pulse sequences or series; empty = unknown."""
        return self._text("sequence")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that the user asked for as the store was made, sorted."""
        return tuple(
            sorted(name.removeprefix(COLUMN) for name in self.columns if name.startswith(COLUMN))
        )

    def column(self, name: str) -> NDArray[np.str_]:
        """One text of each slice, such as its ``site``.

        Args:
            name: One of ``column_names``, or ``scan``, ``patient``, ``split``, ``sequence``.

        Returns:
            (N,), empty = unknown.

        Raises:
            UserError: The store has no such column.

        """
        if name in self.column_names:
            return self._text(COLUMN + name)
        if name not in TEXTS:
            known = (*self.column_names, *TEXTS)
            raise UserError(
                "there is no such column in the store",
                f"{name!r} for {self.path}, which has {', '.join(known)}",
                "keep a column of the manifest by `mrisweep ingest ... --columns`; "
                f"{nearest(name, known)}",
            )
        return self._text(name)

    @property
    def has_kspace(self) -> bool:
        """Whether k-space was kept beside the images."""
        return self.frame is not None

    def read(self, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.float32]:
        """Copy slices out of the map.

        Returns:
            (B, H, W) in the source's intensity units.

        """
        taken = self.images[rows]
        if taken.dtype == np.float32:
            return np.ascontiguousarray(taken)
        return taken.astype(np.float32) * self.scale[rows][:, None, None]

    def kspace(self, row: int) -> NDArray[np.complex64]:
        """Show the k-space of one slice, mapped.

        Returns:
            (coil, RO, PE) in the slice's own sizes, DC at N // 2.

        Raises:
            UserError: No k-space was kept.

        """
        if self.frame is None:
            raise UserError(
                "the store keeps no k-space", self.path, "ingest the data with --kspace"
            )
        coils, rows, columns, *_ = self.columns[SAMPLING][row].tolist()
        return self._framed(row, self.frame)[frame_slices(self.frame, coils, rows, columns)]

    def content_digest(self, row: int) -> bytes:
        """SHA-256 of one slice as it stands in the file now, to compare with its ``digest``."""
        kspace = None if self.frame is None else self._framed(row, self.frame)
        return content_digest(self.scale[row], self.images[row], kspace)

    def pixel_mm(self, rows: NDArray[np.integer] | Sequence[int]) -> tuple[PixelMm | None, ...]:
        """Of each slice: mm between rows, between columns; None = unknown."""
        pairs = self.columns["pixel_mm"][rows].tolist()
        return tuple(None if math.isnan(y + x) else (y, x) for y, x in pairs)

    def native(self, rows: NDArray[np.integer] | Sequence[int]) -> tuple[Matrix | None, ...]:
        """Of each slice: rows, columns of what it shows, in pixels of before a resize.

        None = unknown, as in every store from before this was kept.
        """
        if NATIVE not in self.columns:
            return (None,) * len(rows)
        return tuple((y, x) if y else None for y, x in self.columns[NATIVE][rows].tolist())

    def geometry(self, row: int) -> Geometry:
        """What the source said of the place and the sampling of one slice."""
        (pixel_mm,), (native,) = self.pixel_mm([row]), self.native([row])
        orientation = self.columns["orientation"][row]
        with _damage(self.path, f"the geometry of slice {row}"):
            return Geometry(
                pixel_mm=pixel_mm,
                thickness_mm=self._length("thickness_mm", row),
                spacing_mm=self._length(SPACING, row),
                orientation=None if np.isnan(orientation).any() else _directions(orientation),
                sampling=self._sampling(row),
                native=native,
            )

    def _length(self, name: str, row: int) -> float | None:
        length = float(self.columns[name][row]) if name in self.columns else math.nan
        return None if math.isnan(length) else length

    def split_counts(self) -> dict[str, int]:
        """Count the slices of each split, by name of the split."""
        return dict(sorted(Counter(self.splits.tolist()).items()))

    def indices(self, splits: Sequence[str | int]) -> NDArray[np.intp]:
        """Numbers of the slices in the given splits, ascending.

        Raises:
            UserError: A split that is not in the store.

        """
        names = [str(split) for split in splits]
        counts = self.split_counts()
        for name in names:
            if name not in counts:
                known = ", ".join(
                    f"{split!r} ({number_of(count, 'slice')})" for split, count in counts.items()
                )
                raise UserError(
                    "there is no such split in the store",
                    f"{name!r} for {self.path}, which has {known}",
                    nearest(name, counts),
                )
        return np.flatnonzero(np.isin(self.splits, names))

    def _framed(self, row: int, frame: Frame) -> NDArray[np.complex64]:
        whole, offsets = self._kspace
        return _view(whole, int(offsets[row]), KSPACE, frame)

    @cached_property
    def _kspace(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The whole file, and where the k-space of each slice begins."""
        with _reading(self.path) as file:
            whole, offsets = _mapped(self.path), chunk_offsets(file["kspace"])
        with _damage(self.path, "k-space"):
            self._check_kspace(offsets, len(whole))
        return whole, offsets

    def _check_kspace(self, offsets: NDArray[np.int64], size: int) -> None:
        """Raise ``ValueError`` unless the k-space of every slice lies in the file and its frame."""
        frame = np.array(self.frame)
        needed = KSPACE.itemsize * math.prod(frame.tolist())
        if offsets.min() < 0 or int(offsets.max()) + needed > size:
            raise ValueError("that of a slice does not lie in the file")
        sampling = self.columns[SAMPLING]
        if (sampling[:, :3] < 1).any() or (sampling[:, :3] > frame).any():
            raise ValueError("that of a slice is larger than the frame, or has no samples")

    def _text(self, name: str) -> NDArray[np.str_]:
        with _damage(self.path, f"the dataset {name!r}"):
            return _text(self.columns[name])

    def _sampling(self, row: int) -> Sampling | None:
        if not self.has_kspace:
            return None
        coils, rows, columns, first, stop = self.columns[SAMPLING][row].tolist()
        return Sampling(coils, rows, columns, (first, stop))


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise UserError("there is no such store", path, FIND)
    kind = "truncated or damaged" if h5py.is_hdf5(path) else "not an HDF5 file"
    try:
        # The file never changes once it has its name, and locks fail on some shared file systems.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except UserError:
        raise
    except Exception as error:  # of damage h5py makes errors of nearly every type
        raise UserError(
            "the store is not a readable HDF5 file", f"{path}, {kind} ({told(error)})", AGAIN
        ) from error


def _damage(path: Path, what: str) -> AbstractContextManager[None]:
    """While a part of a store is read: what is wrong with it is said."""
    return readable(f"{what} of the store cannot be read", path, AGAIN)


def _resolved(path: str | Path) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links
        raise UserError("there is no such store", f"{str(path)!r} ({told(error)})", FIND) from None


def _check_format(file: h5py.File, path: Path) -> None:
    found = file.attrs.get("format_version")
    if np.ndim(found) or found != FORMAT_VERSION:
        version = "none" if found is None else f"version {shortened(one_line(found), 40)}"
        raise UserError(
            f"the store's format is not version {FORMAT_VERSION}, which this program reads",
            f"{version} in {path}",
            "ingest the data again with this program",
        )
    there = checking.names(file)
    missing = [name for name in DATASETS if name not in there]
    missing += [name for name in ATTRIBUTES if name not in file.attrs]
    if missing:
        raise UserError(
            "the store lacks datasets or attributes",
            f"{path} without {', '.join(missing)}",
            "ingest the data again",
        )
    with _damage(path, "what holds the images"):
        images = checking.dataset(file, "images")
    if images.ndim != 3 or images.dtype not in PIXELS or images.id.get_offset() is None:
        raise UserError(
            "the images of the store are not float32 or float16 (slice, row, column), contiguous "
            "and uncompressed",
            f"{images.dtype} {images.shape}, chunks {images.chunks}, in {path}",
            "ingest the data again",
        )


def _fingerprint(file: h5py.File, path: Path) -> str:
    with _damage(path, "the fingerprint"):
        found = checking.dataset(file, "fingerprint")
        fingerprint = bytes(found[()]).decode("ascii", "replace")
    if len(fingerprint) != 64:
        raise UserError(
            "the store has no fingerprint, as its ingest was not completed",
            path,
            "run the same 'mrisweep ingest' again: it goes on where it stopped",
        )
    return fingerprint


def _columns(file: h5py.File, path: Path) -> dict[str, NDArray[Any]]:
    whole = _mapped(path)
    with _damage(path, "a dataset"):
        places = checking.places(file, len(whole))
    return {name: _view(whole, *place) for name, place in places.items()}


def _attributes(file: h5py.File, labels: int) -> tuple[tuple[str, ...], Task, Mapping[str, Any]]:
    """The names of the labels, the task, and where the slices come from."""
    with _damage(Path(file.filename), "an attribute"):
        names = tuple(map(str, file.attrs["label_names"]))
        task, source = str(file.attrs["task"]), json.loads(file.attrs["source"])
        require_kind(tuple[tuple[str, ...], Task, dict[str, Any]], (names, task, source))
        if len(set(names)) < len(names) or len(names) != labels or "" in names:
            raise ValueError(f"label_names are {names} for {labels} labels")
        return names, cast("Task", task), source


def _frame(file: h5py.File, path: Path) -> Frame | None:
    if "kspace" not in checking.names(file):
        return None
    with _damage(path, "k-space"):
        checking.check_kspace(file, path.stat().st_size)
        return Frame(*file["kspace"].shape[1:])


def _mapped(path: Path) -> NDArray[np.uint8]:
    # A plain array over the map: np.memmap's own class makes every slice of it cost more.
    return np.asarray(np.memmap(path, np.uint8, "r"))


def _view(
    whole: NDArray[np.uint8], offset: int, kind: np.dtype[Any], shape: Sequence[int]
) -> NDArray[Any]:
    size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
    return whole[offset : offset + size].view(kind).reshape(shape)


def _text(encoded: NDArray[np.bytes_]) -> NDArray[np.str_]:
    text: NDArray[np.str_] = np.char.decode(encoded, "utf-8")
    if ACTED_ON.search("\n".join(text.tolist())):
        raise ValueError("a text has characters that no name has")
    text.flags.writeable = False
    return text


def _directions(orientation: NDArray[np.float32]) -> tuple[Direction, Direction]:
    (a, b, c), (d, e, f) = orientation.tolist()
    return (a, b, c), (d, e, f)


def _reopen(path: Path, fingerprint: str) -> Store:
    store = Store.open(path)
    if store.fingerprint != fingerprint:
        raise UserError(
            "the store was changed during the sweep",
            f"{path}, which had the fingerprint {fingerprint} and has {store.fingerprint}",
            "put the first store back",
        )
    return store
