"""A sweep's folder: all that is needed to resume it, to query it, to replay it into MLflow."""

import dataclasses
import json
import math
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from sweep.config.sweep import SweepConfig
from sweep.core import mirrors
from sweep.core.errors import UserError, nearest
from sweep.core.files import write_text
from sweep.core.kinds import is_kept, require_kind, require_part
from sweep.core.modes import checkpoint_mode
from sweep.core.reading import read_json, readable
from sweep.core.records import TRAINED, EpochRecord, Predictions, TrialRecord
from sweep.core.text import listed
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.remote import places
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
    def refuse_existing(path: str | Path) -> None:
        """Raise ``UserError`` if there is more at a path or a URI than a kill leaves of ``create``.

        Raises:
            WorkError: A bucket that does not answer.

        """
        if sweep_file.is_free(path):
            return
        shown, names = places.shown(path), sweep_file.names_at(path)
        wrong, other = "the folder of a new sweep exists", "choose another with --out"
        if sweep_file.FILE not in names or sweep_file.MARK not in names:
            what = listed(names)
            raise UserError(f"{wrong}, and is not a sweep's", f"{shown!r} with {what}", other)
        if trial_files.FOLDER not in names:
            raise UserError(
                f"{wrong}: it holds a sweep of which no trial has begun",
                f"{shown!r}",
                f"go on with that by `mrisweep resume {shown}`, remove the folder, or {other}",
            )
        raise UserError(
            f"{wrong}, and holds a sweep",
            f"{shown!r}",
            f"go on with that by `mrisweep resume {shown}`, look at it by `mrisweep best {shown}`, "
            f"or {other}",
        )

    @classmethod
    @contextmanager
    def begun(
        cls, path: str | Path, config: SweepConfig, levels: str | None = None
    ) -> Iterator["SweepFolder"]:
        """Begin a sweep, and be the only process that drives it while inside.

        The lock is held before anything is written, so that of two that begin at once in one place
        one alone does.

        Args:
            path: The folder to make, or the URI of one in a bucket.
            config: The sweep as resolved.
            levels: How the levels were made, as JSON, for ``levels.json``; None: they were fixed.

        A kill may leave it half made, without ``sweep.yaml``; then it is made again.

        Raises:
            UserError: The folder exists, or another process begins a sweep in it; nothing in it is
                touched.

        """
        cls.refuse_existing(path)
        folder = cls(places.made(path))
        with folder.lock():
            cls.refuse_existing(path)  # another process may have begun and ended meanwhile
            folder._write_beginning(config, levels)
            yield folder

    @classmethod
    def create(
        cls, path: str | Path, config: SweepConfig, levels: str | None = None
    ) -> "SweepFolder":
        """Begin a sweep that is driven later, or by nobody; see ``begun``."""
        with cls.begun(path, config, levels) as folder:
            return folder

    def _write_beginning(self, config: SweepConfig, levels: str | None) -> None:
        now = time.time_ns() // 1_000_000
        self.write_identity(Identity(uuid.uuid4().hex, version("mrisweep"), now, self.place))
        if levels is not None:
            write_text(self.path / "levels.json", levels)
        self.write_config(config)  # last: with it the folder is a sweep's

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

    def relist(self, trial: str) -> None:
        """Have every file named that workers have left of a trial that has ended."""
        places.relist(self.path, f"checkpoints/{trial}", f"predictions/{trial}")

    @cached_property
    def identity(self) -> Identity:
        """Which sweep this is.

        Raises:
            UserError: The file that says so is damaged or gone.

        """
        file = self.path / sweep_file.MARK
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
        """Replace what says which sweep this is.

        Raises:
            UserError: Its place is a path that no record has.

        """
        if identity.place is not None and not is_kept(identity.place):
            raise UserError(
                "the path of the sweep's folder has a control character in it, or is not UTF-8, so "
                "that its records cannot say where it is",
                f"{identity.place!r}",
                "rename the folder",
            )
        write_text(self.path / sweep_file.MARK, json.dumps(dataclasses.asdict(identity), indent=1))
        self.__dict__.pop("identity", None)  # read before

    def config(self) -> SweepConfig:
        """The sweep as resolved; one that an earlier version began goes on as it began.

        Raises:
            UserError: The file cannot be read, says what no sweep does, or is a stranger's and
                names code.

        """
        return sweep_file.config_in(self.path)

    def write_config(self, config: SweepConfig) -> None:
        """Replace the resolved sweep."""
        write_text(self._config_file, config.to_yaml())

    @property
    def _config_file(self) -> Path:
        return self.path / sweep_file.FILE

    @property
    def journal(self) -> Path:
        """Optuna's journal: a file, or in a bucket, which adds to none, a folder of parts."""
        parts = self.inside("optuna.parts")
        in_parts = parts.is_dir() or mirrors.mirror_of(self.path) is not None
        return parts if in_parts else self.inside("optuna.journal")

    @property
    def place(self) -> str:
        """Where it is, as it is known everywhere: its path, or its URI."""
        return mirrors.named(str(self.path))

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

        In a bucket there is a lease as well, see ``sweep.results.locks``.

        Raises:
            UserError: Another process drives it, the folder is a stranger's, or it cannot be
                written to.
            WorkError: A bucket that does not answer.

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
        files = (self.path / trial_files.FOLDER).glob(f"{trial_files.FIRST}*{trial_files.LAST}")
        return (file for file in files if trial_files.is_record(file.name))

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

    def bring_predictions(self, epochs: Iterable[tuple[str, int]]) -> None:
        """Have those of many epochs here before they are read: together they take less time."""
        names = (f"predictions/{trial}/epoch-{epoch:04d}.parquet" for trial, epoch in epochs)
        places.bring(self.path, names)

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
