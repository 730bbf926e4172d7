"""Picture files with a manifest: one picture, one slice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.core.errors import UserError
from sweep.ingest.formats.labels import gone_note, label_names
from sweep.ingest.formats.locating import located
from sweep.ingest.formats.manifest import (
    USUALLY,
    Collection,
    Reading,
    Row,
    read_manifest,
    task_of,
    unknown_note,
    unknown_patients,
    unknown_source,
)
from sweep.ingest.formats.marks.marking import Marking
from sweep.ingest.formats.marks.showing import Tally, notes_of, shown_in, source_of, total
from sweep.ingest.formats.pixels import fit, native_size, read_grey, size_of
from sweep.ingest.formats.planes import Outline
from sweep.ingest.looking import Look, look
from sweep.ingest.making import Making
from sweep.ingest.plan import Item, Plan, Plane, Skipped, common_shape, left_out_before
from sweep.store.geometry import UNKNOWN, Geometry, Matrix
from sweep.store.slices import Slice, scan_name, slice_key
from sweep.store.splits import assign_splits

CHANNELS = ("red", "green", "blue")
AT_ONCE = 32  # headers of pictures, which take less time than being sent


@dataclass(frozen=True)
class PictureReader:
    """Reads one picture, in the file's own units.

    Attributes:
        size: Pad to a square and resize to (size, size); None = as it is.
        channel: Of a picture in colour the one to take, from 0; None = all have to be equal.

    """

    size: int | None
    channel: int | None = None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the picture's one plane."""
        image = read_grey(item.paths[0], item.slices[0].origin, self.channel)
        yield Plane(image if self.size is None else fit(image, self.size))


def plan_images(
    manifest: Path,
    folder: Path,
    making: Making,
    *,
    channel: int | None = None,
    reading: Reading = USUALLY,
) -> Plan:
    """Plan a store of the grey pictures that a manifest names, see ``plan_pictures``.

    Args:
        manifest: A table, see ``read_manifest``.
        folder: The folder that the manifest's files are in.
        making: What is asked of the store.
        channel: As ``plan_pictures`` takes it.
        reading: How the manifest is to be understood.

    Raises:
        UserError: An unusable manifest; no such folder; see ``plan_pictures``.

    """
    if not folder.is_dir():
        raise UserError("there is no such folder of images", folder, "correct the path")
    collection = read_manifest(manifest, folder, reading=reading)
    return plan_pictures(collection, making, channel=channel)


def plan_pictures(collection: Collection, making: Making, *, channel: int | None = None) -> Plan:
    """Plan a store of grey pictures, in their order; reads their headers, no pixel.

    Args:
        collection: The pictures, and what is known of them.
        making: What is asked of the store.
        channel: Of pictures in colour the channel to take, from 0, where each is an image of its
            own; None = the channels of each have to be all but equal.

    Raises:
        UserError: No usable picture, or none with a label; pictures of two sizes.

    """
    size, assigner = making.size, making.assigner
    folder = collection.folder
    seen = look(
        Look(_PictureIn(folder, collection.marking), _file_of),
        collection.rows,
        workers=making.workers,
        at_once=AT_ONCE,
        progress=making.progress,
        waiting=making.waiting,
    )
    skipped, tally = seen.skipped, total(one.tally for _, one in seen.found)
    _refuse_none(len(seen.found), skipped)
    dropped = {row.file for row, one in seen.found if one.labels is None}
    sizes = {row.file: one.size for row, one in seen.found if one.labels is not None}
    marked = {row.file: one.labels for row, one in seen.found if one.labels is not None}
    rows = [
        replace(row, labels=marked.get(row.file, row.labels))
        for row in collection.rows
        if row.file not in dropped
    ]
    usable = [row for row in rows if row.file in sizes]
    shape = (size, size) if size else common_shape((str(row), sizes[row.file]) for row in usable)
    with left_out_before(skipped, "file"):
        names = label_names([row.labels for row in usable], collection.where, collection.is_marked)
        slices = assign_splits([_slice(row, sizes.get(row.file), size) for row in rows], assigner)
    return Plan(
        items=tuple(
            Item(row.file, (folder / row.file,), (one,))
            for row, one in zip(rows, slices, strict=True)
            if row.file in sizes
        ),
        reader=PictureReader(size, channel),
        shape=shape,
        label_names=names,
        task=making.task or task_of(usable, names),
        source={
            "kind": "images",
            **collection.source,
            "images": str(folder),
            "size": size,
            **({} if channel is None else {"channel": CHANNELS[channel]}),
            "splits": "manifest" if rows[0].split is not None else assigner.to_plain(),
            **source_of(tally),
            **unknown_source(unknown_patients(usable)),
        },
        skipped=skipped,
        notes=(
            *collection.notes,
            *notes_of(tally, collection.marking, names),
            *gone_note((row.labels for row in rows), names),
            *unknown_note(usable, len(usable)),
        ),
    )


def _slice(row: Row, own: Matrix | None, size: int | None) -> Slice:
    """Describe a picture of its own size (H, W); None = one that is not to be read."""
    return Slice(
        key=slice_key(scan_name(row.patient, row.file), None),
        patient=row.patient,
        split=row.split or "",
        labels=row.labels,
        origin=str(row),
        scan=scan_name(row.patient, row.scan) if row.scan else "",
        number=row.place,
        sequence=row.sequence,
        columns=row.columns,
        geometry=Geometry(native=native_size(own, None, size)) if own else UNKNOWN,
    )


@dataclass(frozen=True)
class _Pictured:
    """What a picture and its marks say: (H, W), its labels, None if it is to be left out."""

    size: Matrix
    labels: frozenset[str] | None
    tally: Tally


@dataclass(frozen=True)
class _PictureIn:
    """What a row's picture in a folder says, from its header, and its marks."""

    folder: Path
    marking: Marking

    def __call__(self, row: Row) -> _Pictured:
        path = located(row, self.folder)
        size = size_of(path, str(row))
        if not (row.mask or row.boxes):
            return _Pictured(size, row.labels, Tally())
        outline = Outline((path,), size, (UNKNOWN,))
        showing = shown_in([row], outline, self.folder, "acquired", self.marking)
        return _Pictured(size, showing.labels[0], showing.tally)


def _file_of(row: Row) -> str:
    return row.file


def _refuse_none(found: int, skipped: Sequence[Skipped]) -> None:
    if not found:
        raise UserError(
            "no picture can be used",
            f"{len(skipped)} pictures, the first: {skipped[0].name} ({skipped[0].reason})",
            "repair the pictures, or correct the manifest",
        )
