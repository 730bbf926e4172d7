"""AugMix (arXiv 1912.02781) with MR artifacts as its operations, and its consistency.

Magnitudes are mixed, before intensities are scaled: a weighted mean of magnitudes is one.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from artifacts_sim import Names, Several
from artifacts_sim.keyed import Source
from sweep.core.keys import Part, seed_of
from sweep.learn.inputs import corrupt
from sweep.learn.signals import Signals

DEPTH = 3  # operations in a chain at most, each number from 1 as likely
VIEWS = 3  # that predictions are compared of: without artifacts, and two mixes


def mixed(
    signals: Signals, clean: Tensor, operations: Several, chains: int, names: Names, *key: Part
) -> Tensor:
    """Mix slices with what chains of artifacts make of them: (1 - m) x + m sum of w_i chain_i(x).

    The weights w are from the Dirichlet distribution of ones, m from Beta(1, 1), drawn by the key
    of each slice; the chains, as all artifacts, by the key of its scan.

    Args:
        signals: B slices.
        clean: (B, H, W) their magnitude without artifacts.
        operations: What each chain is drawn from.
        chains: How many, k.
        names: What each slice is called.
        key: Key of the draws.

    Returns:
        (B, H, W) magnitude.

    """
    kept, weights = mixing_weights(names, chains, seed_of("augmix", *key))
    weights = weights.to(clean.device)[..., None, None]
    mix = clean * kept.to(clean.device)[:, None, None]
    for number in range(chains):
        damaged = corrupt(signals, operations, names, seed_of("augmix", *key, number))
        mix.addcmul_(weights[:, number], damaged)
    return mix


def mixing_weights(names: Names, chains: int, seed: int) -> tuple[Tensor, Tensor]:
    """The weight of the slice itself, (B,), and of each of k chains, (B, k); their sum is 1."""
    u = Source("augmix", seed, Names(names.keys)).uniform(1 + chains)
    exponential = -np.log1p(-u[:, 1:]) + np.finfo(np.float64).tiny  # so that the sum is above 0
    shares = exponential / exponential.sum(axis=1, keepdims=True)
    kept, weights = (1 - u[:, 0]), u[:, :1] * shares
    return torch.from_numpy(kept).float(), torch.from_numpy(weights).float()


def divergence(views: Sequence[Tensor], task: str) -> Tensor:
    """The Jensen-Shannon divergence of predictions: the mean of KL(p_v || mean of all p).

    Of a multi-class task it is that of the distribution over classes; of a multi-label task that
    of each label, shown or not, summed over the labels as the loss is.

    Args:
        views: V times (B, L) logits, of the same slices.
        task: ``multiclass`` or ``multilabel``.

    Returns:
        () mean over the slices, in nats, at most log V for each distribution; 0 where all views
        agree.

    """
    logits = torch.stack(tuple(views))
    if task == "multiclass":
        log_p = functional.log_softmax(logits, dim=-1)
    else:
        log_p = functional.logsigmoid(torch.stack([logits, -logits], dim=-1))
    log_mean = log_p.logsumexp(dim=0) - math.log(len(views))
    return (log_p.exp() * (log_p - log_mean)).mean(dim=0).sum() / logits.shape[1]
