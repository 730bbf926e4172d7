"""Where the checkpoints of one trial lie; to know that, no torch is needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sweep.core.mirrors import listed, remove
from sweep.core.records import TRAINED
from sweep.remote.places import Place


@dataclass(frozen=True)
class CheckpointFolder:
    """The files of one trial: a checkpoint for each epoch worth keeping, and the latest state.

    Attributes:
        path: Their folder.
        keeps_all: Whether every epoch is worth keeping.

    """

    path: Path
    keeps_all: bool = False

    @classmethod
    def _arrived(cls, place: Place, keeps_all: bool) -> "CheckpointFolder":
        return cls(place.here(), keeps_all)

    def __reduce__(self) -> tuple[object, tuple[Place, bool]]:
        """In a process on another node, a folder in a bucket is that node's mirror of it."""
        return self._arrived, (Place.of(self.path), self.keeps_all)

    @property
    def state(self) -> Path:
        """The optimizer state that goes with the latest checkpoint."""
        return self.path / "state.pt"

    def epoch(self, number: int, mode: str = TRAINED) -> Path:
        """The checkpoint of one epoch: the weights as trained, or what a mode makes of them."""
        return self.path / checkpoint_name(number, mode)

    def keep(self, epochs: Iterable[int | None]) -> None:
        """Delete every checkpoint but those of ``epochs``, in all modes, unless all are kept."""
        if self.keeps_all:
            return
        kept = {self.epoch(number).stem for number in epochs if number is not None}
        for path in listed(self.path):
            if path.match("epoch-*.pt") and path.name.partition(".")[0] not in kept:
                remove(path)


def checkpoint_name(number: int, mode: str = TRAINED) -> str:
    """The name of the file of one epoch, see ``CheckpointFolder.epoch``."""
    suffix = "" if mode == TRAINED else f".{mode}"
    return f"epoch-{number:04d}{suffix}.pt"
