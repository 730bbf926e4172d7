"""What training minimises, and the loss that it reports, which is comparable between trials."""

from typing import Literal, NamedTuple

from torch import Tensor
from torch.nn import functional

from sweep.config.training import TrainSettings
from sweep.learn.augmix import divergence
from sweep.learn.group_dro import GroupWeights
from sweep.learn.inputs import Batch


def loss_of(
    logits: Tensor,
    labels: Tensor,
    task: str,
    smoothing: float = 0.0,
    reduction: Literal["mean", "none"] = "mean",
) -> Tensor:
    """Cross-entropy of a multi-class task; sum over labels of binary ones of a multi-label task.

    Args:
        logits: (B, L).
        labels: (B, L) multi-hot.
        task: ``multiclass`` or ``multilabel``.
        smoothing: Part s of a target y that is shared among all classes (Szegedy et al., arXiv
            1512.00567): (1 - s) y + s / L, and (1 - s) y + s / 2 of each label of a multi-label
            task, where the classes are present and absent.
        reduction: ``mean`` over the batch, or ``none``.

    Returns:
        (), or (B,) where there is no reduction.

    """
    if task == "multiclass":
        classes = labels.argmax(dim=1)
        return functional.cross_entropy(
            logits, classes, reduction=reduction, label_smoothing=smoothing
        )
    targets = labels.to(logits.dtype)
    if smoothing:
        targets = targets * (1 - smoothing) + smoothing / 2
    binary = functional.binary_cross_entropy_with_logits
    if reduction == "mean":
        return binary(logits, targets) * labels.shape[1]
    return binary(logits, targets, reduction="none").sum(dim=1)


class Loss(NamedTuple):
    """The loss of a batch.

    Attributes:
        minimised: (), what the gradient is taken of.
        reported: (), the mean cross-entropy of the true labels on the same inputs, of several
            views the first, without a gradient: whatever is minimised, trials are compared by the
            same quantity.

    """

    minimised: Tensor
    reported: Tensor


class Objective:
    """The loss as set: plain, or with smoothed targets, weighted groups, consistency of views.

    Args:
        settings: Which of these.
        task: ``multiclass`` or ``multilabel``.
        groups: The weights of the groups; None: every slice has the same weight.

    """

    def __init__(self, settings: TrainSettings, task: str, groups: GroupWeights | None) -> None:
        self.smoothing = settings.label_smoothing
        self.consistency = settings.augment.augmix_consistency
        self.task = task
        self.groups = groups

    def of(self, logits: Tensor, batch: Batch) -> Loss:
        """The loss of a batch; moves the weights of groups.

        Args:
            logits: (views x B, L), one view after the other; labels are learnt from the first.
            batch: The B slices.

        """
        views = logits.chunk(len(logits) // len(batch))
        first = views[0]
        if self.groups is None:
            minimised = loss_of(first, batch.labels, self.task, self.smoothing)
        else:
            losses = loss_of(first, batch.labels, self.task, self.smoothing, "none")
            minimised = self.groups.loss(losses, batch.names.keys)
        if self.groups is None and not self.smoothing:
            reported = minimised.detach()
        else:
            reported = loss_of(first.detach(), batch.labels, self.task)
        if len(views) > 1:
            minimised = minimised + self.consistency * divergence(views, self.task)
        return Loss(minimised, reported)
