"""The records of a sweep's trials by name, of which memory holds the latest and the folder all."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from sweep.core.records import Status, TrialRecord
from sweep.results import trial_files
from sweep.results.folder import SweepFolder

LATEST = 64  # records in memory; those of trials under way are written again and again


class TrialRecords(Mapping[str, TrialRecord]):
    """Every record that was written, as it was written last; may be asked from several threads.

    A record has hundreds of scores and intervals: thousands of trials would be in memory for as
    long as a sweep runs, and none but those under way is asked for.

    Args:
        folder: The folder of the sweep; records of earlier runs are taken over.

    """

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._status: dict[str, Status] = {}
        self._latest: OrderedDict[str, TrialRecord] = OrderedDict()
        self._lock = threading.Lock()
        for record in folder.each_trial():
            self._note(record)

    def write(self, record: TrialRecord) -> None:
        """Replace a record in the folder, and here."""
        self._note(record)
        self._folder.write_trial(record)

    def ended(self) -> int:
        """How many trials have ended."""
        return sum(status != "running" for status in self._status.values())

    def __getitem__(self, trial: str) -> TrialRecord:
        if trial not in self._status:
            raise KeyError(trial)
        with self._lock:
            if (known := self._latest.get(trial)) is not None:
                return known
        path = self._folder.path / trial_files.FOLDER / f"{trial}{trial_files.LAST}"
        return trial_files.read_trial(path)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._status))

    def __len__(self) -> int:
        return len(self._status)

    def _note(self, record: TrialRecord) -> None:
        with self._lock:
            self._status[record.trial] = record.status
            self._latest[record.trial] = record
            self._latest.move_to_end(record.trial)
            if len(self._latest) > LATEST:
                self._latest.popitem(last=False)
