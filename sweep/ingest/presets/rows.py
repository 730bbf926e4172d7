"""From a folder that is laid out as a preset says to rows, as a manifest would have them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweep.core.errors import UserError
from sweep.core.text import SHOWN, number_of
from sweep.ingest.formats.labels import spelling_notes, spellings
from sweep.ingest.formats.manifest import Collection, Reading, Row
from sweep.ingest.formats.marks.area import Area
from sweep.ingest.formats.marks.marking import Below, Marking
from sweep.ingest.formats.walking import files_below, is_leftover
from sweep.ingest.presets.labelling import Labelling
from sweep.ingest.presets.preset import Chosen, Preset
from sweep.ingest.presets.tables import Tables, read_places
from sweep.ingest.tree import with_patients


@dataclass(frozen=True)
class Asked:
    """What a user asks of a data set beside its preset.

    Attributes:
        tables: The folder of its tables; None = that of its files.
        choices: What is chosen, by name.
        keep: Further columns of its tables to keep.
        splits: Take the splits that are published; otherwise patients are assigned.
        least: The area of a mask on a slice from which on its label counts; None = any.
        below: What becomes of slices with less, see ``Marking``.
        reading: Whose files are, where the preset does not say it.

    """

    tables: Path | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    keep: Sequence[str] = ()
    splits: bool = True
    least: Area | None = None
    below: Below = "negative"
    reading: Reading = field(default_factory=Reading)


def rows_of(preset: Preset, folder: Path, asked: Asked) -> Collection:
    """Find the files of a data set and what its tables say of them.

    Raises:
        UserError: No such folder; no file that lies as the preset says, or none of those chosen; a
            table that is not there or says what cannot be; files of which nothing says whose they
            are.

    """
    if not folder.is_dir():
        raise UserError("there is no such folder", folder, "correct the path")
    chosen = preset.chosen(asked.choices)
    files, notes = _files(preset, folder, chosen)
    where = asked.tables or folder
    tables = Tables(preset, where, chosen, asked.keep)
    rows, said = _rows(preset, files, tables, folder, asked)
    marking = Marking(names=preset.mask_labels, least=asked.least, below=asked.below)
    collection = Collection(
        rows,
        folder,
        str(folder),
        {
            "preset": preset.to_plain(asked.choices),
            **({"tables": str(where)} if preset.tables else {}),
            **asked.reading.to_plain(),
            **marking.to_plain(),
            **({"columns": list(asked.keep)} if asked.keep else {}),
        },
        (*notes, *_elsewhere(tables), *said, *preset.notes),
        marking,
    )
    return with_patients(collection, asked.reading)


def _files(
    preset: Preset, folder: Path, chosen: Chosen
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The fields of each path that is asked for, and what is said of the others."""
    paths = [
        path
        for one in files_below(folder)
        if not any(map(is_leftover, (path := one.relative_to(folder)).parts))
    ]
    units = (path.parent if preset.kind == "dicom" else path for path in paths)
    names = list(dict.fromkeys(unit.as_posix() for unit in units))
    laid = {name: fields for name in names if (fields := _match(preset, name)) is not None}
    if not laid:
        raise UserError(
            f"the folder is not laid out as {preset.name} is",
            f"{folder} with {_nearest(preset, names, paths)}",
            f"name the folder that has this in it:\n{preset.layout}",
        )
    in_path = [name for name in chosen if any(name in fields for fields in laid.values())]
    taken = {
        name: fields
        for name, fields in laid.items()
        if all(fields.get(choice, "") in chosen[choice] for choice in in_path)
    }
    others = Counter(
        ", ".join(fields.get(choice, "") for choice in in_path)
        for name, fields in laid.items()
        if name not in taken
    )
    there = ", ".join(f"{value} ({count})" for value, count in others.most_common(SHOWN))
    if not taken:
        asked = ", ".join(f"{name} {' or '.join(chosen[name])}" for name in in_path)
        raise UserError(
            "the folder has no file of what is chosen",
            f"{asked}, where there are {there}",
            f"choose another with --choose, or add the files to {folder}",
        )
    notes = [f"Files of another choice ({there}): passed over."] if others else []
    if preset.kind != "dicom" and (rest := len(paths) - len(laid)):
        notes.append(f"Files that are no image of {preset.name}: {rest}; passed over.")
    return taken, notes


def _match(preset: Preset, path: str) -> dict[str, str] | None:
    found = (pattern.match(path) for pattern in preset.files)
    return next((fields for fields in found if fields is not None), None)


def _nearest(preset: Preset, names: Sequence[str], paths: Sequence[Path]) -> str:
    """What of a folder comes nearest to the layout of a preset."""
    for pattern in preset.files:
        for name in names:
            if (above := pattern.above(name)) is not None:
                return f"{name}, so that it begins at {above}"
    return f"{paths[0].as_posix()} and the like" if paths else "no file"


def _rows(
    preset: Preset,
    files: Mapping[str, Mapping[str, str]],
    tables: Tables,
    folder: Path,
    asked: Asked,
) -> tuple[list[Row], list[str]]:
    """The rows of all files, and what is said of those left out."""
    places = preset.places
    marks = read_places(places, tables.found(places.file)) if places else None
    labelling = Labelling(preset, folder, tables, marks, asked.splits)
    rows = [
        row
        for file, fields in files.items()
        for row in labelling.rows(file, fields, asked.reading.patient_in(file))
    ]
    tables.check_kept()
    notes = list(labelling.notes())
    if not rows:
        raise UserError(
            f"nothing says the labels of the files of {preset.name}",
            f"{number_of(len(files), 'file')} ({next(iter(files))}, for one)"
            + "".join(f"; {note}" for note in notes),
            "give the tables or masks that belong to these files",
        )
    if names := sorted({row.split for row in rows if row.split}):
        notes.append(f"Splits as they are published: {', '.join(names)}.")
    counts = Counter(name for row in rows for name in row.labels)
    taken = spellings(counts)
    rows = [replace(row, labels=frozenset(map(taken.__getitem__, row.labels))) for row in rows]
    return rows, [*notes, *spelling_notes(counts, taken)]


def _elsewhere(tables: Tables) -> Iterator[str]:
    for file, path in tables.elsewhere.items():
        yield f"The table {file} is not at its place; taken from {path}."
