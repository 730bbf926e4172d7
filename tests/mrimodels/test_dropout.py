import pytest
import torch

import mrimodels
from mrimodels import KeyedDropout, ModelError


def key(seed=0, device="cpu"):
    return torch.Generator(device).manual_seed(seed)


def dropped(p, x, generator):
    layer = KeyedDropout(p)
    mrimodels.key_dropout(layer, generator)
    return layer(x)


def test_one_key_gives_one_mask_and_another_key_another(draw):
    x = draw(8, 50)
    assert torch.equal(dropped(0.4, x, key(1)), dropped(0.4, x, key(1)))
    assert not torch.equal(dropped(0.4, x, key(1)), dropped(0.4, x, key(2)))


def test_the_next_batch_gets_the_next_mask():
    layer = KeyedDropout(0.5)
    mrimodels.key_dropout(layer, key())
    x = torch.ones(4, 50)
    assert not torch.equal(layer(x), layer(x))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_values_are_dropped_at_the_rate_and_the_others_scaled(device, p):
    n = 100_000
    y = dropped(p, torch.ones(n, device=device), key(3)).cpu()
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    deviation = (p * (1 - p) / n) ** 0.5
    assert (y == 0).double().mean().item() == pytest.approx(p, abs=5 * deviation)


def test_the_gradient_passes_where_the_value_did():
    x = torch.ones(100, requires_grad=True)
    y = dropped(0.3, x, key())
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_eval_mode_is_the_identity_without_a_key(draw):
    x = draw(3, 7)
    assert KeyedDropout(0.9).eval()(x) is x


def test_training_without_a_key_is_refused(make_spec, draw):
    model = mrimodels.build(make_spec(dropout=0.5))
    with pytest.raises(
        ModelError, match=r"no explicit generator; received none; .*mrimodels\.key_dropout"
    ):
        model(draw(2, 1, 32, 32))


def test_a_keyed_network_repeats_its_training_step(make_spec, draw):
    x = draw(2, 1, 32, 32)
    logits = []
    for _ in range(2):
        model = mrimodels.build(make_spec(dropout=0.5))
        mrimodels.key_dropout(model, key(7))
        logits.append(model(x))
    assert torch.equal(*logits)
    assert not torch.equal(logits[0], model.eval()(x))


def test_no_dropout_builds_nothing_and_needs_no_key(make_spec, draw):
    model = mrimodels.build(make_spec(dropout=0))
    assert not any(isinstance(module, KeyedDropout) for module in model.modules())
    mrimodels.key_dropout(model, key())
    assert model(draw(2, 1, 32, 32)).shape == (2, 3)


def test_dropout_adds_nothing_to_the_weights(make_spec):
    plain, with_dropout = (mrimodels.build(make_spec(dropout=p)) for p in (0.0, 0.5))
    assert plain.state_dict().keys() == with_dropout.state_dict().keys()


def test_the_rate_shows_in_the_repr():
    assert repr(KeyedDropout(0.25)) == "KeyedDropout(p=0.25)"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cpu_key_gives_the_same_masks_on_cuda_and_a_cuda_key_works_too(draw):
    x = draw(8, 50)
    assert torch.equal(dropped(0.4, x.cuda(), key(1)).cpu(), dropped(0.4, x, key(1)))
    on_cuda = [dropped(0.4, x.cuda(), key(1, "cuda")) for _ in range(2)]
    assert torch.equal(*on_cuda)
