"""Carrying a plan out: in parallel, restartable, and all or nothing in the end.

What is being made lies in a folder beside the store to be, ``STORE.h5.partial``: the draft and a
journal of the items that are in it. Whenever this ends before the store is whole, the next run
with the same plan checks what is there by its digests and goes on. When all is done the draft gets
its fingerprint and, by a rename, its name.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from sweep.core.errors import UserError, WorkError, refuse
from sweep.core.text import ACTED_ON, SHOWN, number_of
from sweep.ingest.formats.labels import gone_note
from sweep.ingest.partial import PartialStore, check_room, partial_store
from sweep.ingest.plan import Item, Plan, Progress, Skipped, left_out_before
from sweep.ingest.tasks import ItemTask, WriteItems, Written
from sweep.ingest.workers import HERE, Waiting, WorkerCrash, can_be_sent, check_workers, work
from sweep.store import Store, refuse_existing
from sweep.store.fingerprint import fingerprint
from sweep.store.layout import Form, PixelType, create
from sweep.store.mending import lay_out_again
from sweep.store.slices import check_slices
from sweep.store.writer import StoreWriter

AT_ONCE = 8  # pictures, each of which takes less time than a message; so many are done again
ALONE = "Everything was read in one process, as what reads it cannot be pickled for others."


@dataclass(frozen=True)
class Report:
    """What became of an ingest.

    Attributes:
        store: The new store, open.
        skipped: Every item left out, and why.
        notes: What the user should know of the choices made, one sentence each.
        found: How many slices an earlier, interrupted run had left.
        unit: What an item is called in messages.

    """

    store: Store
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    found: int
    unit: str = "file"

    def remarks(self) -> Iterator[str]:
        """What the user should know, a line each; of many left out the first ten."""
        if self.found:
            yield f"{self.found} slices were found as an earlier, interrupted run had left them"
        yield from self.notes
        if self.skipped:
            yield f"left out, as they cannot be used: {number_of(len(self.skipped), self.unit)}"
            yield from (f"  {one.name}: {one.reason}" for one in self.skipped[:SHOWN])
        if len(self.skipped) > SHOWN:
            yield f"  and {len(self.skipped) - SHOWN} more: `mrisweep data show --json` lists all"


def ingest(
    plan: Plan,
    out: Path,
    *,
    pixels: PixelType = "float32",
    workers: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
) -> Report:
    """Read all items of a plan into a new store.

    Args:
        plan: What to read.
        out: The new store.
        pixels: Type of the stored pixels.
        workers: Processes that read, beside this one, so that a file that crashes its reader, or
            never ends, costs that file alone. One that reads a dataset is this one, as always where
            the reader cannot be sent to others, such as one of a dataset that holds an open file.
            The main module of the calling program must be importable, as ``multiprocessing`` asks.
        strict: An item that cannot be used is an error, where otherwise it is left out.
        progress: Called with the number of slices done and of all slices.
        waiting: Called with the name of an item that takes long, and the seconds.

    Raises:
        UserError: ``out`` exists; no worker; a law of ``check_slices`` is broken; an unfinished
            ingest of another plan lies there; the disk is too small; no item can be used, or, if
            ``strict``, not every one.
        WorkError: The disk is full or fails. What was done is kept for the next run.

    """
    refuse_existing(out)
    check_workers(workers)
    if strict:
        _refuse_skipped(plan, plan.skipped)
    with left_out_before(plan.skipped, plan.unit):
        check_slices(plan.slices, plan.label_names, plan.task)
    form = _form(plan, pixels, plan.skipped)
    notes = plan.notes
    if plan.unit == "item" and workers == 1:
        workers = HERE
    elif not can_be_sent(plan.reader):
        workers, notes = HERE, (*notes, ALONE)
    try:
        with partial_store(out, _digest(plan, form)) as place:
            filled, skipped, gone = _make(
                plan, form, place, out, workers, strict, progress, waiting
            )
    except OSError as error:
        raise WorkError(
            "the store could not be written",
            f"{out} ({type(error).__name__}: {error})",
            "make room or repair the disk, then run the same command: it goes on where it stopped",
        ) from error
    found = sum(len(one.entry.digests) for one in filled.values() if one.found)
    return Report(Store.open(out), skipped, (*notes, *gone), found, plan.unit)


def _make(
    plan: Plan,
    form: Form,
    place: PartialStore,
    out: Path,
    workers: int,
    strict: bool,
    progress: Progress | None,
    waiting: Waiting | None,
) -> tuple[dict[str, Written], tuple[Skipped, ...], tuple[str, ...]]:
    """Write the draft and publish it.

    Returns:
        What is in it, by name; every item left out; what is to be said of that.

    """
    check_room(out, place.draft, len(plan.slices), form)
    if place.draft.exists():
        lay_out_again(place.draft, plan.slices, form)
    else:
        create(place.draft, plan.slices, form)
    filled, failed = _fill(plan, place, workers, strict, progress, waiting)
    skipped = (*plan.skipped, *failed)
    if not filled:
        raise UserError(
            f"no {plan.unit} can be used, and the store would hold no slice",
            f"{len(skipped)} {plan.unit}s, the first: {failed[0].name} ({failed[0].reason})",
            "repair them, or give others",
        )
    left = _without_labels_gone(plan, filled)
    _publish(left, _form(left, form.pixels, skipped), place, filled, out)
    gone = tuple(gone_note([plan.label_names], left.label_names))
    return filled, skipped, gone


def _without_labels_gone(plan: Plan, filled: Mapping[str, Written]) -> Plan:
    """The plan without labels that none of the slices shows which are left.

    Raises:
        UserError: None is left.

    """
    if plan.declared or len(filled) == len(plan.items):
        return plan
    kept = [one for item in plan.items if item.name in filled for one in item.slices]
    shown = frozenset[str]().union(*(one.labels for one in kept))
    names = tuple(name for name in plan.label_names if name in shown)
    check_slices(kept, names, plan.task)
    return replace(plan, label_names=names)


def _form(plan: Plan, pixels: PixelType, skipped: Sequence[Skipped]) -> Form:
    source = _readable({**plan.source, "skipped": [one._asdict() for one in skipped]})
    return Form(plan.shape, plan.label_names, plan.task, source, pixels, plan.kspace)


def _readable(value: Any) -> Any:
    """The same with a ? for characters that no text of a store has, as of a folder's name."""
    match value:
        case str():
            return ACTED_ON.sub("?", value)
        case Mapping():
            return {_readable(key): _readable(one) for key, one in value.items()}
        case list() | tuple():
            return list(map(_readable, value))
    return value


def _digest(plan: Plan, form: Form) -> str:
    """What must be the same for an unfinished ingest to go on."""
    items = [[item.name, len(item.slices)] for item in plan.items]
    parts = [fingerprint(plan.slices, form, []), form.source, items]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _refuse_skipped(plan: Plan, skipped: Sequence[Skipped]) -> None:
    refuse(
        f"{plan.unit}s cannot be used, and --strict leaves no {plan.unit} out",
        [f"{one.name} ({one.reason})" for one in skipped],
        "repair or remove them, or leave --strict out",
    )


def _fill(
    plan: Plan,
    place: PartialStore,
    workers: int,
    strict: bool,
    progress: Progress | None,
    waiting: Waiting | None,
) -> tuple[dict[str, Written], list[Skipped]]:
    """Put every item into the draft; what is there, by name, and what could not be used."""
    noted, done, total = place.journal.entries, 0, len(plan.slices)
    tasks = [
        ItemTask(item, first, noted.get(item.name))
        for item, first in zip(plan.items, _first_rows(plan.items), strict=True)
    ]
    filled: dict[str, Written] = {}
    failed: list[Skipped] = []
    single = all(len(item.slices) == 1 for item in plan.items)
    job, at_once = WriteItems(place.draft, plan.reader), AT_ONCE if single else 1
    with closing(work(job, tasks, workers, waiting, at_once)) as answers:
        for task, answer in answers:
            outcome = (
                Skipped(task.item.name, answer.reason(task.item.name, plan.unit))
                if isinstance(answer, WorkerCrash)
                else answer
            )
            if isinstance(outcome, Skipped):
                if strict:
                    _refuse_skipped(plan, [outcome])
                failed.append(outcome)
            else:
                place.journal.add(task.item.name, outcome.entry)
                filled[task.item.name] = outcome
            done += len(task.item.slices)
            if progress is not None:
                progress(done, total)
    return filled, sorted(failed)


def _first_rows(items: Sequence[Item]) -> list[int]:
    counts = [len(item.slices) for item in items]
    return list(accumulate(counts, initial=0))[:-1]


def _publish(
    plan: Plan, form: Form, place: PartialStore, filled: Mapping[str, Written], out: Path
) -> None:
    """Give the finished draft its fingerprint and its name; without the items that failed."""
    kept = [item for item in plan.items if item.name in filled]
    slices = [one for item in kept for one in item.slices]
    digests = [digest for item in kept for digest in filled[item.name].entry.digests]
    finished = place.draft
    if len(kept) < len(plan.items):
        _copy_kept(plan, form, place, filled)
        finished = place.whole
    with StoreWriter.open(finished) as draft:
        draft.finish(fingerprint(slices, form, digests))
    refuse_existing(out)
    finished.replace(out)


def _copy_kept(plan: Plan, form: Form, place: PartialStore, filled: Mapping[str, Written]) -> None:
    """Copy the draft without the room of items that turned out unusable."""
    starts = zip(plan.items, _first_rows(plan.items), strict=True)
    kept = [(item, first) for item, first in starts if item.name in filled]
    create(place.whole, [one for item, _ in kept for one in item.slices], form)
    rows = [first + n for item, first in kept for n in range(len(item.slices))]
    with StoreWriter.open(place.draft) as old, StoreWriter.open(place.whole) as new:
        for row, old_row in enumerate(rows):
            new.copy(row, old, old_row)
