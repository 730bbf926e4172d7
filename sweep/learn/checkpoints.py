"""The checkpoints of one trial: where they lie, and what each carries beside its weights."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mrimodels
from sweep.config.settings import TrialConfig
from sweep.core.errors import UserError
from sweep.store import Store


@dataclass(frozen=True)
class CheckpointFolder:
    """The files of one trial: a checkpoint for each epoch worth keeping, and the latest state."""

    path: Path

    @property
    def state(self) -> Path:
        """The optimizer state that goes with the latest checkpoint."""
        return self.path / "state.pt"

    def epoch(self, number: int) -> Path:
        """The checkpoint of one epoch."""
        return self.path / f"epoch-{number:04d}.pt"

    def keep(self, epochs: Iterable[int | None]) -> None:
        """Delete every checkpoint but those of ``epochs``."""
        kept = {self.epoch(number) for number in epochs if number is not None}
        for path in self.path.glob("epoch-*.pt"):
            if path not in kept:
                path.unlink(missing_ok=True)


class EpochStats(NamedTuple):
    """What training one epoch gave."""

    train_loss: float
    images_per_s: float


@dataclass(frozen=True)
class CheckpointInfo:
    """Where a checkpoint comes from.

    Attributes:
        config: of its trial.
        labels: names of the outputs.
        task: ``multiclass`` or ``multilabel``.
        fingerprint: of the store it was trained on.
        epoch: 1 for the first.
        stats: of that epoch.

    """

    config: TrialConfig
    labels: tuple[str, ...]
    task: str
    fingerprint: str
    epoch: int
    stats: EpochStats

    @classmethod
    def of(
        cls, config: TrialConfig, store: Store, epoch: int, stats: EpochStats
    ) -> "CheckpointInfo":
        """The info of a model trained by ``config`` on ``store``."""
        labels = tuple(store.label_names)
        return cls(config, labels, store.task, store.fingerprint, epoch, stats)

    def to_plain(self) -> dict[str, Any]:
        """Nested dictionaries, lists and plain values."""
        return asdict(self) | {
            "config": self.config.to_plain(),
            "labels": list(self.labels),
            "stats": self.stats._asdict(),
        }

    @classmethod
    def read(cls, path: Path) -> "CheckpointInfo":
        """The info in a checkpoint file.

        Raises:
            UserError: no checkpoint, a damaged one, or one that no sweep wrote.

        """
        try:
            meta = mrimodels.load_meta(path)
        except mrimodels.ModelError as error:
            raise UserError(str(error)) from None
        if "config" not in meta:
            raise UserError(
                f"a stress test needs a checkpoint that a sweep or fit() wrote; {str(path)!r} "
                f"does not say how it was trained"
            )
        return cls(
            config=TrialConfig.from_plain(meta["config"]),
            labels=tuple(meta["labels"]),
            task=meta["task"],
            fingerprint=meta["fingerprint"],
            epoch=meta["epoch"],
            stats=EpochStats(**meta["stats"]),
        )

    def check_store(self, store: Store) -> None:
        """Raise ``UserError`` unless the store has this checkpoint's labels and task."""
        if self.labels != tuple(store.label_names) or self.task != store.task:
            raise UserError(
                f"checkpoint and store must have the same labels and task; the checkpoint has "
                f"{list(self.labels)} ({self.task}), the store {list(store.label_names)} "
                f"({store.task})"
            )
