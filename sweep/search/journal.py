"""Optuna's journal as a folder of parts, for a place where a file can be replaced but not added to.

Each part appears whole or not at all. What is noted goes into the last part until that is full; it
is written again when a study or a trial begins or ends, so that nobody acts on what is not kept.
What is noted in between, such as the report of an epoch, is written with that: after a kill the
driver makes those notes again from the folder's epochs.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation

from sweep.core.errors import WorkError, told
from sweep.core.files import write_text
from sweep.core.reading import read_text

PART_BYTES = 64 << 10  # so much is written again for one note at most
NAME = "{:06d}.jsonl"
KEPT_AT_ONCE = {
    JournalOperation.CREATE_STUDY,
    JournalOperation.CREATE_TRIAL,
    JournalOperation.SET_TRIAL_STATE_VALUES,
}


class JournalInParts(BaseJournalBackend):
    """A journal that one process at a time reads and writes.

    Args:
        folder: With the parts; it need not be there.

    Raises:
        WorkError: A part is damaged, or missing.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        parts = sorted(folder.glob("*.jsonl"))
        texts = [read_text(path) for path in parts]
        for number, (path, text) in enumerate(zip(parts, texts, strict=True)):
            if path.name != NAME.format(number):
                raise _damaged(path, f"instead of {NAME.format(number)}")
            _refuse_damaged(path, text)
        self._notes = [note for text in texts for note in text.splitlines()]
        self._number, self._last = max(0, len(parts) - 1), texts[-1] if texts else ""

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """See Optuna."""
        return map(json.loads, self._notes[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """See Optuna."""
        notes = [json.dumps(log, separators=(",", ":")) for log in logs]
        text = "".join(f"{note}\n" for note in notes)
        if self._last and len(self._last) + len(text) > PART_BYTES:
            self._write()
            self._number, self._last = self._number + 1, ""
        self._last += text
        if any(log["op_code"] in KEPT_AT_ONCE for log in logs):
            self._write()
        self._notes += notes

    def _write(self) -> None:
        write_text(self._folder / NAME.format(self._number), self._last)


def _refuse_damaged(path: Path, text: str) -> None:
    if not text:  # as what stands for a file that was not brought; written over, it would be lost
        raise _damaged(path, "nothing in it")
    try:
        notes = [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise _damaged(path, told(error)) from None
    if not all(isinstance(note, dict) and "op_code" in note for note in notes):
        raise _damaged(path, "lines that are no notes of Optuna's")


def _damaged(path: Path, found: str) -> WorkError:
    return WorkError(
        "a part of the sampler's journal is damaged or missing",
        f"{path} ({found})",
        "put it back from a copy; without one the sweep can be asked, and not be resumed",
    )
