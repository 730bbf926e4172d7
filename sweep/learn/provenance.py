"""What a checkpoint carries beside its weights: enough to stress-test it alone, years later."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mrimodels
from sweep.config.settings import Recipe
from sweep.core.errors import UserError
from sweep.store import Store


class EpochStats(NamedTuple):
    """What training one epoch gave."""

    train_loss: float
    images_per_s: float


@dataclass(frozen=True)
class Provenance:
    """Where a checkpoint comes from.

    Attributes:
        recipe: of its trial.
        labels: names of the outputs.
        task: ``multiclass`` or ``multilabel``.
        fingerprint: of the store it was trained on.
        epoch: 1 for the first.
        stats: of that epoch.

    """

    recipe: Recipe
    labels: tuple[str, ...]
    task: str
    fingerprint: str
    epoch: int
    stats: EpochStats

    @classmethod
    def of(cls, recipe: Recipe, store: Store, epoch: int, stats: EpochStats) -> "Provenance":
        """The provenance of a model trained by ``recipe`` on ``store``."""
        labels = tuple(store.label_names)
        return cls(recipe, labels, store.task, store.fingerprint, epoch, stats)

    def to_plain(self) -> dict[str, Any]:
        """Nested dictionaries, lists and plain values."""
        return asdict(self) | {
            "recipe": self.recipe.to_plain(),
            "labels": list(self.labels),
            "stats": self.stats._asdict(),
        }

    @classmethod
    def read(cls, path: Path) -> "Provenance":
        """The provenance in a checkpoint file.

        Raises:
            UserError: no checkpoint, a damaged one, or one that no sweep wrote.

        """
        try:
            meta = mrimodels.load_meta(path)
        except mrimodels.ModelError as error:
            raise UserError(str(error)) from None
        if "recipe" not in meta:
            raise UserError(
                f"a stress test needs a checkpoint that a sweep or fit() wrote; {str(path)!r} "
                f"does not say how it was trained"
            )
        return cls(
            recipe=Recipe.from_plain(meta["recipe"]),
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
