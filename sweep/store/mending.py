"""A draft that an earlier run left, laid out again around the slices in it.

A crash of the machine, or a disk, may have damaged what the draft says: names, labels, where
everything lies. All of that follows from the plan, so it is written anew, byte for byte, and only
what workers had put is kept, which digests hold to account.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from sweep.store.layout import Form, create, rooms_of
from sweep.store.slices import Slice

AT_ONCE = 1 << 20  # bytes


def lay_out_again(draft: Path, slices: Sequence[Slice], form: Form) -> None:
    """Write all of a draft anew but the room of what is put into it later.

    Args:
        draft: A file; of any content.
        slices: As ``create`` takes them, as of the draft when it was made.
        form: See there.

    Raises:
        UserError, WorkError: See ``create``.

    """
    fresh = draft.with_name("fresh.h5")
    create(fresh, slices, form)
    try:
        with fresh.open("rb") as source, draft.open("r+b") as target:
            size = fresh.stat().st_size
            target.truncate(size)
            for start, end in _between(rooms_of(fresh), size):
                _copy(source, target, start, end)
    finally:
        fresh.unlink()


def _between(rooms: Sequence[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    at = 0
    for start, end in rooms:
        yield at, start
        at = end
    yield at, size


def _copy(source: IO[bytes], target: IO[bytes], start: int, end: int) -> None:
    """Copy bytes to the same place, unless they are there."""
    for at in range(start, end, AT_ONCE):
        length = min(AT_ONCE, end - at)
        source.seek(at)
        target.seek(at)
        wanted = source.read(length)
        if target.read(length) != wanted:
            target.seek(at)
            target.write(wanted)
