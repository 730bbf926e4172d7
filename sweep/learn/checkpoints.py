"""Where the checkpoints of one trial lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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
