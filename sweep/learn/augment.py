"""From a batch of training slices to network inputs: pose, artifacts, scaling, random convolutions.

The pose comes first where the signal allows it, see ``Signals.posed``. All of it is drawn from
(seed, epoch, slice key): a slice that is drawn twice in an epoch comes out the same twice, and each
epoch draws anew.
"""

import torch
from torch import Tensor

from artifacts_sim import Names, Several, Shift
from sweep.config.levels import augmentation, operations
from sweep.config.settings import TrialConfig
from sweep.core.keys import seed_of
from sweep.learn import augmix
from sweep.learn.inputs import Batch, corrupt, normalize
from sweep.learn.pose import drawn_pose, is_posed
from sweep.learn.randconv import random_convolutions
from sweep.learn.signals import Signals


class Augmentation:
    """What happens to the training slices of a trial.

    Args:
        config: Of the trial.

    Attributes:
        views: How often each slice is among the inputs: once; three times where the consistency of
            predictions is trained, the first time without artifacts.
        poses: Whether slices get another pose; then the batch has to have each slice once for each
            input that it is in, as its pose is that of the input.

    """

    def __init__(self, config: TrialConfig) -> None:
        self.settings, self.seed = config.train.augment, config.seed
        self.scaling = config.data.normalize
        self.shift = augmentation(config.stress, self.settings)
        self.mixes: Several | None = None
        if self.settings.augmix:
            self.mixes = Several(operations(config.stress, self.settings), augmix.DEPTH)
        self.poses = is_posed(self.settings)
        self.views = augmix.VIEWS if self.settings.augmix_consistency else 1

    def inputs(self, batch: Batch, epoch: int) -> Tensor:
        """What the network gets of a batch.

        Args:
            batch: B slices.
            epoch: Its number, 1 for the first.

        Returns:
            (views x B, C, H, W), one view after the other; C = 1 without neighbours.

        """
        images = [batch.stacked(view) for view in self._images(batch, epoch)]
        inputs = normalize(images[0] if len(images) == 1 else torch.cat(images), self.scaling)
        if not self.settings.randconv:
            return inputs
        # All views of a slice get the same convolution: they differ in their artifacts alone.
        names = Names(list(batch.names.keys) * self.views)
        seed = seed_of("randconv", self.seed, epoch)
        return random_convolutions(inputs, names, self.settings.randconv, seed)

    def _images(self, batch: Batch, epoch: int) -> list[Tensor]:
        """The magnitude of each view, (S, H, W), of the slices of the batch's signals."""
        signals, names = batch.signals, batch.drawn or batch.names
        if self.poses:
            # All slices of a stack lie as the one that is classified, by whose key it is drawn.
            channels = 1 if batch.stacks is None else batch.stacks.places.shape[1]
            patients = Names([key for key in batch.names.keys for _ in range(channels)])
            seed = seed_of("pose", self.seed, epoch)
            signals = signals.posed(drawn_pose(self.settings, patients, seed))
        if self.mixes is None:
            return [damaged(signals, names, self.shift, self.seed, epoch)]
        clean, key = signals.clean(), (self.seed, epoch)
        mixes = [
            augmix.mixed(signals, clean, self.mixes, self.settings.augmix, names, *key, view)
            for view in range(1, max(2, self.views))
        ]
        return mixes if self.views == 1 else [clean, *mixes]


def damaged(
    signals: Signals, names: Names, shift: Shift | Several, seed: int, epoch: int
) -> Tensor:
    """Artifacts on a part of the slices, drawn from (seed, epoch, slice key) alone.

    Args:
        signals: B slices.
        names: What each slice is called.
        shift: Which artifacts, how severe and how often, see ``sweep.config.levels``.
        seed: The seed of the trial.
        epoch: Its number, 1 for the first.

    Returns:
        (B, H, W) magnitude.

    """
    # The draws differ from every stress test's: its seeds are never of this form.
    return corrupt(signals, shift, names, seed_of("augment", seed, epoch))
