"""A tree of files without a manifest: what its folders, names and headers say of each file.

::

    [train | validation | test] / class / [patient] / file or series

The folders above are told by their names: one of them for each split, then one for each class.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from sweep.core.errors import UserError, refuse
from sweep.core.text import SHOWN, number_of
from sweep.ingest.formats.dicom.file import SUFFIXES as DICOM
from sweep.ingest.formats.dicom.identity import Identity, identity_of
from sweep.ingest.formats.dicom.part10 import is_dicom
from sweep.ingest.formats.labels import spelling_notes, spellings
from sweep.ingest.formats.manifest import Collection, Reading, Row, unknown_patient
from sweep.ingest.formats.volumes.reading import SUFFIXES as VOLUMES
from sweep.ingest.formats.walking import files_below, is_leftover
from sweep.ingest.looking import Look, look
from sweep.ingest.plan import Progress, Skipped
from sweep.ingest.workers import Waiting

Kind = Literal["images", "volumes", "dicom"]
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
WORDS: dict[Kind, str] = {"images": "picture", "volumes": "volume", "dicom": "DICOM file"}
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# How names of files and folders in public use say whose an image is.
PATIENTS = (r"sub-[A-Za-z0-9]+", r"(?i:patient|subject|case|pat|subj)[-_ ]?[0-9]+")
AT_ONCE = 16


class _Found(NamedTuple):
    """A file or a series, by its path from the folder on, with what its header says."""

    file: str
    patient: str = ""


@dataclass(frozen=True)
class Tree:
    """What a tree of files says of them.

    Attributes:
        kind: What they are.
        collection: The rows, with empty labels where no folder names a class and an empty patient
            where nothing says whose a file is.

    """

    kind: Kind
    collection: Collection

    @property
    def empty(self) -> Mapping[str, int]:
        """How many rows lack what a manifest has to have."""
        rows = self.collection.rows
        return {
            "label": len(rows) if not any(row.labels for row in rows) else 0,
            "patient": sum(not row.patient for row in rows),
        }

    def text(self) -> str:
        """As a manifest: CSV with a row for each file or series."""
        rows = self.collection.rows
        split = rows[0].split is not None
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "label", "patient", *(["split"] if split else [])])
        for row in rows:
            last = [row.split] if split else []
            writer.writerow([row.file, "|".join(sorted(row.labels)), row.patient, *last])
        return text.getvalue()


def read_tree(
    folder: Path,
    *,
    reading: Reading,
    kind: Kind | None = None,
    splits: bool = True,
    classes: bool = True,
    workers: int = 1,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> Tree:
    """Look at a tree of pictures, volumes or DICOM files.

    Whose a file is is said by the pattern of ``reading``, else by the headers of DICOM files, else
    by a folder below that of the class, else by a usual word in every path, such as ``sub-01``.

    Args:
        folder: The folder.
        reading: Its pattern and its word on unknown patients count here.
        kind: Which files to take; None: there are those of one kind.
        splits: Folders named train, validation and test, or the like, are splits; otherwise they
            are passed over.
        classes: The folder below says the class; otherwise labels stand elsewhere.
        workers: Processes that read headers.
        progress: Called with the number of headers read and of all.
        waiting: See ``look``.

    Raises:
        UserError: No such folder; no file of these kinds, or files of several; files outside the
            folders of splits, or of classes, beside others inside.

    """
    if not folder.is_dir():
        raise UserError("there is no such folder", folder, "correct the path")
    paths = [path.relative_to(folder) for path in files_below(folder)]
    taken = [path for path in paths if not any(map(is_leftover, path.parts))]
    of_kind = {path: _kind_of(folder / path) for path in taken}
    kind = kind or _only(Counter(one for one in of_kind.values() if one), folder)
    mine = [path for path in taken if of_kind[path] == kind]
    notes = list(_passed_over(len(paths) - len(taken), Counter(of_kind.values()), kind))
    if kind == "dicom":
        found, skipped = _series(folder, mine, workers, progress, waiting)
        notes += _skipped_note(skipped)
    else:
        found = [_Found(path.as_posix()) for path in mine]
    if not found:
        raise UserError(
            f"no {WORDS[kind]} in the folder can be used",
            folder,
            "correct the path, or the kind of files",
        )
    rows, said = _rows(found, reading, splits, classes)
    return Tree(
        kind,
        Collection(
            rows,
            folder,
            str(folder),
            {"tree": str(folder), **reading.to_plain()},
            (*notes, *said),
        ),
    )


def _kind_of(path: Path) -> Kind | None:
    name = path.name.lower()
    if name.endswith(PICTURES):
        return "images"
    if name.endswith(VOLUMES) and not name.endswith(".img"):  # which lies beside its .hdr
        return "volumes"
    return "dicom" if name.endswith(DICOM) or _says_dicom(path) else None


def _says_dicom(path: Path) -> bool:
    """Whether a file without a known suffix begins as DICOM does."""
    try:
        return path.is_file() and path.name.upper() != "DICOMDIR" and is_dicom(path)
    except OSError:
        return False


def _only(counts: Counter[Kind], folder: Path) -> Kind:
    if not counts:
        raise UserError(
            "the folder holds no picture, volume or DICOM file",
            folder,
            "name the folder that the images are in",
        )
    if len(counts) > 1:
        raise UserError(
            "the folder holds files of several kinds",
            f"{folder} with "
            + ", ".join(number_of(count, WORDS[one]) for one, count in counts.most_common()),
            f"pass --kind {counts.most_common(1)[0][0]}, or another of them",
        )
    return next(iter(counts))


def _passed_over(leftovers: int, counts: Mapping[Kind | None, int], kind: Kind) -> Iterator[str]:
    if leftovers:
        yield f"Hidden files, and those that an operating system leaves: {leftovers}; passed over."
    if other := sum(count for one, count in counts.items() if one != kind):
        yield f"Files of another kind than {WORDS[kind]}s: {other}; passed over."


def _series(
    folder: Path,
    paths: Sequence[Path],
    workers: int,
    progress: Progress | None,
    waiting: Waiting | None,
) -> tuple[list[_Found], list[Skipped]]:
    """The series of each folder: the folder where it holds one, else files that are one each."""
    seen = look(
        Look(identity_of, str),
        [folder / path for path in paths],
        workers=workers,
        at_once=AT_ONCE,
        progress=progress,
        waiting=waiting,
    )
    folders: dict[Path, list[tuple[Path, Identity]]] = {}
    for path, identity in seen.found:
        if identity is not None:
            folders.setdefault(path.parent, []).append((path.relative_to(folder), identity))
    found: list[_Found] = []
    skipped = [Skipped(str(Path(one.name).relative_to(folder)), one.reason) for one in seen.skipped]
    for of_folder in folders.values():
        counts = Counter(identity.series for _, identity in of_folder)
        parent = of_folder[0][0].parent
        if len(counts) == 1 and len(of_folder) > 1 and parent.parts:
            found.append(_Found(parent.as_posix(), of_folder[0][1].patient))
            continue
        for path, identity in of_folder:
            if counts[identity.series] == 1:
                found.append(_Found(path.as_posix(), identity.patient))
        if several := [uid for uid, count in counts.items() if count > 1]:
            skipped.append(
                Skipped(
                    parent.as_posix(),
                    f"the folder holds {len(several)} series of several files, among "
                    f"{number_of(len(of_folder), 'file')}; give each a folder of its own",
                )
            )
    return found, skipped


def _skipped_note(skipped: Sequence[Skipped]) -> Iterator[str]:
    if skipped:
        more = f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in skipped[:SHOWN])
        yield f"Left out: {reasons}{more}."


def _rows(
    found: Sequence[_Found], reading: Reading, splits: bool, classed: bool
) -> tuple[list[Row], Iterator[str]]:
    paths = [PurePosixPath(one.file).parts for one in found]
    prefix = _common(paths)
    inner = [parts[prefix:-1] for parts in paths]
    has_splits = all(parts and parts[0].lower() in SPLITS for parts in inner)
    if not has_splits:
        _refuse_half([(one.file, parts) for one, parts in zip(found, inner, strict=True)])
    rest = [parts[1:] for parts in inner] if has_splits else inner
    classes = classed and all(rest)
    if classed and not classes and any(rest):
        refuse(
            "files lie beside the folders of classes",
            [one.file for one, parts in zip(found, rest, strict=True) if not parts],
            "put them into the folder of their class, or name the folder below this one",
        )
    patients, how = _patients(found, rest if classed else [()] * len(rest), reading)
    rows = [
        Row(
            number=0,
            file=one.file,
            labels=frozenset({parts[0]}) if classes else frozenset(),
            patient=patient,
            split=SPLITS[inside[0].lower()] if has_splits and splits else None,
        )
        for one, inside, parts, patient in zip(found, inner, rest, patients, strict=True)
    ]
    counts = Counter(name for row in rows for name in row.labels)
    taken = spellings(counts)
    rows = [replace(row, labels=frozenset(map(taken.__getitem__, row.labels))) for row in rows]
    return rows, _guesses(rows, counts, taken, how, has_splits, splits, classed)


def _common(paths: Sequence[tuple[str, ...]]) -> int:
    """How many folders all of them are in, of those that name no split."""
    count = 0
    shortest = min(len(parts) for parts in paths) - 1
    while count < shortest - 1:
        names = {parts[count] for parts in paths}
        if len(names) > 1 or next(iter(names)).lower() in SPLITS:
            break
        count += 1
    return count


def _refuse_half(inner: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    named = {parts[0] for _, parts in inner if parts and parts[0].lower() in SPLITS}
    if len({SPLITS[name.lower()] for name in named}) < 2:
        return
    refuse(
        f"files lie beside the folders of splits ({', '.join(sorted(named))})",
        [file for file, parts in inner if not parts or parts[0] not in named],
        "put them into one of these, or name the folder that they are in",
    )


def _patients(
    found: Sequence[_Found], rest: Sequence[tuple[str, ...]], reading: Reading
) -> tuple[list[str], str]:
    """The patient of each, empty where nothing says it, and what says it, in words."""
    if reading.patient_pattern is not None:
        by_pattern = [reading.patient_in(one.file) for one in found]
        return by_pattern, f"the pattern {reading.patient_pattern!r}"
    if any(one.patient for one in found):
        return [one.patient for one in found], "the PatientID of the headers"
    if all(len(parts) > 1 for parts in rest):
        return [parts[1] for parts in rest], "the folder below that of the class"
    for pattern in PATIENTS:
        matches = [re.search(pattern, one.file) for one in found]
        if all(matches) and len({one[0] for one in matches if one}) > 1:
            return [one[0] if one else "" for one in matches], f"the usual word {pattern!r}"
    return [""] * len(found), ""


def _guesses(
    rows: Sequence[Row],
    counts: Counter[str],
    spelt: Mapping[str, str],
    how: str,
    has_splits: bool,
    splits: bool,
    classed: bool,
) -> Iterator[str]:
    """What was taken from what, a sentence each."""
    if counts:
        names = sorted({name for row in rows for name in row.labels})
        yield f"Labels by the names of folders: {', '.join(names)}."
        yield from spelling_notes(counts, spelt)
    elif classed:
        yield "No folder names a class: the labels are empty."
    if how:
        patients = len({row.patient for row in rows if row.patient})
        yield f"Patients by {how}: {patients} of {number_of(len(rows), 'file')}."
    if has_splits:
        names = sorted({row.split for row in rows if row.split})
        said = f"{', '.join(names)}" if splits else "not taken"
        yield f"Splits by the names of folders: {said}."


def with_patients(collection: Collection, reading: Reading) -> Collection:
    """The same with a patient for each row.

    Raises:
        UserError: Of a row nothing says whose it is, and ``reading`` refuses that.

    """
    if reading.unknown_patients == "refuse":
        refuse(
            "nothing says whose the files are, and without that images of one person could lie in "
            "several splits, which flatters the test score",
            [row.file for row in collection.rows if not row.patient],
            "where their paths say it, pass --patient-pattern, such as 'patient_([0-9]+)'; where "
            "nothing does, --unknown-patients each-file takes that risk, and says so",
        )
    rows = [
        replace(row, patient=row.patient or unknown_patient(row.file)) for row in collection.rows
    ]
    return replace(collection, rows=rows)
