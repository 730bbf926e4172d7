"""Laws of the networks: what they compute, how large they are, what their norms may see."""

import math

import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, group_norm, relu

import mrimodels
from mrimodels import ARCHS, HEADS, NORMS

BATCH_INDEPENDENT = sorted(set(NORMS) - {"batch"})

# Arch -> (blocks per stage, convolution kernels of a block, widening of a block).
TABLE_1 = {
    "preact_resnet18": ((2, 2, 2, 2), (3, 3), 1),
    "preact_resnet34": ((3, 4, 6, 3), (3, 3), 1),
    "preact_resnet50": ((3, 4, 6, 3), (1, 3, 1), 4),
}


def norm_layers(model):
    return [module for module in model.modules() if hasattr(module, "eps")]


def block_sizes(arch, width):
    """(inputs, inner, outputs, stride) of every block, in order."""
    depths, _, expansion = TABLE_1[arch]
    inputs = width
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        for index in range(depth):
            yield inputs, inner, inner * expansion, 2 if stage and not index else 1
            inputs = inner * expansion


def counted_by_hand(spec):
    _, kernels, _ = TABLE_1[spec.arch]
    total = 9 * spec.in_channels * spec.width
    for inputs, inner, outputs, stride in block_sizes(spec.arch, spec.width):
        widths = [inputs, *[inner] * (len(kernels) - 1), outputs]
        total += sum(k * k * a * b for k, a, b in zip(kernels, widths, widths[1:], strict=False))
        total += 2 * sum(widths[:-1])
        total += inputs * outputs if inputs != outputs or stride != 1 else 0
    return total + 2 * outputs + (outputs * HEADS[spec.head] ** 2 + 1) * spec.n_outputs


def forward_by_hand(spec, state, x):
    """The whole forward pass as plain calls, norms in train mode, from the state's tensors."""
    _, kernels, _ = TABLE_1[spec.arch]

    def norm_relu(name, x):
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        if spec.norm == "batch":
            return relu(batch_norm(x, None, None, weight, bias, True, 0.0, spec.norm_eps))
        groups = mrimodels.group_count(x.shape[1])
        return relu(group_norm(x, groups, weight, bias, spec.norm_eps))

    x = conv2d(x, state["body.stem.weight"], stride=spec.stem_stride, padding=1)
    depths = TABLE_1[spec.arch][0]
    names = [f"body.stages.{s}.{b}" for s, depth in enumerate(depths) for b in range(depth)]
    for name, (inputs, _, outputs, stride) in zip(
        names, block_sizes(spec.arch, spec.width), strict=True
    ):
        h = norm_relu(f"{name}.norm1", x)
        if (inputs, 1) != (outputs, stride):
            x = conv2d(h, state[f"{name}.shortcut.weight"], stride=stride)
        for i, kernel in enumerate(kernels, start=1):
            if i > 1:
                h = norm_relu(f"{name}.norm{i}", h)
            step = stride if i == kernels.index(3) + 1 else 1
            h = conv2d(h, state[f"{name}.conv{i}.weight"], stride=step, padding=kernel // 2)
        x = x + h
    features = norm_relu("body.norm", x).mean((2, 3))
    return features @ state["head.linear.weight"].T + state["head.linear.bias"]


def with_other_norm_weights(model):
    """Weights and biases away from 1 and 0, so that no norm's affine part goes unseen."""
    with torch.no_grad():
        for index, norm in enumerate(norm_layers(model)):
            channels = torch.arange(norm.weight.numel(), dtype=norm.weight.dtype)
            norm.weight.copy_(1 + 0.3 * torch.sin(channels + index))
            norm.bias.copy_(0.3 * torch.cos(channels - index))
    return model


def test_every_architecture_is_described_here():
    assert TABLE_1.keys() == ARCHS.keys()


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_forward_equals_the_architecture_written_out(make_spec, draw, arch, norm):
    spec = make_spec(arch=arch, norm=norm, stem_stride=2, in_channels=2)
    model = with_other_norm_weights(mrimodels.build(spec).double())
    x = draw(3, 2, 37, 30).double()
    torch.testing.assert_close(model(x), forward_by_hand(spec, model.state_dict(), x))


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [{"width": 64}, {"width": 6, "head": "pool10", "in_channels": 3}])
def test_parameters_are_as_many_as_counted_by_hand_for_every_norm(make_spec, arch, norm, size):
    spec = make_spec(arch=arch, norm=norm, **size)
    model = mrimodels.build(spec)
    assert sum(p.numel() for p in model.parameters()) == counted_by_hand(spec)


def test_parameters_of_the_study_network_match_the_known_count(make_spec):
    # 11,171,146 is the count of the usual CIFAR-10 PreActResNet18 without a last norm.
    spec = make_spec(norm="batch", in_channels=3, n_outputs=10, width=64)
    last_norm = 2 * 512
    assert sum(p.numel() for p in mrimodels.build(spec).parameters()) == 11_171_146 + last_norm


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("stem_stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(33, 47), (64, 17)])
def test_any_image_size_gives_one_row_of_logits_a_sample(
    make_spec, draw, arch, head, stem_stride, size
):
    model = mrimodels.build(make_spec(arch=arch, head=head, stem_stride=stem_stride)).eval()
    x = draw(2, 1, *size)
    features = model.body(x)
    assert features.shape[2:] == tuple(math.ceil(n / (8 * stem_stride)) for n in size)
    assert features.shape[1] == model.body.out_channels
    assert model(x).shape == (2, 3)


def test_a_batch_of_one_and_an_empty_batch_are_batches(make_spec, draw):
    model = mrimodels.build(make_spec()).eval()
    assert model(draw(1, 1, 32, 32)).shape == (1, 3)
    assert model(draw(0, 1, 32, 32)).shape == (0, 3)


@pytest.mark.parametrize("arch", ARCHS)
def test_a_block_whose_residual_is_zero_is_the_identity(make_spec, draw, arch):
    block = mrimodels.build(make_spec(arch=arch)).body.stages[1][1]
    last = f"conv{len(TABLE_1[arch][1])}"
    torch.nn.init.zeros_(getattr(block, last).weight)
    x = draw(2, getattr(block, last).out_channels, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_gradient_reaches_every_parameter(make_spec, draw, arch, norm):
    model = mrimodels.build(make_spec(arch=arch, norm=norm))
    model(draw(3, 1, 32, 32)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("norm", NORMS)
def test_variants_share_one_eps_and_have_one_kind_of_norm_in_the_same_places(make_spec, norm):
    model = mrimodels.build(make_spec(norm=norm, norm_eps=3e-4))
    layers = norm_layers(model)
    assert {layer.eps for layer in layers} == {3e-4}
    assert len({type(layer) for layer in layers}) == 1
    reference = mrimodels.build(make_spec(norm="batch"))
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in reference.named_parameters()]


@pytest.mark.parametrize("norm", BATCH_INDEPENDENT)
def test_a_sample_does_not_see_its_neighbours_in_training(make_spec, draw, norm):
    model = mrimodels.build(make_spec(norm=norm)).train()
    x = draw(4, 1, 32, 32)
    neighbours = torch.cat([x[:1], 10 + 5 * draw(3, 1, 32, 32, seed=1)])
    torch.testing.assert_close(model(neighbours)[0], model(x)[0])


def test_batch_norm_sees_the_neighbours_in_training_and_not_in_eval_mode(make_spec, draw):
    model = mrimodels.build(make_spec(norm="batch"))
    x = draw(4, 1, 32, 32)
    neighbours = torch.cat([x[:1], 10 + 5 * draw(3, 1, 32, 32, seed=1)])
    assert not torch.allclose(model(neighbours)[0], model(x)[0], rtol=0.1)
    model.eval()
    torch.testing.assert_close(model(neighbours)[0], model(x)[0])


@pytest.mark.parametrize("norm", NORMS)
def test_channels_last_gives_the_same_logits(make_spec, draw, device, norm):
    model = mrimodels.build(make_spec(norm=norm, head="pool10")).double().to(device)
    x = draw(2, 1, 80, 80).double().to(device)
    expected = model(x)
    model.to(memory_format=torch.channels_last)
    y = model(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, expected)


@pytest.mark.parametrize("norm", NORMS)
def test_autocast_stays_near_float32_and_gives_float32_logits(make_spec, draw, device, norm):
    model = mrimodels.build(make_spec(norm=norm)).to(device)
    x = draw(4, 1, 32, 32).to(device)
    exact = model(x)
    with torch.autocast(device, torch.bfloat16):
        near = model(x)
    assert near.dtype == torch.float32
    assert (near - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize("norm", NORMS)
def test_no_norm_breaks_autocasts_precision(make_spec, draw, device, norm):
    model = mrimodels.build(make_spec(norm=norm)).to(device)
    with torch.autocast(device, torch.bfloat16):
        assert model.body(draw(2, 1, 32, 32).to(device)).dtype == torch.bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", NORMS)
def test_cuda_equals_the_cpu(make_spec, draw, arch, norm):
    model = mrimodels.build(make_spec(arch=arch, norm=norm, width=16)).double()
    x = draw(3, 1, 40, 40).double()
    expected = model(x)
    torch.testing.assert_close(model.cuda()(x.cuda()).cpu(), expected)
