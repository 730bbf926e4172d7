"""Picture files with a manifest: one picture, one slice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.core.errors import UserError
from sweep.ingest.formats.manifest import Row, label_names, located, read_manifest, task_of
from sweep.ingest.formats.pixels import check_size, fit, native_size, read_grey, size_of
from sweep.ingest.looking import Look, look
from sweep.ingest.plan import Item, Plan, Plane, Progress, Skipped, beside, common_shape
from sweep.ingest.workers import Waiting
from sweep.store.geometry import UNKNOWN, Geometry, Matrix
from sweep.store.slices import Slice, Task, scan_name, slice_key
from sweep.store.splits import SplitAssigner, assign_splits

AT_ONCE = 32  # headers of pictures, which take less time than being sent


@dataclass(frozen=True)
class PictureReader:
    """Reads one picture, in the file's own units.

    Attributes:
        size: Pad to a square and resize to (size, size); None = as it is.

    """

    size: int | None

    def __call__(self, item: Item) -> Iterator[Plane]:
        """Give the picture's one plane."""
        image = read_grey(item.paths[0], item.slices[0].origin)
        yield Plane(image if self.size is None else fit(image, self.size))


def plan_images(
    manifest: Path,
    folder: Path,
    *,
    size: int | None = None,
    task: Task | None = None,
    columns: Sequence[str] = (),
    assigner: SplitAssigner,
    workers: int = 1,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> Plan:
    """Plan a store of grey pictures, in the manifest's order; reads their headers, no pixel.

    Args:
        manifest: CSV file, see ``read_manifest``.
        folder: The folder that the manifest's files are in.
        size: Pad to a square and resize to (size, size), see ``fit``; None = all pictures must
            have one size, and keep it.
        task: None = 'multiclass' if every row has exactly one label and there are several labels,
            else 'multilabel'.
        columns: Other columns of the manifest to keep, see ``read_manifest``.
        assigner: The assignment of patients to splits, where the manifest names none.
        workers: Processes that read headers.
        progress: Called with the number of pictures looked at and of all.
        waiting: See ``look``.

    Raises:
        UserError: An unusable manifest, no such folder, no usable picture, pictures of two sizes.

    """
    check_size(size)
    if not folder.is_dir():
        raise UserError("there is no such folder of images", folder, "correct the path")
    rows = read_manifest(manifest, columns=columns)
    names = label_names(rows, manifest)
    seen = look(
        Look(_SizeIn(folder), _file_of),
        rows,
        workers=workers,
        at_once=AT_ONCE,
        progress=progress,
        waiting=waiting,
    )
    sizes, skipped = dict(seen.found), seen.skipped
    _refuse_none(sizes, skipped)
    shape = (size, size) if size else common_shape((str(row), own) for row, own in sizes.items())
    with beside(skipped):
        slices = assign_splits([_slice(row, sizes.get(row), size) for row in rows], assigner)
    return Plan(
        items=tuple(
            Item(row.file, (folder / row.file,), (one,))
            for row, one in zip(rows, slices, strict=True)
            if row in sizes
        ),
        reader=PictureReader(size),
        shape=shape,
        label_names=names,
        task=task or task_of(rows, names),
        source={
            "kind": "images",
            "manifest": str(manifest),
            "images": str(folder),
            "size": size,
            "splits": "manifest" if rows[0].split is not None else assigner.to_plain(),
            **({"columns": list(columns)} if columns else {}),
        },
        skipped=skipped,
    )


def _slice(row: Row, own: Matrix | None, size: int | None) -> Slice:
    """Describe a picture of its own size (H, W); None = one that is not to be read."""
    return Slice(
        key=slice_key(scan_name(row.patient, row.file), None),
        patient=row.patient,
        split=row.split or "",
        labels=row.labels,
        origin=str(row),
        sequence=row.sequence,
        columns=row.columns,
        geometry=Geometry(native=native_size(own, None, size)) if own else UNKNOWN,
    )


@dataclass(frozen=True)
class _SizeIn:
    """(H, W) of a row's picture in a folder, from its header."""

    folder: Path

    def __call__(self, row: Row) -> Matrix:
        return size_of(located(row, self.folder), str(row))


def _file_of(row: Row) -> str:
    return row.file


def _refuse_none(sizes: Mapping[Row, Matrix], skipped: Sequence[Skipped]) -> None:
    if not sizes:
        raise UserError(
            "no picture can be used",
            f"{len(skipped)} pictures, the first: {skipped[0].name} ({skipped[0].reason})",
            "repair the pictures, or correct the manifest",
        )
