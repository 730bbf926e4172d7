"""Laws that hold for every row of the table of norms, and each norm's written formula."""

from copy import deepcopy

import pytest
import torch
from torch.func import functional_call

from mrimodels import NORMS, group_count
from mrimodels.norms import Groups
from tests.support.norms import PROMISES, STARTS

EPS = 1e-5
ALONE = sorted(name for name, promise in PROMISES.items() if not promise.sees_batch)
TOGETHER = sorted(set(PROMISES) - set(ALONE))
SHAPES = [(3, 12, 5, 7), (1, 64, 4, 4), (2, 2, 3, 1), (2, 7, 4, 3)]


def moments(x, axes):
    mean = x.mean(axes, keepdim=True)
    return mean, ((x - mean) ** 2).mean(axes, keepdim=True)


def standard(x, axes):
    mean, variance = moments(x, axes)
    return (x - mean) / (variance + EPS).sqrt()


def grouped(x):
    return x.unflatten(1, (group_count(x.shape[1]), -1))


def affine(y, p):
    return y * p["weight"][:, None, None] + p["bias"][:, None, None]


def by_rms(x, axes):
    return x / ((x**2).mean(axes, keepdim=True) + EPS).sqrt()


def evonorm(x, p):
    _, variance = moments(grouped(x), (2, 3, 4))
    std = (variance + EPS).sqrt().expand_as(grouped(x)).reshape(x.shape)
    return affine(x * torch.sigmoid(p["v"][:, None, None] * x) / std, p)


def switched(x, p):
    over = [(2, 3), (1, 2, 3), (0, 2, 3)]
    of_mean, of_variance = (p[name].softmax(0) for name in ("mean_weight", "var_weight"))
    mean = sum(w * moments(x, axes)[0] for w, axes in zip(of_mean, over, strict=True))
    variance = sum(w * moments(x, axes)[1] for w, axes in zip(of_variance, over, strict=True))
    return affine((x - mean) / (variance + EPS).sqrt(), p)


# Name -> the layer in train mode at the first step, written out, of x and the parameters by name.
FORMULAS = {
    "batch": lambda x, p: affine(standard(x, (0, 2, 3)), p),
    "group": lambda x, p: affine(standard(grouped(x), (2, 3, 4)).reshape(x.shape), p),
    "layer": lambda x, p: affine(standard(x, (1, 2, 3)), p),
    "instance": lambda x, p: affine(standard(x, (2, 3)), p),
    "layer2d": lambda x, p: affine(standard(x, (1,)), p),
    "rms2d": lambda x, p: affine(by_rms(x, (1,)), p),
    "frn": lambda x, p: torch.maximum(affine(by_rms(x, (2, 3)), p), p["tau"][:, None, None]),
    "evonorm_s0": evonorm,
    "ws_group": lambda x, p: affine(standard(grouped(x), (2, 3, 4)).reshape(x.shape), p),
    "batch_renorm": lambda x, p: affine(standard(x, (0, 2, 3)), p),
    "switchable": switched,
    "none": lambda x, p: x + p["bias"][:, None, None],
}


def layer(name, channels, draw):
    """A layer whose parameters are away from their start."""
    norm = NORMS[name](channels, EPS)
    with torch.no_grad():
        for seed, parameter in enumerate(norm.parameters(), start=1):
            parameter.add_(0.5 * draw(*parameter.shape, seed=seed))
    return norm


def test_every_norm_has_its_promise_and_its_formula():
    assert PROMISES.keys() == FORMULAS.keys() == NORMS.keys()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-3])  # 1e-3: the variance is below eps
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_written_formula(draw, device, name, scale, shape):
    x, out = scale * draw(*shape) + 0.5 * scale, draw(*shape, seed=9)
    norm = layer(name, shape[1], draw)
    exact = {key: p.detach().double().requires_grad_() for key, p in norm.named_parameters()}
    exact_x = x.double().requires_grad_()
    expected = FORMULAS[name](exact_x, exact)
    expected.backward(out.double())

    x = x.to(device).requires_grad_()
    y = norm.to(device)(x)
    y.backward(out.to(device))
    torch.testing.assert_close(y.cpu().double(), expected, rtol=1e-4, atol=1e-5)
    steep = exact_x.grad.abs().max().item()
    torch.testing.assert_close(
        x.grad.cpu().double(), exact_x.grad, rtol=1e-4, atol=max(1e-5, 1e-5 * steep)
    )
    for key, parameter in norm.named_parameters():
        torch.testing.assert_close(
            parameter.grad.cpu().double(), exact[key].grad, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("name", NORMS)
def test_the_gradient_is_the_slope(draw, name):
    norm = layer(name, 4, draw).double()
    names = [key for key, _ in norm.named_parameters()]

    def output(x, *parameters):
        # A copy, as batch statistics are kept, and a limit depends on how many batches there were.
        return functional_call(deepcopy(norm), dict(zip(names, parameters, strict=True)), (x,))

    x = draw(2, 4, 3, 2).double().requires_grad_()
    parameters = [p.detach().clone().requires_grad_() for p in norm.parameters()]
    assert torch.autograd.gradcheck(output, (x, *parameters))


@pytest.mark.parametrize("name", NORMS)
def test_starts_and_counts_its_parameters_as_promised(name):
    promise = PROMISES[name]
    norm = NORMS[name](12, EPS)
    assert sum(p.numel() for p in norm.parameters()) == 12 * promise.a_channel + promise.a_layer
    assert {p.ndim for p in norm.parameters()} == {1}
    for key, tensor in norm.state_dict().items():
        assert torch.equal(tensor, torch.full_like(tensor, STARTS[key])), key


@pytest.mark.parametrize("name", NORMS)
def test_reset_restores_the_start(draw, name):
    norm = layer(name, 12, draw)
    norm(draw(2, 12, 3, 3))
    norm.reset_parameters()
    for key, tensor in norm.state_dict().items():
        assert torch.equal(tensor, torch.full_like(tensor, STARTS[key])), key


@pytest.mark.parametrize("name", NORMS)
def test_a_copy_and_a_saved_state_are_the_same_layer(draw, name):
    norm, x = layer(name, 6, draw), draw(3, 6, 4, 4)
    norm(x + 1)
    other = NORMS[name](6, EPS)
    other.load_state_dict(norm.state_dict())
    for twin in (other, deepcopy(norm)):
        for training in (False, True):
            assert torch.equal(twin.train(training)(x), deepcopy(norm).train(training)(x))


@pytest.mark.parametrize("name", ALONE)
def test_train_and_eval_are_one_function_without_batch_statistics(draw, name):
    norm = layer(name, 8, draw)
    x = draw(3, 8, 4, 4)
    assert torch.equal(norm.train()(x), norm.eval()(x))
    assert not list(norm.buffers())


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_a_sample_sees_its_neighbours_only_where_promised(draw, name, training):
    norm = layer(name, 8, draw).train(training)
    x = draw(4, 8, 4, 4)
    neighbours = torch.cat([x[:1], 10 + 5 * draw(3, 8, 4, 4, seed=1)])
    alone, among = deepcopy(norm)(x)[0], deepcopy(norm)(neighbours)[0]
    if training and PROMISES[name].sees_batch:
        assert not torch.allclose(among, alone, rtol=0.1)
    else:
        assert torch.equal(among, alone)


@pytest.mark.parametrize("name", TOGETHER)
def test_running_statistics_are_those_of_batch_norm(draw, name):
    norm, reference = layer(name, 5, draw), torch.nn.BatchNorm2d(5)
    for step in range(3):
        x = 2 * draw(3, 5, 4, 4, seed=step) + step
        norm(x)
        reference(x)
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    torch.testing.assert_close(norm.running_var, reference.running_var)


@pytest.mark.parametrize("name", ["batch", "batch_renorm"])
def test_batch_norms_use_their_running_statistics_in_eval_mode(draw, name):
    norm = NORMS[name](8, EPS)
    norm(draw(3, 8, 4, 4, seed=1) + 5)
    x = draw(3, 8, 4, 4)
    mean, variance = norm.running_mean[:, None, None], norm.running_var[:, None, None]
    torch.testing.assert_close(norm.eval()(x), (x - mean) / (variance + EPS).sqrt())


@pytest.mark.parametrize("name", NORMS)
def test_keeps_the_dtype_it_is_given_under_autocast(draw, device, name):
    norm = layer(name, 8, draw).to(device)
    with torch.autocast(device, torch.bfloat16):
        for dtype in (torch.bfloat16, torch.float32):
            x = draw(2, 8, 4, 4).to(device, dtype).requires_grad_()
            y = norm(x)
            y.sum().backward()
            assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(("dtype", "digits"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_large_half_values_do_not_overflow(draw, device, name, dtype, digits):
    x = (1e4 * draw(2, 8, 6, 6)).clamp(-3e4, 3e4).to(dtype)
    norm = layer(name, 8, draw)
    expected = FORMULAS[name](x.double(), {k: p.double() for k, p in norm.named_parameters()})
    x = x.to(device).requires_grad_()
    with torch.autocast(device, dtype):
        y = norm.to(device)(x)
    y.sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in norm.parameters())
    error = y.cpu().double() - expected
    assert error.abs().max() < digits * expected.abs().max()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(
    "x",
    [torch.zeros(2, 4, 3, 3), torch.full((2, 4, 3, 3), 7.0), torch.ones(2, 4, 1, 1)],
    ids=["zero", "constant", "one pixel"],
)
def test_an_image_of_nothing_has_finite_values_and_gradients(draw, name, x):
    norm = layer(name, 4, draw)
    x = x.clone().requires_grad_()
    y = norm(x)
    y.square().sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in norm.parameters())


@pytest.mark.parametrize("name", NORMS)
def test_memory_format_is_kept_and_does_not_change_the_values(draw, device, name):
    norm = layer(name, 8, draw).to(device)
    x = draw(2, 8, 5, 6).to(device)
    y = norm(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, norm(x))
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", [name for name in NORMS if not NORMS[name].activates])
def test_a_relu_may_act_in_place_on_what_comes_out(draw, name):
    norm, x = layer(name, 4, draw), draw(2, 4, 3, 3)
    gradients = []
    for inplace in (False, True):
        leaf = x.clone().requires_grad_()
        torch.nn.functional.relu(deepcopy(norm)(leaf), inplace=inplace).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", NORMS)
def test_an_empty_batch_is_a_batch_in_eval_mode(draw, name):
    assert layer(name, 4, draw).eval()(draw(0, 4, 3, 3)).shape == (0, 4, 3, 3)


@pytest.mark.parametrize("name", NORMS)
def test_the_setting_of_groups_changes_the_grouped_alone(draw, name):
    x = draw(3, 12, 4, 4)
    common = NORMS[name](12, EPS)(x)
    for groups in (Groups(number=3), Groups(channels=4)):
        y = NORMS[name](12, EPS, groups)(x)
        assert torch.equal(y, common) != PROMISES[name].grouped
    assert torch.equal(
        NORMS[name](12, EPS, Groups(number=3))(x), NORMS[name](12, EPS, Groups(channels=4))(x)
    )


@pytest.mark.parametrize("name", ["group", "ws_group"])
def test_one_group_is_layer_norm_and_one_channel_a_group_is_instance_norm(draw, name):
    x = draw(3, 12, 4, 4)
    assert torch.equal(NORMS[name](12, EPS, Groups(number=1))(x), NORMS["layer"](12, EPS)(x))
    assert torch.equal(NORMS[name](12, EPS, Groups(channels=1))(x), NORMS["instance"](12, EPS)(x))


def test_layer_is_group_norm_with_one_group(draw):
    x = draw(3, 12, 4, 4)
    assert torch.equal(NORMS["layer"](12, EPS)(x), torch.nn.GroupNorm(1, 12, EPS)(x))


def test_instance_is_torch_instance_norm(draw):
    x = draw(3, 12, 4, 4)
    expected = torch.nn.InstanceNorm2d(12, EPS, affine=True)(x)
    torch.testing.assert_close(NORMS["instance"](12, EPS)(x), expected)


@pytest.mark.parametrize(("chosen", "name"), [(0, "instance"), (1, "layer"), (2, "batch")])
def test_switchable_has_the_three_norms_as_its_corners(draw, chosen, name):
    x = draw(3, 6, 4, 4) + draw(1, 6, 1, 1, seed=1)
    norm = NORMS["switchable"](6, EPS)
    with torch.no_grad():
        norm.mean_weight[chosen] = norm.var_weight[chosen] = 100
    torch.testing.assert_close(norm(x), NORMS[name](6, EPS)(x), rtol=1e-4, atol=1e-5)


def test_switchable_uses_running_statistics_for_the_batch_alone_in_eval_mode(draw):
    norm, batch = NORMS["switchable"](6, EPS), NORMS["batch"](6, EPS)
    with torch.no_grad():
        norm.mean_weight[2] = norm.var_weight[2] = 100
    for each in (norm, batch):
        each(draw(3, 6, 4, 4, seed=1) + 2)
    x = draw(3, 6, 4, 4)
    torch.testing.assert_close(norm.eval()(x), batch.eval()(x))


def test_frn_does_not_see_the_scale_and_sees_the_mean(draw):
    x = draw(2, 4, 8, 8)
    norm = NORMS["frn"](4, 1e-12)
    torch.testing.assert_close(norm(5 * x), norm(x))
    assert not torch.allclose(norm(x + 1), norm(x), rtol=0.1)


def test_a_tie_with_the_threshold_is_the_threshold_s():
    norm = NORMS["frn"](1, EPS)
    norm(torch.zeros(2, 1, 3, 3)).sum().backward()
    assert norm.tau.grad.item() == 18
    assert norm.bias.grad.item() == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("name", NORMS)
def test_a_compiler_can_trace_it_whole(draw, name):
    norm, x = layer(name, 8, draw), draw(2, 8, 4, 4)
    results = []
    for each in (deepcopy(norm), torch.compile(norm, backend="aot_eager", fullgraph=True)):
        leaf = x.clone().requires_grad_()
        y = each(leaf)
        y.square().sum().backward()
        results.append((y, leaf.grad))
    torch.testing.assert_close(*results)
