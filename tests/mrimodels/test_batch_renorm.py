"""Batch renormalisation: its limits, and what lies between batch norm and eval mode."""

import pytest
import torch

from mrimodels import NORMS

EPS = 1e-5


def renorm(draw, steps):
    """A layer after so many batches, with statistics that none of the next will have."""
    norm = NORMS["batch_renorm"](4, EPS)
    with torch.no_grad():
        norm.num_batches_tracked.fill_(steps)
        norm.running_mean.copy_(0.3 * draw(4, seed=1))
        norm.running_var.copy_(0.5 + draw(4, seed=2).square())
        norm.weight.copy_(1 + 0.3 * draw(4, seed=3))
        norm.bias.copy_(draw(4, seed=4))
    return norm


def limits(steps):
    """r_max and d_max, by interpolation between the corners of the schedule."""
    rise = min(max((steps - 100) / 700, 0), 1), min(max((steps - 100) / 400, 0), 1)
    return 1 + 2 * rise[0], 5 * rise[1]


@pytest.mark.parametrize("steps", [0, 100])
def test_the_warm_up_is_batch_norm(draw, steps):
    x = draw(3, 4, 5, 5)
    norm, batch = renorm(draw, steps), NORMS["batch"](4, EPS)
    batch.load_state_dict(norm.state_dict())
    torch.testing.assert_close(norm(x), batch(x))
    for name, buffer in batch.named_buffers():
        torch.testing.assert_close(norm.get_buffer(name), buffer)


def test_within_the_limits_training_computes_what_eval_mode_does(draw):
    x = draw(3, 4, 5, 5)
    norm = renorm(draw, 10_000)
    expected = norm.eval()(x)
    torch.testing.assert_close(norm.train()(x), expected)


@pytest.mark.parametrize("steps", [150, 300, 500, 650, 800, 5000])
@pytest.mark.parametrize("spread", [0.05, 1.0, 30.0])
def test_values_and_gradients_are_the_paper_s_with_clipped_constants(draw, steps, spread):
    x = (spread * draw(3, 4, 5, 5) + spread).double().requires_grad_()
    norm = renorm(draw, steps).double()
    mean = norm.running_mean.clone()
    std = (norm.running_var + EPS).sqrt()

    m = x.mean((0, 2, 3))
    s = (x.var((0, 2, 3), correction=0) + EPS).sqrt()
    r_max, d_max = limits(steps)
    r = (s / std).clamp(1 / r_max, r_max).detach()
    d = ((m - mean) / std).clamp(-d_max, d_max).detach()
    normal = (x - m[:, None, None]) / s[:, None, None] * r[:, None, None] + d[:, None, None]
    expected = normal * norm.weight[:, None, None] + norm.bias[:, None, None]

    out = draw(3, 4, 5, 5, seed=7).double()
    inputs = (x, norm.weight, norm.bias)
    of_expected = torch.autograd.grad(expected, inputs, out)
    y = norm(x)
    torch.testing.assert_close(y, expected, check_dtype=False, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(torch.autograd.grad(y, inputs, out), of_expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_batch_of_training_is_counted_and_one_of_eval_mode_is_not(draw):
    norm = renorm(draw, 7)
    norm(draw(2, 4, 3, 3))
    norm.eval()(draw(2, 4, 3, 3))
    assert norm.num_batches_tracked.item() == 8
