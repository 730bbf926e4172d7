"""What a user can set for the training of a model."""

import math
from dataclasses import dataclass, field
from typing import Literal

from sweep.config.augment import AugmentSettings
from sweep.config.base import Settings, require


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Training of one model with AdamW.

    Attributes:
        epochs: Passes over the training slices at most. When to change it: ``best`` remarks that
            winners stand at their last epoch.
        batch_size: Slices per step. When to change it: the memory of a GPU is too small, or a step
            uses little of it; batch norm depends on it.
        lr: Peak learning rate. When to change it: search it: norms do best at different rates.
        weight_decay: Decoupled decay of convolution and linear weights; norm parameters and biases
            are never decayed, whatever the norm. When to change it: search it, together with
            ``lr``.
        schedule: ``constant``, or ``cosine`` from ``lr`` to 0 over ``epochs``. When to change it:
            epochs are to be compared with each other at one rate.
        sampler: ``balanced`` draws slices with weight 1 / (slices with the same labels);
            ``positives`` with weight 1 / (slices with the same number of positive labels);
            ``uniform`` is a permutation. When to change it: all labels are common (``uniform``), or
            slices show several labels at once (``positives``).
        patience: Epochs without a better objective after which training ends; null: never. When to
            change it: scores stop rising long before the last epoch.
        amp: Bfloat16 autocast on a GPU; no effect on a CPU. When to change it: a GPU has no
            bfloat16, or scores are to equal those of a CPU as nearly as they can.
        augment: What happens to the training slices before the network sees them.
        label_smoothing: Part s of every target that is shared among all classes (Szegedy et al.,
            arXiv 1512.00567): of a multi-class task (1 - s) y + s / L for L labels, of each label
            of a multi-label task (1 - s) y + s / 2. 0: none. When to change it: labels are known to
            be wrong here and there.
        ema: Decay of an exponential moving average of the weights, written beside every epoch's
            checkpoint, see docs/training.md#averaged-weights; null: none. When to change it: scores
            jump from epoch to epoch.
        mixstyle: Probability that the feature statistics of a batch are mixed among its slices,
            after each of the network's first two stages (Zhou et al., arXiv 2104.02008), see
            docs/training.md#mixstyle. 0: none. When to change it: hospitals or scanners differ in
            contrast, and only one of them is in the training split.
        mixstyle_alpha: The shares of a mixture come from Beta(alpha, alpha). When to change it:
            mixtures are to be nearer to halves (a larger one).
        group_dro: The column of the store whose values are groups, of which those with the greatest
            loss get the greatest weight (Sagawa et al., arXiv 1911.08731), see
            docs/training.md#group-dro; null: every slice has the same weight. When to change it:
            the store says of which hospital or scanner a slice is, and the worst of them matters.
        group_dro_step: The step size of the groups' weights, eta_q in the paper. When to change it:
            weights of groups move too slowly or jump.
        group_dro_adjustment: C in the paper: C / sqrt(n) is added to the loss of a group of n
            training slices where its weight is found, so that small groups get more. When to change
            it: a group is small and its loss is fitted at once.

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
    label_smoothing: float = 0.0
    ema: float | None = None
    mixstyle: float = 0.0
    mixstyle_alpha: float = 0.1
    group_dro: str | None = None
    group_dro_step: float = 0.01
    group_dro_adjustment: float = 0.0

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "1 or more", self.epochs)
        require(self.batch_size >= 2, "batch_size", "2 or more", self.batch_size)
        require(self.lr > 0, "lr", "a number above 0", self.lr)
        require(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
        require(self.patience is None or self.patience >= 1, "patience", "1 or more", self.patience)
        smoothing, decay, mixstyle = self.label_smoothing, self.ema, self.mixstyle
        require(0 <= smoothing < 1, "label_smoothing", "0 or more, and less than 1", smoothing)
        require(decay is None or 0 < decay < 1, "ema", "null, or a number between 0 and 1", decay)
        require(0 <= mixstyle <= 1, "mixstyle", "a number from 0 to 1", mixstyle)
        for name in ("mixstyle_alpha", "group_dro_step"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, "a finite number above 0", value)
        adjustment = self.group_dro_adjustment
        require(
            0 <= adjustment < math.inf, "group_dro_adjustment", "a finite 0 or more", adjustment
        )
