"""The rows of one file of a data set: what its path, its tables and its mask say of it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from sweep.core.errors import UserError
from sweep.ingest.formats.joining import left_out_notes
from sweep.ingest.formats.manifest import Row
from sweep.ingest.presets.paths import filled, names_in
from sweep.ingest.presets.preset import Preset
from sweep.ingest.presets.tables import Fields, Marks, Tables, key_of

MOST = 2**31 - 1  # a store keeps the numbers of slices in 32 bits


@dataclass
class Labelling:
    """Makes rows of files, and counts those of which not all is known.

    Attributes:
        preset: The preset.
        folder: The folder that paths start from.
        tables: Its tables.
        marks: The slices at which labels were marked; None = labels are of whole files.
        splits: Take the splits that are published.
        without: For each table the files that it has no row for.
        silent: For each table the files of which a cell of labels is empty.
        unmasked: Files without their mask.
        unmarked: Files without a slice that is marked.

    """

    preset: Preset
    folder: Path
    tables: Tables
    marks: Marks | None
    splits: bool
    without: Counter[Path] = field(default_factory=Counter)
    silent: Counter[Path] = field(default_factory=Counter)
    unmasked: int = 0
    unmarked: int = 0

    def rows(self, file: str, fields: Fields, patient: str) -> list[Row]:
        """The rows of a file; none where it is left out.

        Args:
            file: Its path.
            fields: What the path says.
            patient: Whose it is, where the user says it; empty = as the preset says.

        Raises:
            UserError: See ``Tables.say``; a number that is none.

        """
        preset = self.preset
        said = self.tables.say(fields)
        if said.missing is not None:
            self.without[said.missing] += 1
            return []
        mask = self._mask(file, fields)
        if preset.mask and not (self.folder / mask).is_file():
            self.unmasked += 1
            return []
        row = Row(
            number=0,
            file=file,
            labels=frozenset([filled(preset.label, fields)] if preset.label else ()),
            patient=patient or filled(preset.patient, fields),
            split=self._split(fields),
            columns={
                **{name: self._column(text, fields) for name, text in preset.columns.items()},
                **said.columns,
            },
            mask=mask,
            scan=filled(preset.scan, fields),
            place=self._place(file, fields),
        )
        if self.marks is not None:
            rows = list(self._marked(row, fields, said.labels))
            self.unmarked += not rows
            return rows
        if said.silent is not None:
            self.silent[said.silent] += 1
            return []
        return [replace(row, labels=row.labels.union(filter(None, said.labels.values())))]

    def notes(self) -> Iterator[str]:
        """Say how many files are left out, and why."""
        for path in dict.fromkeys((*self.without, *self.silent)):
            yield from left_out_notes(path, self.without[path], self.silent[path])
        if self.unmarked:
            yield (
                "Files without a slice that is marked for what is chosen: "
                f"{self.unmarked}; left out."
            )
        if self.unmasked:
            yield f"Files without the mask that lies beside others: {self.unmasked}; left out."

    def _column(self, text: str, fields: Fields) -> str:
        """Empty, as nothing is known, where the pattern of this path has not all of its fields."""
        return filled(text, fields) if names_in(text) <= fields.keys() else ""

    def _mask(self, file: str, fields: Fields) -> str:
        if not self.preset.mask:
            return ""
        return str(PurePosixPath(file).with_name(filled(self.preset.mask, fields)))

    def _place(self, file: str, fields: Fields) -> int | None:
        if not self.preset.number:
            return None
        text = filled(self.preset.number, fields)
        if not text.isdecimal() or int(text) > MOST:
            raise UserError(
                f"the number of a picture in its scan is no whole number from 0 to {MOST}",
                f"{text!r} in {file}",
                f"correct 'number' or its field in the preset {self.preset.name}",
            )
        return int(text)

    def _split(self, fields: Fields) -> str | None:
        if not (self.preset.split and self.splits):
            return None
        return self.preset.split.get(fields["split"], fields["split"])

    def _marked(self, row: Row, fields: Fields, labels: Mapping[str, str | None]) -> Iterator[Row]:
        """A row for each slice that is marked for a label that is known."""
        if self.marks is None or self.preset.places is None:
            return
        for one in self.marks.get(key_of(self.preset.places, fields), ()):
            said = [labels[name] for name in one.columns if labels.get(name) is not None]
            if said:
                yield replace(row, instance=one.instance, labels=frozenset(filter(None, said)))
