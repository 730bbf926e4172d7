"""The checkpoints of one trial: where they lie, and what each carries beside its weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch.nn import GroupNorm

import mrimodels
from sweep.config.settings import TrialConfig
from sweep.core.errors import UserError
from sweep.core.kinds import require_kind
from sweep.core.mirrors import fetched
from sweep.core.reading import readable
from sweep.core.records import TRAINED
from sweep.store import Store
from sweep.store.slices import Task


class EpochStats(NamedTuple):
    """What training one epoch gave."""

    train_loss: float
    images_per_s: float


@dataclass(frozen=True)
class CheckpointInfo:
    """Where a checkpoint comes from: enough to stress-test it alone, years later.

    Attributes:
        trial: The name of its trial.
        config: The configuration of its trial.
        labels: The names of the outputs.
        task: ``multiclass`` or ``multilabel``.
        fingerprint: The fingerprint of the store that it was trained on.
        epoch: The number of the epoch, 1 for the first.
        stats: What training that epoch gave.
        mode: What was made of the weights since, see ``sweep.core.modes``.

    """

    trial: str
    config: TrialConfig
    labels: tuple[str, ...]
    task: Task
    fingerprint: str
    epoch: int
    stats: EpochStats
    mode: str = TRAINED

    @property
    def title(self) -> str:
        """Which checkpoint it is, in words."""
        mode = "" if self.mode == TRAINED else f", mode {self.mode}"
        return f"{self.trial}, epoch {self.epoch}{mode}"

    def to_plain(self) -> dict[str, Any]:
        """Nested dictionaries, lists and plain values; without ``mode`` where it is trained."""
        plain = asdict(self) | {
            "config": self.config.to_plain(),
            "labels": list(self.labels),
            "stats": self.stats._asdict(),
        }
        if self.mode == TRAINED:
            del plain["mode"]
        return plain

    @classmethod
    def from_plain(cls, meta: Mapping[str, Any], path: Path) -> Self:
        """Back from ``to_plain``; ``path`` is for messages.

        Raises:
            UserError: Notes that no sweep of this version wrote.

        """
        told = {"mode": TRAINED, **meta}
        if missing := [field.name for field in fields(cls) if field.name not in told]:
            raise UserError(
                "the checkpoint does not say how it was trained",
                f"{str(path)!r} without {', '.join(missing)}",
                "take one that a sweep or fit() of this version wrote",
            )
        remedy = "take one that a sweep or fit() of this version wrote"
        with readable("what the checkpoint says of itself cannot be read", path, remedy):
            info = cls(
                trial=meta["trial"],
                config=TrialConfig.from_plain(meta["config"]),
                labels=tuple(meta["labels"]),
                task=meta["task"],
                fingerprint=meta["fingerprint"],
                epoch=meta["epoch"],
                stats=EpochStats(**meta["stats"]),
                mode=told["mode"],
            )
            require_kind(cls, info)
            if info.epoch < 1 or not info.labels:
                raise ValueError(f"epoch {info.epoch}, {len(info.labels)} labels")
            return info

    @classmethod
    def read(cls, path: Path) -> Self:
        """The info in a checkpoint file.

        Raises:
            UserError: No checkpoint, a damaged one, or one that no sweep of this version wrote.

        """
        with _as_user_error():
            return cls.from_plain(mrimodels.load_meta(fetched(path)), path)

    def check_store(self, store: Store) -> None:
        """Raise ``UserError`` unless the store has this checkpoint's labels and task."""
        if self.labels != tuple(store.label_names) or self.task != store.task:
            raise UserError(
                "the store has other labels or another task than the checkpoint, "
                f"{list(self.labels)} ({self.task})",
                f"{list(store.label_names)} ({store.task}) in {store.path}",
                "take the store that it was trained on, or one like it",
            )


class LoadedCheckpoint(NamedTuple):
    """A checkpoint, read once: its network for evaluation, and where it comes from."""

    model: mrimodels.Classifier
    info: CheckpointInfo


def for_evaluation(model: mrimodels.Classifier, spec: mrimodels.ModelSpec) -> mrimodels.Classifier:
    """The same network in evaluation mode, its weights laid out for fast forward passes.

    Channels last where that is faster: torch's group norm of several groups takes more time so than
    the convolutions save. Those of a user's own network stay as they are, too, as its code may
    ``view`` its features, which one layout alone allows.
    """
    grouped = any(isinstance(one, GroupNorm) and one.num_groups > 1 for one in model.modules())
    if not grouped and not spec.is_of_users:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    return model.eval()


def load_checkpoint(path: Path, device: torch.device) -> LoadedCheckpoint:
    """Read a checkpoint file, its network to a device.

    Raises:
        UserError: See ``CheckpointInfo.read``.

    """
    with _as_user_error():
        model, spec, meta = mrimodels.load_checkpoint(fetched(path), device)
        info = CheckpointInfo.from_plain(meta, path)
        if len(info.labels) != spec.n_outputs:
            raise UserError(
                "the checkpoint's network has another number of outputs than it says labels",
                f"{spec.n_outputs} for {', '.join(info.labels)} in {path}",
                "take one that a sweep or fit() wrote",
            )
        return LoadedCheckpoint(for_evaluation(model, spec), info)


@contextmanager
def _as_user_error() -> Iterator[None]:
    try:
        yield
    except mrimodels.ModelError as error:
        raise UserError(*error.args) from None
