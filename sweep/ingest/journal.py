"""What an unfinished ingest has done: one line for each item that is in the draft."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from sweep.core.errors import UserError

Stamp = list[list[int]]  # size in bytes and time of change in ns, of each file


@dataclass(frozen=True)
class Entry:
    """An item that was read: its files as they were then, and the digest of each slice."""

    stamp: Stamp
    digests: tuple[bytes, ...]


@dataclass(frozen=True)
class Journal:
    """Entries by name of the item, and the file that they are appended to.

    A line that was torn by a kill is as if never written: its item is read again.
    """

    entries: dict[str, Entry]
    _file: IO[bytes] = field(repr=False)

    @classmethod
    @contextmanager
    def open(cls, path: Path, plan: str) -> Iterator[Self]:
        """Open the journal of a plan, new or as it was left; locked against other processes.

        Args:
            path: The path of the file.
            plan: Digest of the plan that it is to belong to.

        Raises:
            UserError: Another process writes it, it belongs to another plan, or it is damaged.

        """
        with path.open("a+b") as file:
            _lock(file, path)
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            file.truncate(sum(map(len, whole)))
            head, entries = _parsed(whole, path)
            if head not in (None, {"plan": plan}):
                raise UserError(
                    "the unfinished ingest was begun with other settings, labels or files",
                    path.parent,
                    "give those it was begun with, or remove that folder to start again",
                )
            journal = cls(entries, file)
            if head is None:
                journal._append({"plan": plan})
            yield journal

    def add(self, item: str, entry: Entry) -> None:
        """Note that all slices of an item are in the draft."""
        if self.entries.get(item) != entry:
            self.entries[item] = entry
            digests = [one.hex() for one in entry.digests]
            self._append({"item": item, "stamp": entry.stamp, "digests": digests})

    def _append(self, line: Mapping[str, object]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()


def stamp_of(paths: Sequence[Path]) -> Stamp:
    """Size and time of change of files; an absent one has none."""
    return [_stamp(path) for path in paths]


def _stamp(path: Path) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _parsed(lines: Sequence[bytes], path: Path) -> tuple[object, dict[str, Entry]]:
    """The first line, None if there is none, and the entries of the others."""
    try:
        head, *rest = map(json.loads, lines or [b"null"])
        return head, {
            one["item"]: Entry(one["stamp"], tuple(map(bytes.fromhex, one["digests"])))
            for one in rest
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            "the journal of the unfinished ingest is damaged",
            f"{path} ({type(error).__name__}: {error})",
            f"remove {path.parent} to start again",
        ) from error


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            "another process is ingesting into this store",
            path.parent,
            "wait for it, or choose another name",
        ) from error
