"""From files of oriented volumes with a manifest to the plan of a store, whatever their format."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, UserError, refuse
from sweep.core.text import number_of
from sweep.ingest.formats.labels import gone_note, label_names
from sweep.ingest.formats.locating import located
from sweep.ingest.formats.manifest import (
    USUALLY,
    Collection,
    Reading,
    Row,
    Unknown,
    read_manifest,
    task_of,
    unknown_note,
    unknown_patient,
    unknown_patients,
    unknown_source,
)
from sweep.ingest.formats.marks.marking import Marking
from sweep.ingest.formats.marks.showing import Tally, notes_of, shown_in, source_of, total
from sweep.ingest.formats.pixels import fit_square, fitted_mm, native_size
from sweep.ingest.formats.planes import Axis, Format, Outline, Section
from sweep.ingest.looking import Look, look
from sweep.ingest.lying import Lying, lying_of
from sweep.ingest.making import Making
from sweep.ingest.plan import (
    Item,
    Part,
    Plan,
    Plane,
    Skipped,
    common_shape,
    left_out_before,
    reasons_of,
)
from sweep.store.geometry import Geometry
from sweep.store.slices import Slice, scan_name, slice_key
from sweep.store.splits import SplitAssigner, assign_splits


@dataclass(frozen=True)
class Described:
    """A volume that can be used, as far as its header says; ``tally``: what its marks came to."""

    name: str
    outline: Outline
    slices: tuple[Slice, ...]
    part: Part | None
    tally: Tally


def plan_volumes(
    manifest: Path,
    folder: Path,
    form: Format,
    making: Making,
    *,
    axis: Axis = "acquired",
    middle: int | None = None,
    reading: Reading = USUALLY,
) -> Plan:
    """Plan a store of the planes of the volumes that a manifest names, see ``plan_scans``.

    Args:
        manifest: A table, see ``read_manifest``; its slices are counted along ``axis``.
        folder: The folder that the manifest's files are in.
        form: As ``plan_scans`` takes it, and so what follows.
        making: What is asked of the store.
        axis: The axis that the planes lie along.
        middle: So many planes in the middle of each volume whose rows name no slice; None = all.
        reading: How the manifest is to be understood.

    Raises:
        UserError: An unusable manifest or folder; see ``plan_scans``.

    """
    if not folder.is_dir():
        raise UserError("there is no such folder of volumes", folder, "correct the path")
    return plan_scans(
        read_manifest(
            manifest,
            folder,
            volumes=True,
            several=form.numbered is not None,
            patients=not form.names_patients,
            reading=reading,
        ),
        form,
        making,
        axis=axis,
        middle=middle,
        unknown=reading.unknown_patients,
    )


def plan_scans(
    collection: Collection,
    form: Format,
    making: Making,
    *,
    axis: Axis = "acquired",
    middle: int | None = None,
    unknown: Unknown = "refuse",
) -> Plan:
    """Plan a store of the planes of volumes; reads their headers, no pixel.

    Args:
        collection: The volumes, and what is known of them; a ``sequence`` there goes before that
            of the file.
        form: The form of the files.
        making: What is asked of the store.
        axis: The axis that the planes lie along, see ``view_along``.
        middle: So many planes in the middle of each volume whose rows name no slice; None = all.
        unknown: What is done with volumes of which neither row nor file says whose they
            are, see ``Reading``.

    Raises:
        UserError: No volume that can be used, or none with a label; a slice of no known patient;
            planes of several shapes; a split for some patients only.

    """
    _check_middle(middle)
    size, assigner = making.size, making.assigner
    rows, folder, marking = collection.rows, collection.folder, collection.marking
    each_file = unknown == "each-file"
    seen = look(
        Look(_DescribedBy(folder, form, axis, size, middle, each_file, marking), _name_of),
        _by_volume(rows),
        workers=making.workers,
        progress=making.progress,
        waiting=making.waiting,
    )
    _refuse_none(len(seen.found), seen.skipped)
    skipped, tally = seen.skipped, total(described.tally for _, described in seen.found)
    found = [described for _, described in seen.found if described.slices]
    slices = [one for volume in found for one in volume.slices]
    with left_out_before(skipped, "volume"):
        names = label_names([one.labels for one in slices], collection.where, collection.is_marked)
        items = _items(found, assigner)
        shapes = ((volume.name, volume.outline.shape) for volume in found)
        shape = (size, size) if size else common_shape(shapes)
    lying = lying_of((one.outline.geometries[0], one.slices) for one in found)
    zeroed = {one.name: one.outline.zeroed for one in found if one.outline.zeroed}
    return Plan(
        items=items,
        reader=VolumeReader(form, folder, axis, size),
        shape=shape,
        label_names=names,
        task=making.task or task_of(slices, names),
        source={
            "kind": form.kind,
            **collection.source,
            "folder": str(folder),
            "axis": axis,
            **({"middle": middle} if middle else {}),
            "size": size,
            "splits": "manifest" if rows[0].split is not None else assigner.to_plain(),
            **form.options,
            **({"zeroed": zeroed} if zeroed else {}),
            **({"planes": lying.counts} if lying.mixed else {}),
            **source_of(tally),
            **unknown_source(unknown_patients(slices)),
        },
        skipped=skipped,
        notes=(
            *collection.notes,
            *_notes(found, skipped, rows, lying),
            *notes_of(tally, marking, names),
            *gone_note((row.labels for row in rows), names),
            *unknown_note(slices, len(found)),
        ),
    )


def _by_volume(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """The rows of each file, in the manifest's order of the files."""
    volumes: dict[str, list[Row]] = {}
    for row in rows:
        volumes.setdefault(_name(row), []).append(row)
    return list(volumes.values())


def _name_of(rows: Sequence[Row]) -> str:
    return _name(rows[0])


@dataclass(frozen=True)
class _DescribedBy:
    """What the header of a volume says of the rows that name it."""

    folder: Path
    form: Format
    axis: Axis
    size: int | None
    middle: int | None
    each_file: bool
    marking: Marking

    def __call__(self, rows: Sequence[Row]) -> Described:
        first = rows[0]
        form = self.form.of_volume(first.volume)
        outline = form.outline(located(first, self.folder), self.axis)
        if self.each_file and not (first.patient or outline.patient):
            outline = replace(outline, patient=unknown_patient(first.file))
        rows = _by_slice(rows, outline, self.middle)
        showing = shown_in(rows, outline, self.folder, self.axis, self.marking)
        slices = tuple(
            _slice(row, labels, outline, self.size)
            for row, labels in zip(rows, showing.labels, strict=True)
            if labels is not None
        )
        part = None if first.volume is None else Part(first.file, first.volume)
        return Described(_name(first), outline, slices, part, showing.tally)


def _check_middle(middle: int | None) -> None:
    if middle is not None and middle < 1:
        raise UserError("--middle takes no slice", middle, "take 1 or more")


def _refuse_none(found: int, skipped: Sequence[Skipped]) -> None:
    if not found:
        raise UserError(
            "no volume can be used",
            reasons_of(skipped, "volume"),
            "repair the volumes, or correct the manifest",
        )


def _name(row: Row) -> str:
    """Of a volume, unique in its manifest."""
    return row.file if row.volume is None else f"{row.file}/{row.volume:03d}"


def _by_slice(rows: Sequence[Row], outline: Outline, middle: int | None) -> list[Row]:
    """A row for each slice that is taken of a volume, in the order of the slices."""
    count = len(outline.geometries)
    if rows[0].instance is not None:
        rows = [_placed(row, outline) for row in rows]
    elif rows[0].slice is None:
        taken = count if middle is None else min(middle, count)
        first = (count - taken) // 2
        return [replace(rows[0], slice=number) for number in range(first, first + taken)]
    for row in rows:
        if (row.slice or 0) >= count:
            raise UnusableError(
                "the manifest names a slice that the volume does not have",
                f"{row} of a volume with {count} slices, which count from 0",
                "correct the column 'slice'",
            )
    return sorted(rows, key=lambda row: row.slice or 0)


def _slice(row: Row, labels: frozenset[str], outline: Outline, size: int | None) -> Slice:
    number = row.slice or 0
    patient = row.patient or outline.patient
    scan = scan_name(patient, _name(row))
    return Slice(
        key=slice_key(scan, number),
        scan=scan,
        number=number,
        patient=patient,
        split=row.split or "",
        labels=labels,
        origin=str(row),
        sequence=row.sequence or outline.sequence,
        columns=row.columns,
        geometry=_fitted(outline.geometries[number], outline.shape, size),
    )


def _placed(row: Row, outline: Outline) -> Row:
    """The row with the place of the slice that it names by its InstanceNumber."""
    places = [place for place, own in enumerate(outline.instances) if own == row.instance]
    if len(places) != 1:
        known = [own for own in outline.instances if own is not None]
        raise UnusableError(
            "the slice that a row names by its InstanceNumber is not there once",
            f"{row}, {number_of(len(places), 'time')} in a volume "
            + (f"with {min(known)} to {max(known)}" if known else "that has none"),
            "correct the row, and take the planes as acquired",
        )
    return replace(row, slice=places[0])


def _fitted(geometry: Geometry, shape: tuple[int, int], size: int | None) -> Geometry:
    pixel_mm = geometry.pixel_mm
    native = native_size(shape, pixel_mm, size)
    if pixel_mm is not None and size is not None:
        pixel_mm = fitted_mm(shape, pixel_mm, size)
    return replace(geometry, pixel_mm=pixel_mm, native=native)


def _items(found: Sequence[Described], assigner: SplitAssigner) -> tuple[Item, ...]:
    refuse(
        "volumes have no patient, neither in the manifest nor in their own header",
        [volume.slices[0].origin for volume in found if not volume.slices[0].patient],
        "fill the column 'patient', or pass --patient-pattern or --unknown-patients each-file",
    )
    assigned = iter(assign_splits([one for volume in found for one in volume.slices], assigner))
    return tuple(
        Item(
            name=volume.name,
            paths=volume.outline.paths,
            slices=tuple(islice(assigned, len(volume.slices))),
            part=volume.part,
        )
        for volume in found
    )


def _notes(
    found: Sequence[Described], skipped: Sequence[Skipped], rows: Sequence[Row], lying: Lying
) -> Iterator[str]:
    if skipped:
        every = len(found) + len(skipped)
        yield f"Volumes that cannot be used: {len(skipped)} of {every}; left out."
    if ignored := sum(volume.outline.ignored for volume in found):
        yield f"Files beside the volumes that are no image of them: {ignored}; ignored."
    remarks = Counter(remark for volume in found for remark in volume.outline.remarks)
    yield from (f"{remark}: {remarks[remark]}." for remark in sorted(remarks))
    places = [one.geometry for volume in found for one in volume.slices]
    if unknown := sum(one.pixel_mm is None or one.orientation is None for one in places):
        yield f"Slices whose file does not say their pixel size or orientation: {unknown}."
    if zeroed := [volume.outline.zeroed for volume in found if volume.outline.zeroed]:
        yield (
            f"Voxels that are NaN or infinite in their file, and 0 in the store: {sum(zeroed)}, "
            f"in {number_of(len(zeroed), 'volume')}."
        )
    yield from lying.notes()
    unnamed = {row.file for row in rows if not row.patient}
    named = [one for one in found if not unknown_patients([one.slices[0]])]
    if own := sum(volume.name in unnamed for volume in named):
        yield (
            f"Volumes whose patient is the PatientID of their file: {own}; it stands in the "
            "store, and a store of identified data is itself identified."
        )


@dataclass(frozen=True)
class VolumeReader:
    """Reads the planes of one volume, and brings them to a size.

    Attributes:
        format: The format of the files.
        folder: The folder that the items' names start from.
        axis: The axis that the planes lie along.
        size: See ``fit_square``; None = as they are.

    """

    format: Format
    folder: Path
    axis: Axis
    size: int | None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the planes of an item.

        Raises:
            UnusableError: A damaged volume, or one that shows nothing.

        """
        numbers = [one.number or 0 for one in item.slices]
        file, form = item.name, self.format
        if item.part is not None:
            file, form = item.part.file, form.of_volume(item.part.number)
        shows = False
        for one in form.sections(self.folder / file, self.axis, numbers):
            shows = shows or bool(one.image.min() < one.image.max())
            yield Plane(self._fitted(one))
        if not shows:
            raise UnusableError(
                "each slice taken from the volume has one value only",
                self.folder / item.name,
                "remove its rows, or repair the file",
            )

    def _fitted(self, one: Section) -> NDArray[np.float32]:
        if self.size is None:
            return one.image
        return fit_square(one.image, one.geometry.pixel_mm, self.size)
