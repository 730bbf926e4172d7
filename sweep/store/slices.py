"""What a store says of one slice, and the laws that all slices of a store keep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError, refuse, require_known
from sweep.core.text import ACTED_ON
from sweep.store.geometry import UNKNOWN, Geometry

Task = Literal["multiclass", "multilabel"]
OWN_NAMES = (  # what a store says of its slices by itself
    *("image", "key", "scan", "number", "patient", "split", "sequence", "labels"),
    *("pixel_mm", "thickness_mm", "spacing_mm", "orientation"),
)

# In the source of a store: how many of its files count as a patient each, as nobody knows whose
# they are.
UNKNOWN_PATIENTS = "files_of_unknown_patients"


@dataclass(frozen=True)
class Slice:
    """One slice without its pixels.

    Attributes:
        key: Its name, unique in the store, see ``slice_key``; every random draw for the slice
            starts from it.
        patient: The patient it shows; a patient's slices all lie in one split.
        split: A fold or a named split.
        labels: The findings; empty = none.
        origin: Where it was read, for messages; not stored.
        sequence: The source's name of the pulse sequence or series; empty = it does not say.
        geometry: Where its pixels lie.
        scan: What was scanned as one with it: slices of one volume share it. By default the slice
            is a scan of its own, named by its key.
        number: Its place in the scan, from 0; None where the source numbers none.
        columns: What else the user wants to know of it, such as ``site`` -> ``A``; an empty value,
            or none, = unknown.

    """

    key: str
    patient: str
    split: str
    labels: frozenset[str]
    origin: str
    sequence: str = ""
    geometry: Geometry = UNKNOWN
    scan: str = ""
    number: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scan", self.scan or self.key)


def scan_name(patient: str, file: str) -> str:
    """The name of the scan that a file of a patient holds."""
    return f"{patient}/{file}"


def slice_key(scan: str, number: int | None) -> str:
    """The key of a slice: its scan, and its place in it where there is one."""
    return scan if number is None else f"{scan}/{number:03d}"


def check_slices(slices: Sequence[Slice], label_names: Sequence[str], task: Task) -> None:
    """Hold all slices of a store to its laws.

    Raises:
        UserError: No slice; an unknown task; no label name, or one twice; an empty or repeated
            key; an empty patient or split; a text with characters that are not shown; a column
            with a name that cannot be used; a label outside ``label_names``; a multiclass slice
            without exactly one label; a patient in two splits; a scan of two patients, or with
            two slices of one number.

    """
    if not slices:
        raise UserError("the store would hold no slice", "none", "add slices")
    require_known("the task", [task], get_args(Task))
    if not label_names or len(set(label_names)) < len(label_names):
        raise UserError(
            "the store would have no label, or one label twice",
            ", ".join(map(repr, label_names)) or "none",
            "name at least one label, and each label once",
        )
    _check_names(slices)
    _check_texts(slices, label_names)
    check_column_names(column_names(slices))
    _check_labels(slices, frozenset(label_names), task)
    _check_splits(slices)
    _check_scans(slices)


def column_names(slices: Sequence[Slice]) -> tuple[str, ...]:
    """The columns that at least one slice has, sorted."""
    return tuple(sorted({name for one in slices for name in one.columns}))


def check_column_names(names: Sequence[str]) -> None:
    """Refuse names that no column of the user can have.

    Raises:
        UserError: A name that is empty, begins with a dot or has a slash, which HDF5 would take
            for a path; or one of what the store says of its slices by itself.

    """
    refuse(
        "columns have a name that cannot be used",
        [repr(name) for name in names if not name or name.startswith(".") or "/" in name],
        "rename them: not empty, no dot to begin with, no slash",
    )
    refuse(
        "columns have the name of what a store says of every slice by itself",
        [repr(name) for name in names if name in OWN_NAMES],
        "rename them",
    )


def multi_hot(slices: Sequence[Slice], label_names: Sequence[str]) -> NDArray[np.uint8]:
    """Labels as numbers.

    Returns:
        (N, L) 0 or 1: slice n shows label l.

    """
    return np.array([[name in one.labels for name in label_names] for one in slices], np.uint8)


def _check_names(slices: Sequence[Slice]) -> None:
    empty = [one.origin for one in slices if not (one.key and one.patient and one.split)]
    refuse("slices have an empty key, patient or split", empty, "fill them in")
    counts = Counter(one.key for one in slices)
    repeated = [f"{one.key!r} at {one.origin}" for one in slices if counts[one.key] > 1]
    refuse("several slices have the same key", repeated, "rename or drop the repeats")


def _check_texts(slices: Sequence[Slice], label_names: Sequence[str]) -> None:
    """A store with such a text would not be opened again."""
    bad = [repr(name) for name in label_names if ACTED_ON.search(name)]
    for one in slices:
        texts = (one.key, one.scan, one.patient, one.split, one.sequence, *one.columns.values())
        if ACTED_ON.search("\n".join(texts)):
            bad += [f"{text!r} at {one.origin}" for text in texts if ACTED_ON.search(text)][:1]
    refuse(
        "names or texts have characters that are not shown, such as a terminal acts on",
        bad,
        "rename the file, or correct the table",
    )


def _check_labels(slices: Sequence[Slice], known: frozenset[str], task: Task) -> None:
    unknown = [
        f"{sorted(one.labels - known)} at {one.origin}" for one in slices if one.labels - known
    ]
    refuse(
        f"slices have labels outside {sorted(known)}",
        unknown,
        "correct them, or name all labels of the store",
    )
    if task == "multiclass":
        refuse(
            "slices of a multiclass task do not have exactly one label",
            [f"{sorted(one.labels)} at {one.origin}" for one in slices if len(one.labels) != 1],
            "give each slice one label, or take the task 'multilabel'",
        )


def _check_splits(slices: Sequence[Slice]) -> None:
    first: dict[str, Slice] = {}
    clashes: dict[str, str] = {}
    for one in slices:
        other = first.setdefault(one.patient, one)
        if other.split != one.split:
            clashes.setdefault(
                one.patient,
                f"patient {one.patient!r} in split {other.split!r} at {other.origin} "
                f"and in split {one.split!r} at {one.origin}",
            )
    refuse(
        "slices of one patient are in several splits, which flatters the test score",
        list(clashes.values()),
        "give each patient one split",
    )


def _check_scans(slices: Sequence[Slice]) -> None:
    """A scan is of one person, and says of its slices which lies beside which."""
    first: dict[str, Slice] = {}
    shared = [
        f"scan {one.scan!r} with {other.patient!r} at {other.origin} and {one.patient!r} at "
        f"{one.origin}"
        for one in slices
        if (other := first.setdefault(one.scan, one)).patient != one.patient
    ]
    refuse("slices of one scan are of several patients", shared, "name the scans of each apart")
    places = [(one.scan, one.number) for one in slices]
    counts = Counter(places)
    repeated = [
        f"number {number} of scan {scan!r} at {one.origin}"
        for one, (scan, number) in zip(slices, places, strict=True)
        if number is not None and counts[scan, number] > 1
    ]
    refuse("several slices of a scan have the same number", repeated, "number them from 0")
