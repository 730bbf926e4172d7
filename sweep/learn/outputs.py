"""What the logits of a network say of each label: a probability, and its log-odds."""

import torch
from torch import Tensor


def probability(logits: Tensor, task: str) -> Tensor:
    """The probability of each label.

    Args:
        logits: (B, L).
        task: ``multiclass``: of exactly one label, by softmax; ``multilabel``: of each, by sigmoid.

    Returns:
        (B, L) float32.

    """
    logits = logits.float()
    return logits.softmax(dim=1) if task == "multiclass" else logits.sigmoid()


def log_odds(logits: Tensor, task: str) -> Tensor:
    """log(p / (1 - p)) of each label's probability p, also where p rounds to 0 or 1.

    Args:
        logits: (B, L).
        task: ``multiclass``: of the label against all others together; ``multilabel``: the logit.

    Returns:
        (B, L) float32.

    """
    logits = logits.float()
    if task != "multiclass":
        return logits
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None, :].masked_fill(own, -torch.inf)
    return logits - others.logsumexp(dim=2)
