"""A sweep's folder: all that is needed to resume it, to query it, to replay it into MLflow."""

import dataclasses
import fcntl
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from sweep.config.sweep import SweepConfig
from sweep.core import mirrors
from sweep.core.errors import UserError, told
from sweep.core.files import write_text
from sweep.core.modes import checkpoint_mode
from sweep.core.records import TRAINED, EpochRecord, Predictions, TrialRecord
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.remote import places
from sweep.results import sweep_file, tables, trial_files
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
    def refuse_existing(path: str | Path) -> None:
        """Raise ``UserError`` if there is anything at a path or a URI."""
        if places.holds_anything(path):
            shown = places.meant(path) or path
            raise UserError(
                "the folder of a new sweep exists",
                f"{str(shown)!r}",
                "choose another with --out, or continue the sweep in it with `mrisweep resume "
                f"{shown}`",
            )

    @classmethod
    def create(
        cls, path: str | Path, config: SweepConfig, levels: str | None = None
    ) -> "SweepFolder":
        """Begin a sweep.

        Args:
            path: The folder to make, or the URI of one in a bucket.
            config: The sweep as resolved.
            levels: How the levels were made, as JSON, for ``levels.json``; None: they were fixed.

        Raises:
            UserError: The folder exists; nothing in it is touched.

        """
        cls.refuse_existing(path)
        folder = cls(places.made(path))
        identity = Identity(uuid.uuid4().hex, version("mrisweep"), time.time_ns() // 1_000_000)
        write_text(folder.path / "sweep.json", json.dumps(dataclasses.asdict(identity), indent=1))
        if levels is not None:
            write_text(folder.path / "levels.json", levels)
        folder.write_config(config)  # last: with it the folder is a sweep's
        return folder

    @classmethod
    def open(cls, path: str | Path, driving: bool = False) -> "SweepFolder":
        """A sweep that was begun.

        Args:
            path: Its folder, or the URI of that.
            driving: Whether it is going to be locked and driven; before the lock, one in a bucket
                is not here.

        Raises:
            UserError: No such folder, or not a sweep's, or a bucket that cannot be opened.
            WorkError: A bucket that does not answer.

        """
        return cls(sweep_file.opened(path, places.RESULTS, driving))

    @classmethod
    def _arrived(cls, place: places.Place) -> "SweepFolder":
        return cls(place.here())

    def __reduce__(self) -> tuple[object, tuple[places.Place]]:
        """In a process on another node, a folder in a bucket is that node's mirror of it."""
        return self._arrived, (places.Place.of(self.path),)

    def refresh(self) -> None:
        """Hear of what workers have written, where these may be on nodes that share no disk."""
        places.refresh(self.path)

    def forget(self, trial: str, epoch: int | None = None) -> None:
        """A worker writes what is known of a trial, or has written that of one epoch."""
        name = trial if epoch is None else f"{trial}/epoch-{epoch:04d}.parquet"
        for kind in ("results", "predictions"):
            mirrors.forget(self.path / kind / name)

    def take_up(self, trial: str) -> None:
        """Begin to work on a trial, in the process that alone does so, as others left it."""
        places.take_up(self.path, f"results/{trial}", f"checkpoints/{trial}")

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
        """Optuna's journal: a file, or in a bucket, which adds to none, a folder of parts."""
        parts = self.path / "optuna.parts"
        in_parts = parts.is_dir() or mirrors.mirror_of(self.path) is not None
        return parts if in_parts else self.path / "optuna.journal"

    def checkpoints(self, trial: str) -> Path:
        """The folder of a trial's checkpoints."""
        return self.path / "checkpoints" / trial

    def checkpoint(self, trial: str, epoch: int, mode: str = TRAINED) -> Path:
        """The checkpoint of one epoch for a mode; of an ended trial, the best one's is kept."""
        return CheckpointFolder(self.checkpoints(trial)).epoch(epoch, checkpoint_mode(mode))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only process that drives this sweep; the system frees the lock on any death.

        In a bucket there is a lease as well, see ``sweep.remote.lease``.

        Raises:
            UserError: Another process drives it.
            WorkError: A bucket that does not answer.

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
            with places.driven(self.path):
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

    def write_error(self, trial: str, text: str) -> None:
        """Keep the traceback of what a trial raised last, for people."""
        write_text(self.path / "errors" / f"{trial}.txt", text)

    def trials(self) -> list[TrialRecord]:
        """Every trial, by number."""
        paths = (self.path / trial_files.FOLDER).glob(f"{trial_files.FIRST}*{trial_files.LAST}")
        return sorted(map(trial_files.read_trial, paths), key=lambda record: record.number)

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

    def epochs(self, trial: str) -> list[EpochRecord]:
        """The reported epochs of a trial, in order."""
        paths = sorted((self.path / "results" / trial).glob("epoch-*.parquet"))
        return [tables.read_scores(path) for path in paths]

    def last_reported(self, trial: str) -> int:
        """The number of a trial's last reported epoch; 0 before the first."""
        return trial_files.last_reported(self.path, trial)

    def epoch(self, trial: str, epoch: int) -> EpochRecord:
        """One reported epoch."""
        return tables.read_scores(self._table("results", trial, f"epoch-{epoch:04d}"))

    def in_mode(self, trial: str, mode: str) -> EpochRecord:
        """What the best epoch of a trial scores in another mode."""
        return tables.read_scores(self._table("results", trial, f"modes/{mode}"))

    def bring_predictions(self, epochs: Iterable[tuple[str, int]]) -> None:
        """Have those of many epochs here before they are read: together they take less time."""
        names = (f"predictions/{trial}/epoch-{epoch:04d}.parquet" for trial, epoch in epochs)
        places.bring(self.path, names)

    def predictions(self, trial: str, epoch: int) -> tuple[list[Predictions], Slices]:
        """Every slice's probability in one reported epoch."""
        return tables.read_predictions(self._table("predictions", trial, f"epoch-{epoch:04d}"))

    def predictions_in_mode(self, trial: str, mode: str) -> tuple[list[Predictions], Slices]:
        """Every slice's probability, of the best epoch in another mode."""
        return tables.read_predictions(self._table("predictions", trial, f"modes/{mode}"))

    def _table(self, kind: str, trial: str, name: str) -> Path:
        return self.path / kind / trial / f"{name}.parquet"
