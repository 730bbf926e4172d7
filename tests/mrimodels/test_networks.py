"""Laws of the networks: what they compute, how large they are, what their norms may see."""

import math
from copy import deepcopy

import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, group_norm, relu

import mrimodels
from mrimodels import ARCHS, HEADS, NORMS
from tests.support.norms import PROMISES, norm_layers

# Arch -> (blocks per stage, convolution kernels of a block, widening of a block).
TABLE_1 = {
    "preact_resnet18": ((2, 2, 2, 2), (3, 3), 1),
    "preact_resnet34": ((3, 4, 6, 3), (3, 3), 1),
    "preact_resnet50": ((3, 4, 6, 3), (1, 3, 1), 4),
}


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
    norm = PROMISES[spec.norm]
    total = 9 * spec.in_channels * spec.width
    for inputs, inner, outputs, stride in block_sizes(spec.arch, spec.width):
        widths = [inputs, *[inner] * (len(kernels) - 1), outputs]
        total += sum(k * k * a * b for k, a, b in zip(kernels, widths, widths[1:], strict=False))
        total += sum(channels * norm.a_channel + norm.a_layer for channels in widths[:-1])
        total += inputs * outputs if inputs != outputs or stride != 1 else 0
        total += norm.a_branch
    total += outputs * norm.a_channel + norm.a_layer
    return total + (outputs * HEADS[spec.head] ** 2 + 1) * spec.n_outputs


def forward_by_hand(spec, model, x):
    """The whole forward pass in train mode, as plain calls with the tensors of the model's state.

    The norms apart from batch and group are taken as they are: other tests know their formulas.
    """
    _, kernels, _ = TABLE_1[spec.arch]
    state = model.state_dict()

    def norm_relu(name, x):
        if spec.norm == "batch":
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            return relu(batch_norm(x, None, None, weight, bias, True, 0.0, spec.norm_eps))
        if spec.norm in ("group", "ws_group"):
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            groups = mrimodels.group_count(x.shape[1])
            return relu(group_norm(x, groups, weight, bias, spec.norm_eps))
        y = deepcopy(model.get_submodule(name))(x)
        return y if spec.norm in ("frn", "evonorm_s0") else relu(y)

    def convolved(x, name, **geometry):
        weight = state[f"{name}.weight"]
        if spec.norm == "ws_group":
            mean = weight.mean((1, 2, 3), keepdim=True)
            variance = weight.var((1, 2, 3), correction=0, keepdim=True)
            weight = (weight - mean) / (variance + 1e-6).sqrt()
        return conv2d(x, weight, **geometry)

    x = convolved(x, "body.stem", stride=spec.stem_stride, padding=1)
    depths = TABLE_1[spec.arch][0]
    names = [f"body.stages.{s}.{b}" for s, depth in enumerate(depths) for b in range(depth)]
    for name, (inputs, _, outputs, stride) in zip(
        names, block_sizes(spec.arch, spec.width), strict=True
    ):
        h = norm_relu(f"{name}.norm1", x)
        if (inputs, 1) != (outputs, stride):
            x = convolved(h, f"{name}.shortcut", stride=stride)
        for i, kernel in enumerate(kernels, start=1):
            if i > 1:
                h = norm_relu(f"{name}.norm{i}", h)
            step = stride if i == kernels.index(3) + 1 else 1
            h = convolved(h, f"{name}.conv{i}", stride=step, padding=kernel // 2)
        x = x + h * state[f"{name}.gain.weight"] if spec.norm == "none" else x + h
    features = norm_relu("body.norm", x).mean((2, 3))
    return features @ state["head.linear.weight"].T + state["head.linear.bias"]


def with_other_norm_weights(model):
    """Parameters of norms and gains away from their starts, so that none goes unseen."""
    with torch.no_grad():
        for index, parameter in enumerate(p for p in model.parameters() if p.ndim < 2):
            values = torch.arange(parameter.numel(), dtype=parameter.dtype)
            parameter.add_(0.3 * torch.sin(values + index + 1).view_as(parameter))
    return model


def test_every_architecture_is_described_here():
    assert TABLE_1.keys() == ARCHS.keys()


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("norm", NORMS)
def test_forward_equals_the_architecture_written_out(make_spec, draw, arch, norm):
    spec = make_spec(arch=arch, norm=norm, stem_stride=2, in_channels=2)
    model = with_other_norm_weights(mrimodels.build(spec).double())
    x = draw(3, 2, 37, 30).double()
    torch.testing.assert_close(model(x), forward_by_hand(spec, model, x))


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
    # Not from the start, where a gain of 0 lets nothing into its branch.
    model = with_other_norm_weights(mrimodels.build(make_spec(arch=arch, norm=norm)))
    model(draw(3, 1, 32, 32)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("norm", NORMS)
def test_variants_share_one_eps_and_have_one_kind_of_norm_in_the_same_places(make_spec, norm):
    model = mrimodels.build(make_spec(norm=norm, norm_eps=3e-4))
    layers = norm_layers(model)
    assert len({type(layer) for layer in layers}) == 1
    assert norm == "none" or {layer.eps for layer in layers} == {3e-4}
    reference = mrimodels.build(make_spec(norm="batch"))
    assert len(layers) == len(norm_layers(reference)) == 17
    for name, module in reference.named_modules():
        assert name == "" or model.get_submodule(name) is not None
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            ours = model.get_submodule(name).state_dict()
            assert {key: value.shape for key, value in ours.items()} == {
                key: value.shape for key, value in module.state_dict().items()
            }


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "instance"])
def test_the_names_in_old_checkpoints_are_the_names_of_today(make_spec, norm):
    state = mrimodels.build(make_spec(norm=norm)).state_dict()
    kept = ["weight", "bias"]
    kept += ["running_mean", "running_var", "num_batches_tracked"] if norm == "batch" else []
    block = ["body.stages.1.0.norm1", "body.stages.1.0.norm2", "body.stages.1.0.shortcut"]
    block += ["body.stages.1.0.conv1", "body.stages.1.0.conv2"]
    expected = {f"{name}.{key}" for name in block[:2] for key in kept}
    expected |= {f"{name}.weight" for name in block[2:]}
    assert {name for name in state if name.startswith("body.stages.1.0.")} == expected
    assert {name for name in state if not name.startswith("body.stages.")} == {
        *("body.stem.weight", "head.linear.weight", "head.linear.bias"),
        *(f"body.norm.{key}" for key in kept),
    }


def test_without_a_norm_a_block_begins_as_the_identity_and_a_gain_lets_its_branch_in(
    make_spec, draw
):
    block = mrimodels.build(make_spec(norm="none")).body.stages[1][1]
    x = draw(2, 8, 5, 5)
    assert torch.equal(block(x), x)
    block(x).sum().backward()
    assert block.gain.weight.grad != 0
    torch.nn.init.ones_(block.gain.weight)
    torch.testing.assert_close(block(x), x + block.conv2(relu(block.conv1(relu(x)))))


@pytest.mark.parametrize("norm", NORMS)
def test_a_few_steps_lower_the_loss(make_spec, draw, norm):
    model = mrimodels.build(make_spec(norm=norm))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images, targets = draw(6, 1, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2])
    stripes = 3 * torch.sin(torch.arange(32.0))
    images[targets == 1] += stripes
    images[targets == 2] += stripes[:, None]
    losses = []
    for _ in range(10):
        loss = torch.nn.functional.cross_entropy(model(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("norm", ["group", "ws_group", "evonorm_s0"])
def test_the_setting_of_groups_reaches_every_layer(make_spec, norm):
    def groups_of(layer):
        return layer.num_groups if hasattr(layer, "num_groups") else layer.groups

    by_number = norm_layers(mrimodels.build(make_spec(norm=norm, norm_groups=2)))
    assert {groups_of(layer) for layer in by_number} == {2}
    by_size = norm_layers(mrimodels.build(make_spec(norm=norm, norm_group_channels=4)))
    assert {layer.weight.numel() // groups_of(layer) for layer in by_size} == {4}


@pytest.mark.parametrize("norm", NORMS)
def test_a_sample_sees_its_neighbours_in_training_where_promised_and_never_in_eval_mode(
    make_spec, draw, norm
):
    model = mrimodels.build(make_spec(norm=norm))
    x = draw(4, 1, 32, 32)
    neighbours = torch.cat([x[:1], 10 + 5 * draw(3, 1, 32, 32, seed=1)])
    if PROMISES[norm].sees_batch:
        assert not torch.allclose(model(neighbours)[0], model(x)[0], rtol=0.1)
    else:
        torch.testing.assert_close(model(neighbours)[0], model(x)[0])
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
