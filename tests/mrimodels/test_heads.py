import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

import mrimodels
from mrimodels.heads import average_grid


@pytest.mark.parametrize("side", [1, 10])
@pytest.mark.parametrize("size", [(40, 40), (10, 30), (13, 21), (40, 7), (7, 40), (1, 1)])
def test_the_grid_is_adaptive_average_pooling_for_any_size(draw, side, size):
    x = draw(2, 3, *size)
    torch.testing.assert_close(average_grid(x, side), adaptive_avg_pool2d(x, side))


def test_pool10_keeps_where_gap_forgets(make_spec, draw):
    features = draw(2, 32, 20, 20)
    for head, keeps in (("gap", False), ("pool10", True)):
        model = mrimodels.build(make_spec(head=head))
        moved = model.head(features.flip(-1))
        assert torch.allclose(moved, model.head(features), atol=1e-5) != keeps


def test_logits_that_bfloat16_would_tie_stay_apart(make_spec, draw):
    head = mrimodels.build(make_spec()).head
    features = torch.ones(2, 32, 4, 4)
    features[1] += 1e-4
    with torch.autocast("cpu", torch.bfloat16):
        first, second = head(features)
    assert (first != second).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gradient_of_an_even_grid_is_deterministic_on_cuda():
    x = torch.ones(2, 3, 40, 40, device="cuda", requires_grad=True)
    torch.use_deterministic_algorithms(True)
    try:
        average_grid(x, 10).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(x.grad, torch.full_like(x, 1 / 16))
