"""From picture files with a manifest to a store."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.data.formats.manifest import Row, read_manifest
from sweep.data.formats.pixels import fit, read_grey
from sweep.data.inspect.summary import Summary, summarize
from sweep.data.problems import refuse
from sweep.data.slices import Slice, Task
from sweep.data.splits import Dealing, equal_folds
from sweep.data.store import refuse_existing, write_store
from sweep.errors import UserError

Progress = Callable[[int, int], None]
WORKERS = 4  # decoding releases the interpreter's lock and waits for the disk


def ingest_images(
    manifest: str | Path,
    images_dir: str | Path,
    out: str | Path,
    *,
    size: int | None = None,
    folds: int = 5,
    seed: int = 0,
    task: Task | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write a store from grey picture files; slices in the manifest's order, in the files' units.

    Args:
        manifest: CSV file, see ``read_manifest``.
        images_dir: folder that the manifest's files are in.
        out: the new store.
        size: pad to a square and resize to (size, size), see ``fit``; None = all images must have
            one size, and keep it.
        folds: without a column ``fold`` or ``split``, the number of folds patients are dealt to.
        seed: of that dealing.
        task: None = 'multiclass' if every row has exactly one label and there are several labels,
            else 'multilabel'.
        progress: called with the number of slices written and the number of all slices.

    Raises:
        UserError: an unusable manifest or image, a patient in two splits, an existing ``out``.
            Nothing is written then.

    """
    manifest, images_dir, out = Path(manifest), Path(images_dir), Path(out)
    refuse_existing(out)
    rows = read_manifest(manifest)
    label_names = _label_names(rows, manifest)
    _check_files(rows, images_dir)
    shape = _shape(rows[0], images_dir, size)
    read = partial(_read, images_dir=images_dir, size=size, shape=shape, first=rows[0])
    store = write_store(
        out,
        _slices(rows, folds, seed),
        _counted(_in_order(read, rows), len(rows), progress),
        shape=shape,
        label_names=label_names,
        task=task or _task(rows, label_names),
        source=_source(manifest, images_dir, size, rows, folds, seed),
    )
    return summarize(store)


def _label_names(rows: Sequence[Row], manifest: Path) -> list[str]:
    names = sorted(frozenset[str]().union(*(row.labels for row in rows)))
    if not names:
        raise UserError(
            f"A manifest names at least one finding; the column 'label' of {manifest} is empty. "
            "Fill it where there is a finding."
        )
    return names


def _task(rows: Sequence[Row], label_names: Sequence[str]) -> Task:
    one_each = all(len(row.labels) == 1 for row in rows)
    return "multiclass" if one_each and len(label_names) > 1 else "multilabel"


def _slices(rows: Sequence[Row], folds: int, seed: int) -> list[Slice]:
    dealt = {} if _has_splits(rows) else Dealing(equal_folds(folds), seed).deal(_findings(rows))
    return [
        Slice(
            key=f"{row.patient}/{row.file}",
            patient=row.patient,
            split=row.split or dealt[row.patient],
            labels=row.labels,
            origin=str(row),
        )
        for row in rows
    ]


def _has_splits(rows: Sequence[Row]) -> bool:
    return rows[0].split is not None


def _findings(rows: Sequence[Row]) -> dict[str, frozenset[str]]:
    findings: dict[str, frozenset[str]] = {}
    for row in rows:
        findings[row.patient] = findings.get(row.patient, frozenset()) | row.labels
    return findings


def _check_files(rows: Sequence[Row], images_dir: Path) -> None:
    if not images_dir.is_dir():
        raise UserError(f"Images lie in a folder; there is none at {images_dir}. Correct the path.")
    refuse(
        f"Each file of the manifest is in {images_dir}",
        [f"no {row}" for row in rows if not (images_dir / row.file).is_file()],
        "Add the files or remove the rows.",
    )


def _shape(first: Row, images_dir: Path, size: int | None) -> tuple[int, int]:
    if size is None:
        height, width = read_grey(images_dir / first.file, str(first)).shape
        return height, width
    if size < 1:
        raise UserError(f"A size is a number of pixels, at least 1; received {size}.")
    return size, size


def _read(
    row: Row, *, images_dir: Path, size: int | None, shape: tuple[int, int], first: Row
) -> NDArray[np.float32]:
    image = read_grey(images_dir / row.file, str(row))
    if size is not None:
        return fit(image, size)
    if image.shape != shape:
        raise UserError(
            f"All images have one size; {row} is {_times(image.shape)} and {first} is "
            f"{_times(shape)}. Pass --size to bring all to one size."
        )
    return image


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _in_order(
    read: Callable[[Row], NDArray[np.float32]], rows: Iterable[Row]
) -> Iterator[NDArray[np.float32]]:
    """Read in threads, give in order; few images wait at a time, however slow the taker is."""
    waiting: deque[Future[NDArray[np.float32]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for row in rows:
            waiting.append(pool.submit(read, row))
            if len(waiting) > 2 * WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _counted(
    images: Iterable[NDArray[np.float32]], total: int, progress: Progress | None
) -> Iterator[NDArray[np.float32]]:
    for done, image in enumerate(images, start=1):
        yield image
        if progress is not None:
            progress(done, total)


def _source(
    manifest: Path, images_dir: Path, size: int | None, rows: Sequence[Row], folds: int, seed: int
) -> dict[str, object]:
    splits = "manifest" if _has_splits(rows) else {"folds": folds, "seed": seed}
    return {
        "kind": "images",
        "manifest": str(manifest),
        "images": str(images_dir),
        "size": size,
        "splits": splits,
    }
