"""What is known of a checkpoint where it lies: its sweep's scores, and the data it was made of."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sweep.core.errors import UserError
from sweep.core.records import TRAINED, EpochRecord, TrialRecord
from sweep.learn.checkpoints import CheckpointInfo
from sweep.results.folder import SweepFolder
from sweep.store import Store


@dataclass(frozen=True)
class Evidence:
    """What a model card rests on.

    Attributes:
        info: What the checkpoint itself says.
        sweep: The name of its sweep; None: the checkpoint does not lie in a sweep's folder.
        trials: How many trials the sweep has had so far.
        record: The scores of its epoch; None: there are none.
        intervals: 95 % intervals of the record's summaries, by name; of a trial's best epoch.
        store: The data of its sweep; None: they are not where they were.

    """

    info: CheckpointInfo
    sweep: str | None = None
    trials: int = 0
    record: EpochRecord | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    store: Store | None = None

    @classmethod
    def of(cls, checkpoint: Path, info: CheckpointInfo) -> Self:
        """Gather it from the folder that the checkpoint lies in, and from the path of its data."""
        store = _store(info)
        folder = _folder(checkpoint, info)
        if folder is None:
            return cls(info, store=store)
        trials = {record.trial: record for record in folder.trials()}
        record, intervals = _scores(folder, info, trials.get(info.trial))
        return cls(
            info,
            sweep=folder.config().name,
            trials=len(trials),
            record=record,
            intervals=intervals,
            store=store,
        )

    def patients(self) -> dict[str, tuple[int, int]]:
        """Split -> slices and patients in the data, where these are at hand."""
        if self.store is None:
            return {}
        pairs = set(zip(self.store.splits.tolist(), self.store.patients.tolist(), strict=True))
        patients = Counter(split for split, _ in pairs)
        slices = self.store.split_counts()
        return {split: (count, patients[split]) for split, count in slices.items()}


def _scores(
    folder: SweepFolder, info: CheckpointInfo, trial: TrialRecord | None
) -> tuple[EpochRecord | None, Mapping[str, tuple[float, float]]]:
    """The scores of the checkpoint's epoch in its mode, and their intervals where there are any."""
    if info.mode != TRAINED:
        row = trial.modes.get(info.mode) if trial else None
        if row is None or row.epoch != info.epoch:
            return None, {}
        return folder.in_mode(info.trial, info.mode), row.intervals
    epochs = {record.epoch: record for record in folder.epochs(info.trial)}
    best = trial is not None and trial.best_epoch == info.epoch
    return epochs.get(info.epoch), trial.intervals if trial is not None and best else {}


def _folder(checkpoint: Path, info: CheckpointInfo) -> SweepFolder | None:
    path = checkpoint.resolve()
    if len(path.parents) < 3:
        return None
    with suppress(UserError):
        folder = SweepFolder.open(path.parents[2])
        if folder.checkpoint(info.trial, info.epoch, info.mode) == path:
            return folder
    return None


def _store(info: CheckpointInfo) -> Store | None:
    with suppress(UserError, OSError):
        store = Store.open(info.config.data.store)
        if store.fingerprint == info.fingerprint:
            return store
    return None
