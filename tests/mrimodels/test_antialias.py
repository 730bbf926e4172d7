"""Blurred strides: what a blur does, and that a network with them is the same but for them."""

from itertools import product

import pytest
import torch
from torch.nn.functional import conv2d, pad

import mrimodels
from mrimodels import ARCHS, NORMS, ModelError
from mrimodels.blur import Blur

TRIANGLES = {2: [0.25, 0.5, 0.25], 3: [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9]}


@pytest.mark.parametrize("stride", TRIANGLES)
@pytest.mark.parametrize("size", [(8, 13), (9, 6), (4, 5)])
def test_a_blur_is_a_convolution_of_the_mirrored_map(draw, stride, size):
    x = draw(2, 3, *size).double()
    reach = stride - 1
    line = torch.tensor(TRIANGLES[stride], dtype=torch.float64)
    kernel = (line[:, None] * line)[None, None].repeat(3, 1, 1, 1)
    expected = conv2d(pad(x, [reach] * 4, "reflect"), kernel, stride=stride, groups=3)
    torch.testing.assert_close(Blur(stride)(x), expected)
    strided = conv2d(x, torch.zeros(3, 3, 3, 3).double(), stride=stride, padding=1)
    assert Blur(stride)(x).shape == strided.shape


@pytest.mark.parametrize("stride", TRIANGLES)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 7), (2, 2), (3, 2), (16, 17)])
def test_a_blurred_constant_is_that_constant_at_any_size(stride, size):
    y = Blur(stride)(torch.full((1, 2, *size), 0.3))
    torch.testing.assert_close(y, torch.full_like(y, 0.3))
    assert y.shape[2:] == tuple(-(-n // stride) for n in size)


@pytest.mark.parametrize("stride", TRIANGLES)
def test_what_would_alias_to_a_constant_is_gone(stride):
    wave = torch.cos(2 * torch.pi * torch.arange(36.0) / stride)
    x = wave.expand(1, 1, 36, 36)
    assert x[..., ::stride].unique().tolist() == pytest.approx([1.0], abs=1e-5)
    assert Blur(stride)(x)[..., 1:-1].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("arch", "norm"), [*product(ARCHS, ["group"]), *product(["preact_resnet18"], NORMS)]
)
def test_the_first_weights_are_those_of_plain_strides(make_spec, draw, arch, norm):
    plain, smooth = (
        mrimodels.build(make_spec(arch=arch, norm=norm, stem_stride=2, antialias=on), seed=3)
        for on in (False, True)
    )
    state = smooth.state_dict()
    assert state.keys() == plain.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())
    x = draw(2, 1, 33, 20)
    assert smooth.body(x).shape == plain.body(x).shape
    assert not torch.equal(smooth(x), plain(x))
    smooth(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in smooth.parameters())


def test_a_block_equals_its_convolutions_written_out(make_spec, draw):
    model = mrimodels.build(make_spec(norm="none", antialias=True)).double()
    block = model.body.stages[1][0]
    torch.nn.init.ones_(block.gain.weight)
    x = draw(2, 4, 9, 12).double()
    line = torch.tensor(TRIANGLES[2], dtype=torch.float64)

    def blurred(x):
        kernel = (line[:, None] * line)[None, None].repeat(x.shape[1], 1, 1, 1)
        return conv2d(pad(x, [1] * 4, "reflect"), kernel, stride=2, groups=x.shape[1])

    branch = blurred(conv2d(x.relu(), block.conv1.weight, padding=1))
    branch = conv2d(branch.relu(), block.conv2.weight, padding=1)
    # The shortcut: the 1x1 convolution and the blur commute.
    expected = blurred(conv2d(x.relu(), block.shortcut.weight)) + branch
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("norm", ["batch", "layer", "evonorm_s0", "ws_group"])
def test_features_follow_a_shift_better_than_with_plain_strides(make_spec, draw, norm):
    """Smooth objects before nothing, moved by up to a period of all strides."""
    rows = torch.arange(64.0) - 31.5
    inside = torch.exp(-(rows[:, None].square() + rows.square()) / (2 * 11**2))
    images = Blur(2)(draw(4, 1, 128, 128)) * inside
    moved = [images.roll((by, by), (2, 3)) for by in range(8)]

    def change(on):
        model = mrimodels.build(make_spec(norm=norm, width=8, antialias=on)).eval()
        with torch.no_grad():
            pooled = torch.stack([model.body(x).mean((2, 3)) for x in moved])
        return pooled.std(0).norm() / pooled.mean(0).std(0).norm()

    assert change(True) < 0.8 * change(False)


def test_a_checkpoint_with_blurred_strides_comes_back(tmp_path, make_spec, draw):
    spec = make_spec(antialias=True)
    model = mrimodels.build(spec).eval()
    mrimodels.save(tmp_path / "model.pt", model, spec)
    loaded, found = mrimodels.load(tmp_path / "model.pt")
    assert found == spec
    x = draw(2, 1, 32, 32)
    assert torch.equal(loaded(x), model(x))


def test_a_checkpoint_from_before_the_setting_loads(tmp_path, make_spec):
    path = tmp_path / "model.pt"
    mrimodels.save(path, mrimodels.build(make_spec()), make_spec())
    content = torch.load(path, weights_only=True)
    del content["spec"]["antialias"]
    torch.save(content, path)
    assert mrimodels.load(path)[1] == make_spec()


def test_foreign_networks_and_other_values_are_refused(make_spec):
    with pytest.raises(ModelError, match=r"antialias is a setting of preact_resnet18, .* alone;"):
        mrimodels.ModelSpec(arch="resnet18", norm="keep", n_outputs=2, antialias=True)
    with pytest.raises(ModelError, match=r"antialias is not true or false; received 'yes'; give a"):
        make_spec(antialias="yes")
