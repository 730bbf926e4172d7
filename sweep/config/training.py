"""What a user can set for the training of a model."""

from dataclasses import dataclass, field
from typing import Literal

from sweep.config.augment import AugmentSettings
from sweep.config.base import Settings, require


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Training of one model with AdamW.

    Attributes:
        epochs: Passes over the training slices at most.
        batch_size: Slices per step.
        lr: Peak learning rate.
        weight_decay: Decoupled decay of convolution and linear weights; norm parameters and
            biases are never decayed, whatever the norm.
        schedule: ``constant``, or ``cosine`` from ``lr`` to 0 over ``epochs``.
        sampler: ``balanced`` draws slices with weight 1 / (slices with the same labels);
            ``positives`` with weight 1 / (slices with the same number of positive labels);
            ``uniform`` is a permutation.
        patience: Epochs without a better objective after which training ends; null: never.
        amp: Bfloat16 autocast on a GPU; no effect on a CPU.
        augment: What happens to the training slices before the network sees them.

    """

    epochs: int = 20
    batch_size: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-2
    schedule: Literal["constant", "cosine"] = "cosine"
    sampler: Literal["balanced", "positives", "uniform"] = "balanced"
    patience: int | None = None
    amp: bool = True
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "1 or more", self.epochs)
        require(self.batch_size >= 2, "batch_size", "2 or more", self.batch_size)
        require(self.lr > 0, "lr", "a number above 0", self.lr)
        require(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
        require(self.patience is None or self.patience >= 1, "patience", "1 or more", self.patience)
