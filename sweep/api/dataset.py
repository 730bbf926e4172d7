"""The store of a dataset of the user's: for a script, and for a sweep that names the dataset."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweep.config.base import plain_of
from sweep.config.settings import DataSettings
from sweep.core.arguments import checked_arguments
from sweep.core.errors import UserError
from sweep.core.job import in_job
from sweep.core.text import number_of
from sweep.ingest.dataset.contract import KIND, checked_dataset, name_of, source_of
from sweep.ingest.dataset.making import make_dataset
from sweep.ingest.dataset.planning import plan_dataset
from sweep.ingest.engine import Report, ingest
from sweep.ingest.plan import Progress
from sweep.inspect.duplicates import near_duplicates
from sweep.remote.address import uri_of
from sweep.store import Store, refuse_existing
from sweep.store.layout import PixelType
from sweep.store.slices import Task
from sweep.store.splits import SplitAssigner, equal_folds


@checked_arguments
def ingest_dataset(
    dataset: object,
    out: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    size: int | None = None,
    folds: int = 5,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    task: Task | None = None,
    pixels: PixelType = "float32",
    workers: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Make a store of a dataset; interrupted, the same call goes on where it stopped.

    Args:
        dataset: A map-style dataset, as torch has them, or ``package.module:Class`` of one. Item i
            is a mapping with ``image`` (H, W) or (1, H, W), ``patient``, ``key`` and ``labels``;
            see docs/data.md.
        out: The new store.
        options: Keywords of the class or function that ``dataset`` names.
        size: Pad images to a square and resize to (size, size); None = they have one size.
        folds: Folds to assign patients to, where the items name no split.
        shares: Splits to assign patients to instead, each with its part of the patients.
        seed: The seed of that.
        task: None = as the labels are.
        pixels: Type of the stored pixels.
        workers: Processes that read, each with a copy of the dataset; with more than 1, the calling
            program must be importable, as ``multiprocessing`` asks.
        strict: An item that cannot be used is an error, where otherwise it is left out.
        progress: Called with the number of items done and of all, as they are described and again
            as they are stored.

    Returns:
        The report; its ``store`` is open, and ``sweep.inspect.duplicates.near_duplicates`` looks
        for copies in it.

    Raises:
        UserError: ``out`` exists; a dataset that cannot be made; options for one that is there
            already; items without a patient; a law of a store is broken; nothing can be used.
        WorkError: The disk is full or fails.

    """
    out = Path(out)
    refuse_existing(out)
    if isinstance(dataset, str):
        source = source_of(dataset, options or {})
        made = make_dataset(dataset, options or {})
    elif options:
        raise UserError(
            "options are for a dataset that is yet to be made",
            f"{dict(options)!r} for {name_of(dataset)}",
            "leave them out, or name its class",
        )
    else:
        made, source = checked_dataset(dataset), source_of(name_of(dataset), {})
    assigner = SplitAssigner(shares or equal_folds(folds), seed)
    plan = plan_dataset(made, source, size=size, task=task, assigner=assigner, progress=progress)
    return ingest(plan, out, pixels=pixels, workers=workers, strict=strict, progress=progress)


def make_store(data: DataSettings, say: Callable[[str], None]) -> None:
    """Make the store of a sweep whose file names a dataset, unless it is there already.

    Args:
        data: The settings of the data; without a dataset nothing happens.
        say: Told that the store is made, of what, what was left out, and of near-duplicates.

    Raises:
        UserError: See ``ingest_dataset``; a store of something else; in a Ray job, a path that is
            not absolute.

    """
    if data.dataset is None:
        return
    path, options = Path(data.store), plain_of(data.dataset_options)
    if path.exists():
        _refuse_other(Store.open(path), data.dataset, options)
        return
    refuse_vanishing(path, "the store of the dataset", "set data.store=/shared/...")
    say(f"data: there is no {path} yet; it is made now, of the dataset {data.dataset}")
    try:
        report = ingest_dataset(data.dataset, path, options=options)
    except KeyboardInterrupt:
        say(f"data: {path} is not done; the same command goes on where it stopped")
        raise
    copies = near_duplicates(report.store).text().splitlines()
    for remark in (*report.remarks(), *copies):
        say(f"data: {remark}")
    say(
        f"data: {number_of(len(report.store), 'slice')} of "
        f"{number_of(len(set(report.store.patients)), 'patient')} in {path}"
    )


def refuse_vanishing(path: Path, what: str, remedy: str) -> None:
    """In a Ray job a relative path lies in a cache that Ray deletes, and the results with it.

    Raises:
        UserError: This is a Ray job, and the path is not absolute.

    """
    if in_job() and not path.is_absolute() and uri_of(path) is None:
        raise UserError(
            f"{what} in a Ray job is not an absolute path, and would lie in a cache that Ray "
            "deletes",
            f"{str(path)!r}",
            f"{remedy}, on storage that all nodes see",
        )


def _refuse_other(store: Store, dataset: str, options: Mapping[str, Any]) -> None:
    wanted, found = source_of(dataset, options), store.source
    if {name: found.get(name) for name in wanted} == wanted:
        return
    has = found.get("kind", "nothing that it says")
    if has == KIND:
        has = f"{found.get('dataset')} with {found.get('options')}"
    raise UserError(
        f"the store is not of the dataset {dataset} with {dict(options)}",
        f"{store.path}, which was made of {has}",
        "choose another data.store, or leave data.dataset out to take the store as it is",
    )
