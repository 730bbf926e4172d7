"""What the logits of a network say of each label: the log-odds of its probability."""

import torch
from torch import Tensor


def log_odds(logits: Tensor, task: str) -> Tensor:
    """log(p / (1 - p)) of each label's probability p, also where p rounds to 0 or 1.

    Args:
        logits: (B, L).
        task: ``multiclass``: p by softmax, the label against all others together; ``multilabel``: p
            by sigmoid, whose log-odds is the logit.

    Returns:
        (B, L) float32.

    """
    logits = logits.float()
    if task != "multiclass":
        return logits
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None, :].masked_fill(own, -torch.inf)
    return logits - others.logsumexp(dim=2)
