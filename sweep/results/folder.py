"""A sweep's folder: all that is needed to resume it, to query it, to replay it into MLflow."""

import dataclasses
import json
import math
import os
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from sweep.config.strangers import guarded
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, nearest
from sweep.core.files import write_text
from sweep.core.kinds import require_kind, require_part
from sweep.core.modes import checkpoint_mode
from sweep.core.reading import read_json, readable
from sweep.core.records import TRAINED, EpochRecord, Predictions, TrialRecord
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.results import locks, ownership, sweep_file, tables, trial_files
from sweep.results.removed import refuse_missing
from sweep.results.tables import Slices


@dataclass(frozen=True)
class Identity:
    """Which sweep a folder holds.

    Attributes:
        sweep_id: Unique, whatever the folder's name or place.
        code_version: The code version of mrisweep when the sweep began.
        started_at_ms: Unix time.
        place: The path of the folder when it was driven last; None: by an earlier version.

    """

    sweep_id: str
    code_version: str
    started_at_ms: int
    place: str | None = None


@dataclass(frozen=True)
class SweepFolder:
    """Paths, records and tables of one sweep. Whatever is written appears whole or not at all.

    Args:
        path: Absolute.

    """

    path: Path

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise ``UserError`` if there is more at ``path`` than a kill leaves of ``create``."""
        if os.path.lexists(path) and not sweep_file.half_made(path):
            raise UserError(
                "the folder of a new sweep exists",
                f"{str(path)!r}",
                "choose another with --out, or continue the sweep in it with `mrisweep resume "
                f"{path}`",
            )

    @classmethod
    def create(cls, path: Path, config: SweepConfig, levels: str | None = None) -> "SweepFolder":
        """Begin a sweep.

        Args:
            path: The folder to make.
            config: The sweep as resolved.
            levels: How the levels were made, as JSON, for ``levels.json``; None: they were fixed.

        A kill may leave it half made, without ``sweep.yaml``; then it is made again.

        Raises:
            UserError: The folder exists; nothing in it is touched.

        """
        cls.refuse_existing(path)
        folder = cls(path.resolve())
        folder.path.mkdir(parents=True, exist_ok=True)
        now = time.time_ns() // 1_000_000
        identity = Identity(uuid.uuid4().hex, version("mrisweep"), now, str(folder.path))
        folder.write_identity(identity)
        if levels is not None:
            write_text(folder.path / "levels.json", levels)
        folder.write_config(config)  # last: with it the folder is a sweep's
        return folder

    @classmethod
    def open(cls, path: Path) -> "SweepFolder":
        """A sweep that was begun.

        Raises:
            UserError: No such folder, or not a sweep's.

        """
        return cls(sweep_file.opened(path))

    @cached_property
    def identity(self) -> Identity:
        """Which sweep this is.

        Raises:
            UserError: The file that says so is damaged or gone.

        """
        file = self.path / "sweep.json"
        wrong, remedy = "what says which sweep it is cannot be read", "put it back from a copy"
        try:
            with readable(wrong, file, remedy):
                found = Identity(**read_json(file))
                require_kind(Identity, found)
                require_part(found.sweep_id)
                return found
        except FileNotFoundError:
            raise UserError(wrong, f"{str(file)!r}, which is not there", remedy) from None

    def write_identity(self, identity: Identity) -> None:
        """Replace what says which sweep this is."""
        write_text(self.path / "sweep.json", json.dumps(dataclasses.asdict(identity), indent=1))
        self.__dict__.pop("identity", None)  # read before

    def config(self) -> SweepConfig:
        """The sweep as resolved; one that an earlier version began goes on as it began.

        Raises:
            UserError: The file cannot be read, says what no sweep does, or is a stranger's and
                names code.

        """
        with guarded(self._config_file):
            return SweepConfig.from_dict(sweep_file.plain_settings(self.path))

    def write_config(self, config: SweepConfig) -> None:
        """Replace the resolved sweep."""
        write_text(self._config_file, config.to_yaml())

    @property
    def _config_file(self) -> Path:
        return self.path / sweep_file.FILE

    @property
    def journal(self) -> Path:
        """Optuna's journal."""
        return self.inside("optuna.journal")

    def inside(self, *parts: str) -> Path:
        """A path in the folder.

        Raises:
            UserError: Its parts, such as the name of a trial in a record, or a link lead elsewhere.

        """
        return ownership.inside(self.path, *parts)

    def checkpoints(self, trial: str) -> Path:
        """The folder of a trial's checkpoints."""
        return self.inside("checkpoints", trial)

    def checkpoint(self, trial: str, epoch: int, mode: str = TRAINED) -> Path:
        """The checkpoint of one epoch for a mode; of an ended trial, the best one's is kept."""
        return CheckpointFolder(self.checkpoints(trial)).epoch(epoch, checkpoint_mode(mode))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that drives this sweep; the system frees the lock on any death.

        Raises:
            UserError: Another process drives it, the folder is a stranger's, or it cannot be
                written to.

        """
        ownership.refuse_stranger(self.path)
        self.inside(locks.NAME)
        with locks.driving(self.path):
            yield

    def write_time_used(self, seconds: float, gpu_seconds: float) -> None:
        """Replace what the trials have used: wall-clock time, and GPU shares times it."""
        used = {"seconds": seconds, "gpu_seconds": gpu_seconds}
        write_text(self._used_file, json.dumps(used))

    def time_used(self) -> tuple[float, float]:
        """Back from ``write_time_used``; nothing before the first trial.

        Raises:
            UserError: Somebody has changed the file, so that it is none.

        """
        remedy = "correct it, or remove it to count time from nothing"
        try:
            with readable("what the sweep has used cannot be read", self._used_file, remedy):
                used = read_json(self._used_file)
                found = float(used["seconds"]), float(used["gpu_seconds"])
                if not all(0 <= one < math.inf for one in found):
                    raise ValueError("a time is below 0, or has no end")
                return found
        except FileNotFoundError:
            return 0.0, 0.0

    @property
    def _used_file(self) -> Path:
        return self.path / sweep_file.USED

    def write_trial(self, record: TrialRecord) -> None:
        """Replace what is known of a trial."""
        self.inside(trial_files.FOLDER, record.trial)
        trial_files.write_trial(self.path, record)

    def write_error(self, trial: str, text: str) -> None:
        """Keep the traceback of what a trial raised last, for people."""
        write_text(self.inside("errors", f"{trial}.txt"), text)

    def trials(self) -> list[TrialRecord]:
        """Every trial, by number.

        Raises:
            WorkError: The record of a trial is damaged.

        """
        return sorted(self.each_trial(), key=lambda record: record.number)

    def each_trial(self) -> Iterator[TrialRecord]:
        """Every trial, by name, one after the other: all of them are many megabytes.

        Raises:
            WorkError: The record of a trial is damaged.

        """
        return map(trial_files.read_trial, sorted(self._trial_files()))

    def trial(self, name: str) -> TrialRecord:
        """The trial of a name, whatever has become of the records of others.

        Raises:
            UserError: There is none.
            WorkError: Its record is damaged.

        """
        files = {file.stem: file for file in self._trial_files()}
        if name not in files:
            raise UserError("the sweep has no such trial", f"{name!r}", nearest(name, files))
        return trial_files.read_trial(files[name])

    def _trial_files(self) -> Iterator[Path]:
        return (self.path / trial_files.FOLDER).glob(f"{trial_files.FIRST}*{trial_files.LAST}")

    def write_epoch(
        self, record: EpochRecord, predictions: Sequence[Predictions], slices: Slices
    ) -> None:
        """Keep an epoch: predictions first, so that where there are scores there are both."""
        self._write((f"epoch-{record.epoch:04d}",), record, predictions, slices)

    def write_mode(
        self, mode: str, record: EpochRecord, predictions: Sequence[Predictions], slices: Slices
    ) -> None:
        """Keep what an epoch scores in another mode, as ``write_epoch`` does."""
        self._write(("modes", mode), record, predictions, slices)

    def _write(
        self,
        name: Sequence[str],
        record: EpochRecord,
        predictions: Sequence[Predictions],
        slices: Slices,
    ) -> None:
        path = self._table("predictions", record.trial, *name)
        tables.write_predictions(path, record.trial, record.epoch, predictions, slices)
        tables.write_scores(self._table("results", record.trial, *name), record)

    def epochs(self, trial: str, of: Collection[str] | None = None) -> list[EpochRecord]:
        """The reported epochs of a trial, in order.

        Args:
            trial: The name of the trial.
            of: The metrics that are needed, see ``tables.read_scores``; None: all.

        """
        return [self._epoch(trial, number, of) for number in self.reported(trial)]

    def last_reported(self, trial: str) -> int:
        """The number of a trial's last reported epoch; 0 before the first."""
        return trial_files.last_reported(self.path, trial)

    def epoch(self, trial: str, epoch: int) -> EpochRecord:
        """One reported epoch."""
        return self._epoch(trial, epoch, None)

    def _epoch(self, trial: str, epoch: int, of: Collection[str] | None) -> EpochRecord:
        path = self._table("results", trial, f"epoch-{epoch:04d}")
        return tables.read_scores(path, trial, epoch, of)

    def reported(self, trial: str) -> list[int]:
        """The numbers of a trial's reported epochs, in order; no table is read."""
        return trial_files.reported(self.path, trial)

    def has_predictions(self, trial: str, epoch: int) -> bool:
        """Whether the predictions of an epoch are there."""
        return self._table("predictions", trial, f"epoch-{epoch:04d}").exists()

    def is_in_full(self, trial: str, epoch: int) -> bool:
        """Whether an epoch was scored in full, which is told without reading its scores.

        One that is not reported was not: a kill may leave the predictions of it alone.
        """
        with suppress(FileNotFoundError):
            return tables.is_in_full(self._table("results", trial, f"epoch-{epoch:04d}"))
        return False

    def in_mode(self, trial: str, mode: str) -> EpochRecord:
        """What the best epoch of a trial scores in another mode."""
        return tables.read_scores(self._table("results", trial, "modes", mode), trial)

    def predictions(self, trial: str, epoch: int) -> tuple[list[Predictions], Slices]:
        """Every slice's probability in one reported epoch.

        Raises:
            UserError: They are not there, such as those that were not kept.
            WorkError: They are damaged.

        """
        path = self._kept(f"epoch {epoch}", "predictions", trial, f"epoch-{epoch:04d}")
        return tables.read_predictions(path, trial, epoch)

    def predictions_in_mode(self, trial: str, mode: str) -> tuple[list[Predictions], Slices]:
        """Every slice's probability, of the best epoch in another mode; raises as the other."""
        path = self._kept(f"mode {mode}", "predictions", trial, "modes", mode)
        return tables.read_predictions(path, trial)

    def _kept(self, which: str, kind: str, trial: str, *name: str) -> Path:
        """The path of a table that may not have been kept."""
        path = self._table(kind, trial, *name)
        refuse_missing(
            self.path,
            path.relative_to(self.path).as_posix(),
            f"the {kind} of {trial}, {which},",
            trial,
        )
        return path

    def _table(self, kind: str, trial: str, *name: str) -> Path:
        *folders, last = name
        return self.inside(kind, trial, *folders, f"{last}.parquet")
