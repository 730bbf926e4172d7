"""Laws that hold for every row of the table of norms, and each norm's written formula."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mrimodels import NORMS, ModelError, group_count

EPS = 1e-5
BATCH_INDEPENDENT = sorted(set(NORMS) - {"batch"})

# Name -> (view of (N, C, H, W) to normalise, axes of the mean and the variance).
FORMULAS = {
    "batch": (lambda x: x, (0, 2, 3)),
    "group": (lambda x: x.unflatten(1, (group_count(x.shape[1]), -1)), (2, 3, 4)),
    "layer": (lambda x: x, (1, 2, 3)),
    "instance": (lambda x: x, (2, 3)),
}


def formula(name, x, weight, bias):
    view, axes = FORMULAS[name]
    viewed = view(x.double())
    mean = viewed.mean(axes, keepdim=True)
    variance = ((viewed - mean) ** 2).mean(axes, keepdim=True)
    normalised = ((viewed - mean) / (variance + EPS).sqrt()).reshape(x.shape)
    return normalised * weight.double()[:, None, None] + bias.double()[:, None, None]


def test_every_norm_has_its_formula_here():
    assert FORMULAS.keys() == NORMS.keys()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-3])  # 1e-3: the variance is below eps
@pytest.mark.parametrize("shape", [(3, 12, 5, 7), (1, 64, 4, 4), (2, 2, 3, 1)])
def test_equals_its_written_formula(draw, device, name, scale, shape):
    x = scale * draw(*shape) + 0.5 * scale
    norm = NORMS[name](shape[1], EPS)
    with torch.no_grad():
        norm.weight.copy_(draw(shape[1], seed=1))
        norm.bias.copy_(draw(shape[1], seed=2))
    expected = formula(name, x, norm.weight, norm.bias)
    y = norm.to(device)(x.to(device)).cpu()
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NORMS)
def test_starts_as_plain_normalisation_with_one_weight_and_bias_a_channel(name):
    norm = NORMS[name](12, EPS)
    parameters = dict(norm.named_parameters())
    assert parameters.keys() == {"weight", "bias"}
    assert torch.equal(parameters["weight"], torch.ones(12))
    assert torch.equal(parameters["bias"], torch.zeros(12))


@pytest.mark.parametrize("name", NORMS)
def test_reset_restores_the_start(draw, name):
    norm = NORMS[name](12, EPS)
    start = {key: tensor.clone() for key, tensor in norm.state_dict().items()}
    norm(draw(2, 12, 3, 3))
    torch.nn.init.constant_(norm.weight, 7)
    norm.reset_parameters()
    assert all(torch.equal(norm.state_dict()[key], tensor) for key, tensor in start.items())


@pytest.mark.parametrize("name", NORMS)
def test_keeps_the_dtype_it_is_given_under_autocast(draw, device, name):
    norm = NORMS[name](8, EPS).to(device)
    with torch.autocast(device, torch.bfloat16):
        for dtype in (torch.bfloat16, torch.float32):
            assert norm(draw(2, 8, 4, 4).to(device, dtype)).dtype == dtype


@pytest.mark.parametrize("name", NORMS)
def test_memory_format_does_not_change_the_values(draw, device, name):
    norm = NORMS[name](8, EPS).to(device)
    x = draw(2, 8, 5, 6).to(device)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(norm(channels_last), norm(x))


@pytest.mark.parametrize("name", BATCH_INDEPENDENT)
def test_train_and_eval_are_one_function_without_batch_statistics(draw, name):
    norm = NORMS[name](8, EPS)
    x = draw(3, 8, 4, 4)
    assert torch.equal(norm.train()(x), norm.eval()(x))


def test_batch_norm_uses_its_running_statistics_in_eval_mode(draw):
    norm = NORMS["batch"](8, EPS).eval()
    x = draw(3, 8, 4, 4) + 5
    torch.testing.assert_close(norm(x), x / (1 + EPS) ** 0.5)


def test_layer_is_group_norm_with_one_group(draw):
    x = draw(3, 12, 4, 4)
    assert torch.equal(NORMS["layer"](12, EPS)(x), torch.nn.GroupNorm(1, 12, EPS)(x))


def test_instance_is_torch_instance_norm(draw):
    x = draw(3, 12, 4, 4)
    expected = torch.nn.InstanceNorm2d(12, EPS, affine=True)(x)
    torch.testing.assert_close(NORMS["instance"](12, EPS)(x), expected)


@given(st.integers(2, 4096))
def test_the_group_rule_is_the_largest_count_that_obeys_it(channels):
    groups = group_count(channels)
    allowed = [g for g in range(1, 33) if channels % g == 0 and channels // g >= 2]
    assert groups == max(allowed)


@pytest.mark.parametrize(("channels", "groups"), [(2, 1), (7, 1), (16, 8), (24, 12), (64, 32)])
def test_the_group_rule_by_example(channels, groups):
    assert group_count(channels) == groups


def test_study_widths_get_the_32_groups_of_the_paper():
    assert [group_count(c) for c in (64, 128, 256, 512)] == [32] * 4


@pytest.mark.parametrize("channels", [1, 0, -4])
def test_too_few_channels_for_a_group_are_refused(channels):
    with pytest.raises(
        ModelError,
        match=f"too few channels: .*at least 2 channels.*received {channels}; use a wider",
    ):
        group_count(channels)
