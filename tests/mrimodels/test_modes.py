"""Batch norm by other statistics: the written formulas, and a network that stays as it was."""

import pytest
import torch
from torch import nn

from mrimodels import (
    ModelSpec,
    batch_norms,
    batch_statistics,
    build,
    population_statistics,
    using_statistics,
)

SIZES = (5, 3, 3)


def network(norm="batch"):
    """A small network in eval mode whose running statistics are away from their start."""
    sizes = {"width": 4, "in_channels": 1, "n_outputs": 2}
    model = build(ModelSpec(arch="preact_resnet18", norm=norm, **sizes), seed=3)
    generator = torch.Generator().manual_seed(5)
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(0.5 + torch.randn(6, 1, 16, 16, generator=generator))
    return model.eval()


@pytest.fixture
def images():
    scales = torch.linspace(0.5, 3, sum(SIZES))[:, None, None, None]
    noise = torch.randn(sum(SIZES), 1, 16, 16, generator=torch.Generator().manual_seed(7))
    return scales * noise + scales


def state_of(model):
    state = model.state_dict(keep_vars=True)
    return {name: (tensor, tensor.clone()) for name, tensor in state.items()}


def normalised(layer, x, mean, variance):
    """Batch norm by given statistics (C,), in float64."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    w, b = (p.detach().double().reshape(shape) for p in (layer.weight, layer.bias))
    scale = (variance.reshape(shape) + layer.eps).sqrt()
    return (x.double() - mean.reshape(shape)) / scale * w + b


def layer_of(kind=nn.BatchNorm2d):
    layer = kind(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.0, -1.0]))
        layer.running_mean.copy_(torch.tensor([0.3, -2.0, 5.0]))
        layer.running_var.copy_(torch.tensor([0.4, 3.0, 1.0]))
    return layer.eval()


def moments(x):
    axes = (0, *range(2, x.ndim))
    return x.double().mean(axes), x.double().var(axes, correction=0)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.BatchNorm1d, (6, 3)), (nn.BatchNorm2d, (6, 3, 4, 5)), (nn.BatchNorm3d, (6, 3, 2, 4, 2))],
)
@pytest.mark.parametrize("source", [0.0, 2.0, 16.0])
def test_a_batch_is_normalised_by_the_mixture_as_written(kind, shape, source):
    layer, x = layer_of(kind), torch.randn(shape, generator=torch.Generator().manual_seed(1)) + 1
    mean, variance = moments(x)
    own = source / (source + len(x))
    mean = own * layer.running_mean.double() + (1 - own) * mean
    variance = own * layer.running_var.double() + (1 - own) * variance
    with torch.no_grad(), batch_statistics(layer, source):
        found = layer(x)
    torch.testing.assert_close(
        found.double(), normalised(layer, x, mean, variance), atol=2e-6, rtol=1e-6
    )


@pytest.mark.parametrize("norm", ["batch", "batch_renorm", "switchable"])
def test_the_limits_of_the_mixture(norm, images):
    model = network(norm)
    with torch.no_grad():
        trained = model(images)
        with batch_statistics(model, source=1e30):
            assert torch.equal(model(images), trained)
        with batch_statistics(model):
            own = model(images)
        with batch_statistics(model, source=1e-30):
            torch.testing.assert_close(model(images), own, atol=1e-6, rtol=1e-6)
        assert not torch.allclose(own, trained, atol=1e-3)


def test_its_own_batch_is_what_batch_norm_uses_in_train_mode(images):
    model = network()
    with torch.no_grad(), batch_statistics(model):
        found = model(images)
    with torch.no_grad():
        torch.testing.assert_close(found, model.train()(images), atol=1e-5, rtol=1e-5)


def test_a_population_of_unequal_batches_is_that_of_all_values(images):
    """One layer, whose input no other layer has changed."""
    layer = layer_of()
    x = images.expand(-1, 3, -1, -1) * torch.tensor([1.0, 2.0, 0.1])[:, None, None]
    (found,) = population_statistics(layer, x.split(SIZES)).layers
    mean, variance = moments(x)
    torch.testing.assert_close(found.mean, mean, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(found.variance, variance, atol=1e-7, rtol=1e-6)
    assert found.values == x.numel() // 3
    squares = sum(
        len(part) * (moments(part)[1] + moments(part)[0].square()) for part in x.split(SIZES)
    )
    torch.testing.assert_close(squares / len(x) - mean.square(), variance)


def test_the_unbiased_variance_is_what_torch_keeps(images):
    layer = layer_of()
    x = images.expand(-1, 3, -1, -1)
    population = population_statistics(layer, [x]).unbiased()
    layer.momentum = 1.0
    with torch.no_grad():
        layer.train()(x)
    torch.testing.assert_close(population.layers[0].mean.float(), layer.running_mean)
    torch.testing.assert_close(population.layers[0].variance.float(), layer.running_var)


def test_statistics_of_the_data_that_made_the_running_ones_change_nothing(images):
    model = network()
    for layer in batch_norms(model):
        layer.momentum = 1.0
    with torch.no_grad():
        model.train()(images)
        model.eval()
        trained = model(images)
        with using_statistics(model, population_statistics(model, [images]).unbiased()):
            torch.testing.assert_close(model(images), trained, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "batch_renorm", "switchable"])
def test_the_population_of_one_batch_is_that_batch(norm, images):
    model = network(norm)
    with torch.no_grad():
        with batch_statistics(model):
            own = model(images)
        with using_statistics(model, population_statistics(model, [images])):
            assert torch.equal(model(images), own)


@pytest.mark.parametrize("norm", ["batch", "batch_renorm", "switchable"])
def test_the_network_stays_as_it_was_also_when_the_work_fails(norm, images):
    model = network(norm)
    before = state_of(model)
    population = population_statistics(model, images.split(SIZES))
    for context in (batch_statistics(model, 4.0), using_statistics(model, population)):
        with pytest.raises(IndexError), context, torch.inference_mode():
            model(images)[99]

    def failing():
        yield images
        yield images[99]

    with pytest.raises(IndexError):
        population_statistics(model, failing())
    after = model.state_dict(keep_vars=True)
    for name, (tensor, content) in before.items():
        assert after[name] is tensor
        assert torch.equal(tensor, content)
    assert not any(layer._forward_pre_hooks for layer in batch_norms(model))


def test_a_norm_without_batch_statistics_has_no_such_layers():
    assert len(batch_norms(network("group"))) == 0
    assert batch_norms(nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False))) == []
    assert len(batch_norms(network("switchable"))) == len(batch_norms(network()))


def test_a_layer_that_no_batch_comes_to_keeps_its_statistics(images):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.BatchNorm2d(1), nn.BatchNorm2d(1)

        def forward(self, x):
            return self.used(x)

    model = Half().eval()
    population = population_statistics(model, [images])
    assert population.layers[1] is None
    with using_statistics(model, population.unbiased()):
        assert torch.equal(model.unused.running_mean, torch.zeros(1))
        assert not torch.equal(model.used.running_mean, torch.zeros(1))
