"""Laws of the converter, on module trees of a few layers."""

import copy

import pytest
import torch
from torch import nn

from mrimodels import NORMS, ModelError, convert, is_norm, summary
from mrimodels.foreign.layers import ChannelsLast
from mrimodels.libraries import imported
from mrimodels.norms import Groups, NormChoice

X = torch.linspace(-2, 3, 2 * 3 * 16 * 16).sin().reshape(2, 3, 16, 16)


def choice(norm: str, eps: float = 1e-5) -> NormChoice:
    return NormChoice(NORMS[norm], eps, Groups())


def converted(model: nn.Module, norm: str) -> nn.Module:
    other = copy.deepcopy(model)
    other.replaced = convert(other, norm, choice(norm), X)
    return other


class Permuted(nn.Module):
    """A layer norm over the channels of (N, H, W, C)."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv(channels: int) -> nn.Conv2d:
    made = nn.Conv2d(3, channels, 3, padding=1, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        made.weight.copy_(torch.arange(made.weight.numel()).sin().view_as(made.weight))
        made.bias.zero_()
    return made


def test_a_norm_in_the_place_of_its_own_kind_is_the_same_function():
    model = nn.Sequential(conv(8), nn.BatchNorm2d(8), nn.ReLU())
    with torch.no_grad():
        for place, tensor in enumerate(model[1].state_dict().values()):
            tensor.copy_(torch.arange(8).add(place).cos().abs() if tensor.ndim else tensor)
    other = converted(model, "batch")
    assert other[1] is not model[1]
    assert torch.equal(other[1].weight, torch.ones(8)), "it has its own start"
    other[1].load_state_dict(model[1].state_dict())
    assert torch.equal(other(X), model(X))
    assert torch.equal(other.eval()(X), model.eval()(X))


def permuted(made: nn.Module) -> nn.Module:
    return made.norm if isinstance(made, ChannelsLast) else made


@pytest.mark.parametrize("channels", [8, 16])  # 16 channels of 16 x 16: any axis may be theirs
def test_a_layer_norm_with_channels_last_is_layer2d(channels):
    model = nn.Sequential(conv(channels), Permuted(nn.LayerNorm(channels, eps=1e-5)))
    other = converted(model, "layer2d")
    assert isinstance(other[1].norm, ChannelsLast)
    torch.testing.assert_close(other(X), model(X), atol=1e-6, rtol=0)
    assert other.replaced == (("1.norm", "LayerNorm", "LayerNorm2d"),)


def test_norms_of_libraries_are_known_by_their_layout():
    timm = imported("timm.layers")
    vision = imported("torchvision")
    in_place = {
        "timm": timm.LayerNorm2d(16),
        "torchvision": vision.models.convnext.LayerNorm2d(16),
        "frozen": vision.ops.FrozenBatchNorm2d(16),
        "rms": timm.RmsNorm2d(16),
        "instance": nn.InstanceNorm2d(16, affine=True),
        "bare": nn.InstanceNorm2d(16),
        "whole": nn.LayerNorm((16, 16, 16)),
    }
    for name, norm in in_place.items():
        assert is_norm(norm), name
        other = converted(nn.Sequential(conv(16), norm), "group")
        assert type(other[1]) is type(NORMS["group"](16, 1e-5)), name
    last = {"torch": nn.RMSNorm(16), "timm": timm.RmsNorm(16), "layer": timm.LayerNorm(16)}
    for name, norm in last.items():
        other = converted(nn.Sequential(conv(16), Permuted(norm)), "rms2d")
        assert isinstance(other[1].norm, ChannelsLast), name


def test_a_norm_of_vectors_or_lines_is_one_of_a_map():
    flat = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768))
    torch.testing.assert_close(converted(flat, "batch")(X), flat(X))
    line = nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(3))
    torch.testing.assert_close(converted(line, "batch")(X), line(X))


def test_modes_types_and_frozen_parameters_are_kept():
    model = nn.Sequential(conv(8), nn.BatchNorm2d(8), nn.Sequential(nn.BatchNorm2d(8))).double()
    model[2].eval()
    model[0].weight.requires_grad = False
    weight = model[0].weight
    convert(model, "group", choice("group"), X.double())
    assert [m.training for m in (model, model[1], model[2], model[2][0])] == [
        *(True, True, False, False)
    ]
    assert model[1].weight.dtype == torch.float64
    assert model[0].weight is weight
    assert not weight.requires_grad


def test_running_statistics_are_not_moved_by_looking():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(conv(4), nn.GroupNorm(2, 4)))
    before = copy.deepcopy(model[0].state_dict())
    with pytest.raises(ModelError, match="does not divide"):
        convert(model, "group", NormChoice(NORMS["group"], 1e-5, Groups(number=4)), X)
    assert all(torch.equal(value, before[name]) for name, value in model[0].state_dict().items())
    assert type(model[0]) is nn.BatchNorm2d, "what is refused is left as it was"


class Decides(nn.Module):
    """Takes decisions that cannot be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.act = nn.BatchNorm2d(3), nn.ReLU()

    def forward(self, x):
        return self.act(self.norm(x)) if x.sum() > -1e9 else x


class Sums(Decides):
    """Uses the norm's output twice."""

    def forward(self, x):
        y = self.norm(x)
        return y + self.act(y)


class Again(Decides):
    """Uses the activation elsewhere, too."""

    def forward(self, x):
        return self.act(self.act(self.norm(x)) - 1)


@pytest.mark.parametrize(
    ("model", "why"),
    [(Decides, "cannot trace"), (Sums, "alone; received norm"), (Again, "after something else")],
)
def test_an_activation_that_cannot_give_way_is_said(model, why):
    with pytest.raises(ModelError, match=why):
        convert(model(), "frn", choice("frn"), X)
    convert(model(), "group", choice("group"), X)


def test_a_convolution_with_code_of_its_own_is_not_standardised():
    class Mine(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) * 2

    model = nn.Sequential(Mine(3, 4, 3, device="meta").to_empty(device="cpu"), nn.BatchNorm2d(4))
    nn.init.ones_(model[0].weight)
    with pytest.raises(ModelError, match=r"code of its own; received 0 \(Mine\)"):
        convert(model, "ws_group", choice("ws_group"), X)


def test_what_was_replaced_is_told_by_kind():
    model = nn.Sequential(nn.BatchNorm2d(3), conv(4), nn.GroupNorm(2, 4), nn.GroupNorm(2, 4))
    assert summary(convert(model, "batch", choice("batch"), X)) == [
        "1 BatchNorm2d -> BatchNorm2d (0)",
        "2 GroupNorm -> BatchNorm2d (2 to 3)",
    ]
