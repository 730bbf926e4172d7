"""One artifact, one norm, one metric and one tracker, in a package of their own."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from artifacts_sim import Artifact, Knob
from artifacts_sim.acquisition.geometry import Frame
from artifacts_sim.acquisition.operators import PixelOperator, Stage
from artifacts_sim.acquisition.signal import Signal
from artifacts_sim.params import Draws
from sweep.metrics import Metric
from sweep.metrics.functions import auroc


@dataclass(frozen=True)
class Dimming(Artifact):
    """y = (1 - k) x: the receiver's gain is too low."""

    name: ClassVar[str] = "dimming"
    knob: ClassVar[Knob] = Knob(
        "loss", "part of the gain that is lost", (0.1, 0.2, 0.3, 0.4, 0.5), 1
    )
    stage: ClassVar[Stage] = Stage.FIELD

    def operator(self, draws: Draws, knob: Tensor, frame: Frame) -> PixelOperator:
        """A product in the image."""
        return _Gain(1 - knob)


@dataclass(frozen=True, eq=False)
class _Gain(PixelOperator):
    gain: Tensor  # (B,)

    def on_planes(self, planes: Tensor, signal: Signal) -> Tensor:
        return planes * self.gain.to(planes)[:, None, None, None]


def plain(channels: int, eps: float) -> nn.Module:
    """No normalisation at all."""
    return _Plain()


class _Plain(nn.Identity):
    def reset_parameters(self) -> None:
        """It has none."""


GINI = Metric(
    "gini", lambda probability, truth, weights: 2 * auroc(probability, truth, weights) - 1
)


class Notes:
    """A tracker that writes what happens to a text file, each line once however often it is told.

    What happens while it is made is told twice: as past, and as it happened.
    """

    def __init__(self, folder, config):
        self.file = folder.path / "notes.txt"
        self.file.touch()

    def began(self, trial):
        self._write(f"began {trial.trial}")

    def reported(self, trial, epoch):
        self._write(f"reported {trial.trial} {epoch.epoch}")

    def ended(self, trial):
        self._write(f"ended {trial.trial}")

    def close(self, finished):
        self._write(f"closed {finished}")

    def _write(self, text):
        if text in self.file.read_text().splitlines():
            return
        with self.file.open("a") as file:
            file.write(text + "\n")
