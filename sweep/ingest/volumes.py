"""From files of oriented volumes with a manifest to the plan of a store, whatever their format."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError, UserError, refuse
from sweep.ingest.formats.manifest import Row, label_names, located, read_manifest, task_of
from sweep.ingest.formats.pixels import check_size, fit_square, fitted_mm, native_size
from sweep.ingest.formats.planes import Axis, Format, Outline, Section
from sweep.ingest.plan import (
    Item,
    Plan,
    Plane,
    Progress,
    Skipped,
    common_shape,
    left_out_before,
    reasons_of,
)
from sweep.store.geometry import Geometry
from sweep.store.slices import Slice, Task, scan_name, slice_key
from sweep.store.splits import SplitAssigner, assign_splits


@dataclass(frozen=True)
class Described:
    """A volume that can be used, as far as its header says."""

    name: str
    outline: Outline
    slices: tuple[Slice, ...]


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
    rows = read_manifest(manifest, volumes=True, patients=not form.names_patients, columns=columns)
    names = label_names(rows, manifest)
    found, skipped = _surveyed(rows, folder, form, axis, size, progress)
    with left_out_before(skipped, "volume"):
        items = _items(found, folder, assigner)
        shapes = ((volume.name, volume.outline.shape) for volume in found)
        shape = (size, size) if size else common_shape(shapes)
    return Plan(
        items=items,
        reader=VolumeReader(form, folder, axis, size),
        shape=shape,
        label_names=names,
        task=task or task_of(rows, names),
        source={
            "kind": form.kind,
            "manifest": str(manifest),
            "folder": str(folder),
            "axis": axis,
            "size": size,
            "splits": "manifest" if rows[0].split is not None else assigner.to_plain(),
            **form.options,
            **({"columns": list(columns)} if columns else {}),
        },
        skipped=skipped,
        notes=tuple(_notes(found, skipped, rows)),
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
        volumes.setdefault(row.file, []).append(row)
    found: list[Described] = []
    skipped: list[Skipped] = []
    for done, (name, its_rows) in enumerate(volumes.items(), start=1):
        try:
            outline = form.outline(located(its_rows[0], folder), axis)
            found.append(Described(name, outline, tuple(_slices(its_rows, outline, size))))
        except UnusableError as error:
            skipped.append(Skipped(name, str(error)))
        if progress is not None:
            progress(done, len(volumes))
    if not found:
        raise UserError(
            "no volume can be used",
            reasons_of(skipped, "volume"),
            "repair the volumes, or correct the manifest",
        )
    return found, tuple(skipped)


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
        scan = scan_name(patient, row.file)
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


def _items(found: Sequence[Described], folder: Path, assigner: SplitAssigner) -> tuple[Item, ...]:
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
        )
        for volume in found
    )


def _notes(
    found: Sequence[Described], skipped: Sequence[Skipped], rows: Sequence[Row]
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
        shows = False
        for one in self.format.sections(self.folder / item.name, self.axis, numbers):
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
