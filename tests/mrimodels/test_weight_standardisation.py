"""Standardised convolutions, whatever convolution they take the place of."""

import pytest
import torch
from torch import nn

from mrimodels import NORMS

standardised = NORMS["ws_group"].convolution

CONVOLUTIONS = {
    "plain": {"in_channels": 4, "out_channels": 6, "kernel_size": 3},
    "strided": {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 1), "stride": (2, 1)},
    "grouped": {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "groups": 2, "dilation": 2},
    "reflecting": {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": 3,
        "padding": 1,
        "padding_mode": "reflect",
    },
    "biased": {"in_channels": 4, "out_channels": 6, "kernel_size": 1, "padding": "same"},
}


def convolution(kind, draw):
    conv = nn.utils.skip_init(nn.Conv2d, **CONVOLUTIONS[kind], bias=kind == "biased")
    for seed, parameter in enumerate(conv.parameters()):
        parameter.data.copy_(0.1 * draw(*parameter.shape, seed=seed))
    return conv


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_it_convolves_by_weights_of_mean_0_and_variance_1(draw, kind):
    conv, x = convolution(kind, draw), draw(2, 4, 9, 9)
    y = standardised(conv)(x)
    weight = conv.weight.detach()
    mean = weight.mean((1, 2, 3), keepdim=True)
    std = (weight.var((1, 2, 3), correction=0, keepdim=True) + 1e-6).sqrt()
    conv.weight.data.copy_((weight - mean) / std)
    torch.testing.assert_close(y, conv(x))


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_its_parameters_are_the_convolution_s_own(draw, kind):
    conv = convolution(kind, draw).eval()
    made = standardised(conv)
    assert made.weight is conv.weight
    assert made.bias is conv.bias
    assert made.state_dict().keys() == conv.state_dict().keys()
    assert not made.training


def test_scale_and_offset_of_a_kernel_do_not_matter(draw):
    conv, x = convolution("plain", draw), draw(2, 4, 9, 9)
    made = standardised(conv)
    before = made(x)
    conv.weight.data.mul_(3).add_(0.2)
    torch.testing.assert_close(made(x), before, rtol=1e-3, atol=1e-3)


def test_the_gradient_is_the_slope(draw):
    made, x = standardised(convolution("plain", draw)).double(), draw(1, 4, 3, 3).double()

    def output(weight):
        return torch.func.functional_call(made, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(output, made.weight)


def test_a_kernel_of_one_weight_is_left_alone():
    depthwise = nn.utils.skip_init(nn.Conv2d, 4, 4, 1, groups=4)
    assert standardised(depthwise) is depthwise
