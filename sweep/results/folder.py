"""A sweep's folder: all that is needed to resume it, to query it, to replay it into MLflow."""

import dataclasses
import fcntl
import json
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, told
from sweep.core.files import write_text
from sweep.core.modes import checkpoint_mode
from sweep.core.records import TRAINED, EpochRecord, Predictions, TrialRecord
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.results import sweep_file, tables, trial_files
from sweep.results.removed import refuse_missing
from sweep.results.tables import Slices


@dataclass(frozen=True)
class Identity:
    """Which sweep a folder holds.

    Attributes:
        sweep_id: Unique, whatever the folder's name or place.
        code_version: The code version of mrisweep when the sweep began.
        started_at_ms: Unix time.

    """

    sweep_id: str
    code_version: str
    started_at_ms: int


@dataclass(frozen=True)
class SweepFolder:
    """Paths, records and tables of one sweep. Whatever is written appears whole or not at all.

    Args:
        path: Absolute.

    """

    path: Path

    @staticmethod
    def refuse_existing(path: Path) -> None:
        """Raise ``UserError`` if there is anything at ``path``."""
        if path.exists():
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

        Raises:
            UserError: The folder exists; nothing in it is touched.

        """
        cls.refuse_existing(path)
        folder = cls(path.resolve())
        folder.path.mkdir(parents=True)
        identity = Identity(uuid.uuid4().hex, version("mrisweep"), time.time_ns() // 1_000_000)
        write_text(folder.path / "sweep.json", json.dumps(dataclasses.asdict(identity), indent=1))
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
        """Which sweep this is."""
        return Identity(**json.loads((self.path / "sweep.json").read_text()))

    def config(self) -> SweepConfig:
        """The sweep as resolved; one that an earlier version began goes on as it began."""
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
        return self.path / "optuna.journal"

    def checkpoints(self, trial: str) -> Path:
        """The folder of a trial's checkpoints."""
        return self.path / "checkpoints" / trial

    def checkpoint(self, trial: str, epoch: int, mode: str = TRAINED) -> Path:
        """The checkpoint of one epoch for a mode; of an ended trial, the best one's is kept."""
        return CheckpointFolder(self.checkpoints(trial)).epoch(epoch, checkpoint_mode(mode))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that drives this sweep; the system frees the lock on any death.

        Raises:
            UserError: Another process drives it.

        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    "another process drives this sweep",
                    f"{str(self.path)!r}",
                    "wait for it, or stop it first",
                ) from None
            yield

    def is_driven(self) -> bool:
        """Whether a process drives this sweep now."""
        try:
            with (self.path / ".lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def write_time_used(self, seconds: float, gpu_seconds: float) -> None:
        """Replace what the trials have used: wall-clock time, and GPU shares times it."""
        used = {"seconds": seconds, "gpu_seconds": gpu_seconds}
        write_text(self._used_file, json.dumps(used))

    def time_used(self) -> tuple[float, float]:
        """Back from ``write_time_used``; nothing before the first trial.

        Raises:
            UserError: Somebody has changed the file, so that it is none.

        """
        try:
            used = json.loads(self._used_file.read_text())
            return float(used["seconds"]), float(used["gpu_seconds"])
        except FileNotFoundError:
            return 0.0, 0.0
        except (ValueError, TypeError, LookupError) as error:
            raise UserError(
                "what the sweep has used cannot be read",
                f"{self._used_file} ({told(error)})",
                "correct it, or remove it to count time from nothing",
            ) from None

    @property
    def _used_file(self) -> Path:
        return self.path / "used.json"

    def write_trial(self, record: TrialRecord) -> None:
        """Replace what is known of a trial."""
        trial_files.write_trial(self.path, record)

    def trials(self) -> list[TrialRecord]:
        """Every trial, by number."""
        return sorted(self.each_trial(), key=lambda record: record.number)

    def each_trial(self) -> Iterator[TrialRecord]:
        """Every trial, by name, one after the other: all of them are many megabytes."""
        paths = (self.path / trial_files.FOLDER).glob(f"{trial_files.FIRST}*{trial_files.LAST}")
        return map(trial_files.read_trial, sorted(paths))

    def write_epoch(
        self, record: EpochRecord, predictions: Sequence[Predictions], slices: Slices
    ) -> None:
        """Keep an epoch: predictions first, so that where there are scores there are both."""
        self._write(f"epoch-{record.epoch:04d}", record, predictions, slices)

    def write_mode(
        self, mode: str, record: EpochRecord, predictions: Sequence[Predictions], slices: Slices
    ) -> None:
        """Keep what an epoch scores in another mode, as ``write_epoch`` does."""
        self._write(f"modes/{mode}", record, predictions, slices)

    def _write(
        self, name: str, record: EpochRecord, predictions: Sequence[Predictions], slices: Slices
    ) -> None:
        path = self._table("predictions", record.trial, name)
        tables.write_predictions(path, record.trial, record.epoch, predictions, slices)
        tables.write_scores(self._table("results", record.trial, name), record)

    def epochs(self, trial: str, of: Collection[str] | None = None) -> list[EpochRecord]:
        """The reported epochs of a trial, in order.

        Args:
            trial: The name of the trial.
            of: The metrics that are needed, see ``tables.read_scores``; None: all.

        """
        paths = sorted((self.path / "results" / trial).glob("epoch-*.parquet"))
        return [tables.read_scores(path, of) for path in paths]

    def last_reported(self, trial: str) -> int:
        """The number of a trial's last reported epoch; 0 before the first."""
        return trial_files.last_reported(self.path, trial)

    def epoch(self, trial: str, epoch: int) -> EpochRecord:
        """One reported epoch."""
        return tables.read_scores(self._table("results", trial, f"epoch-{epoch:04d}"))

    def reported(self, trial: str) -> list[int]:
        """The numbers of a trial's reported epochs, in order; no table is read."""
        return trial_files.reported(self.path, trial)

    def has_predictions(self, trial: str, epoch: int) -> bool:
        """Whether the predictions of an epoch are there."""
        return self._table("predictions", trial, f"epoch-{epoch:04d}").exists()

    def is_in_full(self, trial: str, epoch: int) -> bool:
        """Whether a reported epoch was scored in full, which is told without reading its scores."""
        return tables.is_in_full(self._table("results", trial, f"epoch-{epoch:04d}"))

    def in_mode(self, trial: str, mode: str) -> EpochRecord:
        """What the best epoch of a trial scores in another mode."""
        return tables.read_scores(self._table("results", trial, f"modes/{mode}"))

    def predictions(self, trial: str, epoch: int) -> tuple[list[Predictions], Slices]:
        """Every slice's probability in one reported epoch.

        Raises:
            UserError: They are not there, such as those that were not kept.

        """
        return self._predictions(trial, f"epoch-{epoch:04d}", f"epoch {epoch}")

    def predictions_in_mode(self, trial: str, mode: str) -> tuple[list[Predictions], Slices]:
        """Every slice's probability, of the best epoch in another mode.

        Raises:
            UserError: See ``predictions``.

        """
        return self._predictions(trial, f"modes/{mode}", f"mode {mode}")

    def _predictions(self, trial: str, name: str, which: str) -> tuple[list[Predictions], Slices]:
        path = f"predictions/{trial}/{name}.parquet"
        refuse_missing(self.path, path, f"the predictions of {trial}, {which},", trial)
        return tables.read_predictions(self.path / path)

    def _table(self, kind: str, trial: str, name: str) -> Path:
        return self.path / kind / trial / f"{name}.parquet"
