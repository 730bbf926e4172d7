"""AugMix: weights that sum to 1, images between those mixed, and a divergence of predictions."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from artifacts_sim import Names, Several, Shift
from sweep.learn.augmix import divergence, mixed, mixing_weights
from sweep.learn.signals import Images

NAMES = Names([f"s{number}" for number in range(4000)])


def test_weights_are_of_the_dirichlet_distribution_and_sum_to_1() -> None:
    kept, weights = mixing_weights(NAMES, 3, seed=0)
    torch.testing.assert_close(kept + weights.sum(dim=1), torch.ones(4000))
    assert (weights >= 0).all()
    assert float(kept.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(kept.var()) == pytest.approx(1 / 12, abs=0.005), "Beta(1, 1) is uniform"
    shares = weights / (1 - kept)[:, None]
    assert shares.mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    assert shares.var(dim=0).tolist() == pytest.approx([1 / 18] * 3, abs=0.005)


def test_a_mix_lies_between_the_slice_and_what_its_chains_make_of_it() -> None:
    """Of an artifact that draws nothing every chain makes the same, so the weights must show."""
    images = torch.rand(8, 16, 16, generator=torch.Generator().manual_seed(0)) + 0.5
    signals, names = Images(images, (None,) * 8, (None,) * 8), NAMES[range(8)]
    blur = Shift.of("blur", knob=2.0)
    mix = mixed(signals, images, Several((blur,), 3), 3, names, 5, 1)
    blurred = blur.apply(images, blur.sample(keys=names.keys, seed=9))
    assert torch.equal(blurred, blur.apply(images, blur.sample(keys=names.keys, seed=0)))
    apart = (blurred - images).abs() > 1e-3
    share = torch.where(apart, (mix - images) / (blurred - images), torch.nan)
    for own in share:
        at = own[own.isfinite()]
        assert float(at.min()) > 0
        assert float(at.max()) < 1
        assert float(at.max() - at.min()) < 1e-2, "one weight for all pixels of a slice"


def logits_of(*probabilities: list[list[float]]) -> list[Tensor]:
    return [torch.tensor(view, dtype=torch.float64).log() for view in probabilities]


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_equal_views_do_not_diverge(task: str) -> None:
    view = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert float(divergence([view, view, view], task)) == pytest.approx(0, abs=1e-12)


def test_the_divergence_of_two_distributions_by_hand() -> None:
    """Of (.9, .1) and (.1, .9) the mean is (.5, .5): log 2 - H(.9), in nats."""
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    one, other = logits_of([[0.9, 0.1]], [[0.1, 0.9]])
    by_hand = math.log(2) - entropy
    assert float(divergence([one, other], "multiclass")) == pytest.approx(by_hand)
    odds = math.log(9)
    labels = [torch.tensor([[odds, 0.3]]).double(), torch.tensor([[-odds, 0.3]]).double()]
    assert float(divergence(labels, "multilabel")) == pytest.approx(by_hand), "a sum over labels"


def test_it_is_the_paper_s_over_classes_whatever_the_order_of_views() -> None:
    """As in the authors' code: the mean of F.kl_div(log of the mean, p) over three views."""
    generator = torch.Generator().manual_seed(0)
    views = [torch.randn(6, 4, dtype=torch.float64, generator=generator) for _ in range(3)]
    p = [view.softmax(dim=1) for view in views]
    log_mean = (sum(p) / 3).log()
    paper = sum(functional.kl_div(log_mean, one, reduction="batchmean") for one in p) / 3
    ours = divergence(views, "multiclass")
    torch.testing.assert_close(ours, paper)
    torch.testing.assert_close(divergence(views[::-1], "multiclass"), ours)
    assert 0 < float(ours) < math.log(3)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_gradients_reach_every_view_and_stay_finite(task: str) -> None:
    views = [torch.tensor([[sign * 300.0, 1.0, -2.0]], requires_grad=True) for sign in (1, -1, 0)]
    divergence(views, task).backward()
    for view in views:
        assert view.grad is not None
        assert view.grad.isfinite().all()
    assert any((view.grad != 0).any() for view in views)
