"""The folder beside a store to be, where it is made."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweep.core.errors import UserError
from sweep.ingest.journal import Journal
from sweep.store.layout import Form


@dataclass(frozen=True)
class PartialStore:
    """Where an ingest is under way.

    Attributes:
        draft: The store in the making, with room for every slice of the plan.
        whole: The same without the slices that could not be used, made at the end if any.
        journal: Which items are in the draft.

    """

    draft: Path
    whole: Path
    journal: Journal


@contextmanager
def partial_store(out: Path, plan: str) -> Iterator[PartialStore]:
    """Open the folder of the store ``out``, new or as an earlier run left it.

    It goes when the block ends well, and when it fails with nothing in it.

    Args:
        out: The new store.
        plan: Digest of the plan.

    Raises:
        UserError: The folder cannot be made, another process works there, or it was begun by
            another plan.

    """
    folder = out.with_name(f"{out.name}.partial")
    _make(folder)
    keep = True
    try:
        with Journal.open(folder / "journal.jsonl", plan) as journal:
            for torn in folder.glob(".*.tmp"):
                torn.unlink()
            try:
                yield PartialStore(folder / "draft.h5", folder / "whole.h5", journal)
                keep = False
            except BaseException:
                keep = bool(journal.entries)
                raise
    finally:
        if not keep:  # closed before: some network file systems keep what is open
            shutil.rmtree(folder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "the folder for the unfinished store cannot be made",
            f"{folder} ({type(error).__name__}: {error})",
            "choose another place",
        ) from error


def check_room(out: Path, draft: Path, slices: int, form: Form) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        UserError: Less is free than the store takes.

    """
    there = draft.stat().st_blocks * 512 if draft.exists() else 0
    free = shutil.disk_usage(out.parent).free + there
    needed = slices * form.bytes_of_slice
    if needed > free:
        raise UserError(
            "the disk has too little room for the store",
            f"{slices} slices that take {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB free in "
            f"{out.parent.resolve()}",
            "make room, choose another place, or take fewer pixels (--size) or smaller ones "
            "(--pixels float16)",
        )
