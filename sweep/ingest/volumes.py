"""From files of oriented volumes with a manifest to the plan of a store, whatever their format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, UserError, refuse
from sweep.core.text import number_of
from sweep.ingest.formats.manifest import Row, label_names, located, read_manifest, task_of
from sweep.ingest.formats.pixels import check_size, fit_square, fitted_mm, native_size
from sweep.ingest.formats.planes import Axis, Format, Outline, Section
from sweep.ingest.lying import Lying, lying_of
from sweep.ingest.plan import Item, Part, Plan, Plane, Progress, Skipped, common_shape
from sweep.store.geometry import Geometry
from sweep.store.slices import Slice, Task, scan_name, slice_key
from sweep.store.splits import SplitAssigner, assign_splits


@dataclass(frozen=True)
class Described:
    """A volume that can be used, as far as its header says."""

    name: str
    outline: Outline
    slices: tuple[Slice, ...]
    part: Part | None


def plan_volumes(
    manifest: Path,
    folder: Path,
    form: Format,
    *,
    axis: Axis = "acquired",
    size: int | None = None,
    task: Task | None = None,
    columns: Sequence[str] = (),
    assigner: SplitAssigner,
    progress: Progress | None = None,
) -> Plan:
    """Plan a store of the planes of volumes; reads the manifest and headers, no pixel.

    Args:
        manifest: CSV file, see ``read_manifest``; its slices are counted along ``axis``.
        folder: The folder that the manifest's files are in.
        form: The form of the files.
        axis: The axis that the planes lie along, see ``view_along``.
        size: See ``fit_square``; None = all planes have one shape, and keep it.
        task: None = as ``task_of`` finds.
        columns: Other columns of the manifest to keep, see ``read_manifest``; a ``sequence`` there
            goes before that of the file.
        assigner: The assignment of patients to splits, without a column ``fold`` or ``split``.
        progress: Called with the number of volumes surveyed and the number of all.

    Raises:
        UserError: An unusable manifest or folder; no volume that can be used; a slice of no known
            patient; planes of several shapes; a split for some patients only.

    """
    check_size(size)
    if not folder.is_dir():
        raise UserError("there is no such folder of volumes", folder, "correct the path")
    rows = read_manifest(
        manifest,
        volumes=True,
        several=form.numbered is not None,
        patients=not form.names_patients,
        columns=columns,
    )
    names = label_names(rows, manifest)
    found, skipped = _surveyed(rows, folder, form, axis, size, progress)
    items = _items(found, assigner)
    lying = lying_of((one.outline.geometries[0], one.slices) for one in found)
    zeroed = {one.name: one.outline.zeroed for one in found if one.outline.zeroed}
    return Plan(
        items=items,
        reader=VolumeReader(form, folder, axis, size),
        shape=(size, size)
        if size
        else common_shape((volume.name, volume.outline.shape) for volume in found),
        label_names=names,
        task=task or task_of(rows, names),
        source={
            "kind": form.kind,
            "manifest": str(manifest),
            "folder": str(folder),
            "axis": axis,
            "size": size,
            "splits": "manifest" if rows[0].split is not None else assigner.to_plain(),
            **({"columns": list(columns)} if columns else {}),
            **form.chosen,
            **({"zeroed": zeroed} if zeroed else {}),
            **({"planes": lying.counts} if lying.mixed else {}),
        },
        skipped=skipped,
        notes=tuple(_notes(found, skipped, rows, lying)),
    )


def _surveyed(
    rows: Sequence[Row],
    folder: Path,
    form: Format,
    axis: Axis,
    size: int | None,
    progress: Progress | None,
) -> tuple[list[Described], tuple[Skipped, ...]]:
    """The volumes in the manifest's order, and those that cannot be used."""
    volumes: dict[str, list[Row]] = {}
    for row in rows:
        volumes.setdefault(_name(row), []).append(row)
    found: list[Described] = []
    skipped: list[Skipped] = []
    for done, (name, its_rows) in enumerate(volumes.items(), start=1):
        try:
            first = its_rows[0]
            outline = form.of_volume(first.volume).outline(located(first, folder), axis)
            slices = tuple(_slices(its_rows, outline, size))
            part = None if first.volume is None else Part(first.file, first.volume)
            found.append(Described(name, outline, slices, part))
        except UnusableError as error:
            skipped.append(Skipped(name, str(error)))
        if progress is not None:
            progress(done, len(volumes))
    if not found:
        raise UserError(
            "no volume can be used",
            f"{number_of(len(skipped), 'volume')}, the first: {skipped[0].name} "
            f"({skipped[0].reason})",
            "repair the volumes, or correct the manifest",
        )
    return found, tuple(skipped)


def _name(row: Row) -> str:
    """Of a volume, unique in its manifest."""
    return row.file if row.volume is None else f"{row.file}/{row.volume:03d}"


def _slices(rows: Sequence[Row], outline: Outline, size: int | None) -> Iterator[Slice]:
    count = len(outline.geometries)
    if rows[0].slice is None:
        rows = [replace(rows[0], slice=number) for number in range(count)]
    for row in sorted(rows, key=lambda row: row.slice or 0):
        number = row.slice or 0
        if number >= count:
            raise UnusableError(
                "the manifest names a slice that the volume does not have",
                f"{row} of a volume with {count} slices, which count from 0",
                "correct the column 'slice'",
            )
        patient = row.patient or outline.patient
        scan = scan_name(patient, _name(row))
        yield Slice(
            key=slice_key(scan, number),
            scan=scan,
            number=number,
            patient=patient,
            split=row.split or "",
            labels=row.labels,
            origin=str(row),
            sequence=row.sequence or outline.sequence,
            columns=row.columns,
            geometry=_fitted(outline.geometries[number], outline.shape, size),
        )


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
        "fill the column 'patient'",
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
    if own := sum(volume.name in unnamed for volume in found):
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
