"""First weights come from (seed, name) alone, so that variants start from the same point."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import mrimodels
from mrimodels import ARCHS, NORMS
from tests.support.norms import STARTS, norm_layers


@pytest.fixture
def _poisoned_memory() -> Iterator[None]:
    """Fresh memory holds NaN (or the largest integer), so that what nobody writes shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def weights(model):
    """Parameters of convolutions and linear layers, by name."""
    return {
        f"{name}.{key}": parameter
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        for key, parameter in module.named_parameters()
    }


def assert_identical(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", NORMS)
def test_variants_start_from_identical_weights(make_spec, arch, norm):
    reference = mrimodels.build(make_spec(arch=arch, norm="batch"), seed=5)
    model = mrimodels.build(make_spec(arch=arch, norm=norm), seed=5)
    assert_identical(weights(model), weights(reference))


def test_another_seed_gives_other_weights_throughout(make_spec):
    a, b = (weights(mrimodels.build(make_spec(), seed=seed)) for seed in (0, 1))
    assert not any(torch.equal(a[name], b[name]) for name in a if not name.endswith("bias"))


def test_two_parameters_of_one_shape_differ(make_spec):
    stage = mrimodels.build(make_spec()).body.stages[0]
    assert not torch.equal(stage[0].conv1.weight, stage[0].conv2.weight)
    assert not torch.equal(stage[0].conv1.weight, stage[1].conv1.weight)


def test_weights_do_not_depend_on_what_else_is_built(make_spec):
    small = weights(mrimodels.build(make_spec(arch="preact_resnet18")))
    large = weights(mrimodels.build(make_spec(arch="preact_resnet34", dropout=0.5)))
    assert_identical(small, {name: large[name] for name in small})


@pytest.mark.usefixtures("_poisoned_memory")
@pytest.mark.parametrize("norm", NORMS)
def test_every_parameter_and_buffer_is_written(make_spec, norm):
    model = mrimodels.build(make_spec(norm=norm, dropout=0.1))
    for name, tensor in model.state_dict().items():
        assert tensor.isfinite().all(), name
        assert tensor.abs().max() < 100, name


@pytest.mark.parametrize("norm", NORMS)
def test_norms_start_at_weight_one_bias_zero_and_unit_statistics(make_spec, norm):
    model = mrimodels.build(make_spec(norm=norm))
    for layer in norm_layers(model):
        for name, tensor in layer.state_dict().items():
            assert torch.equal(tensor, torch.full_like(tensor, STARTS[name])), name


def test_gains_of_branches_start_at_zero(make_spec):
    model = mrimodels.build(make_spec(norm="none"))
    gains = [p for name, p in model.named_parameters() if name.endswith("gain.weight")]
    assert len(gains) == 8
    assert not any(gain.item() for gain in gains)


def test_convolutions_keep_the_variance_of_the_gradient(make_spec):
    conv = mrimodels.build(make_spec(width=64)).body.stages[2][0].conv1
    assert conv.weight.mean().abs() < 1e-3
    expected = (2 / (conv.out_channels * 9)) ** 0.5
    assert conv.weight.std().item() == pytest.approx(expected, rel=0.01)


def test_the_linear_layer_is_uniform_within_its_bound(make_spec):
    linear = mrimodels.build(make_spec(width=64, n_outputs=40)).head.linear
    bound = 512**-0.5
    assert 0.99 * bound < linear.weight.abs().max() <= bound
    assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert not linear.bias.any()


def test_a_built_network_lies_on_the_cpu_ready_to_train(make_spec):
    model = mrimodels.build(make_spec())
    assert model.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert all(p.requires_grad for p in model.parameters())
