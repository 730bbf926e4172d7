"""Networks that fail in training, each in its own way: what may happen to a trial of a cluster."""

import errno
import os
import signal
from pathlib import Path

import torch
from torch import Tensor, nn

TRIED = 2  # slices that a network is tried on before a sweep begins
FLAGS = "MRISWEEP_TEST_FLAGS"  # names the folder with a file for each way to fail that is on


def _on(flag: str, *, once: bool = False) -> bool:
    path = Path(os.environ[FLAGS]) / flag
    on = path.exists()
    if on and once:
        path.unlink()
    return on


class Fine(nn.Module):
    """Does not fail."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        if self.training and len(x) > TRIED:
            self.fail(x)
        return self.fc(self.norm(self.conv(x)).relu().mean((2, 3)))

    def fail(self, x: Tensor) -> None:
        """As it does."""


class Raises(Fine):
    """Has a fault of its own."""

    def fail(self, x: Tensor) -> None:
        """As it does."""
        raise ValueError(f"no head for {len(x)} slices")


class Greedy(Fine):
    """Fits no GPU with more than 8 slices."""

    def fail(self, x: Tensor) -> None:
        """As it does."""
        if len(x) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Hangs(Fine):
    """Its process is stopped once, and not continued."""

    def fail(self, x: Tensor) -> None:
        """As it does."""
        if _on("hangs", once=True):
            os.kill(os.getpid(), signal.SIGSTOP)


class Dies(Fine):
    """Its process is killed."""

    def fail(self, x: Tensor) -> None:
        """As it does."""
        if _on("dies"):
            os.kill(os.getpid(), signal.SIGKILL)


class FullDisk(Fine):
    """Meets a full disk."""

    def fail(self, x: Tensor) -> None:
        """As it does."""
        if _on("full"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "epoch-0001.pt")
