"""Norms and networks of other packages."""

from pathlib import Path

import pytest
import torch
from torch import nn

import mrimodels
from tests.support.plugins import install

PLUGIN = {"mrisweep.norms": {"scale": "my_norms:scale"}}
SOURCE = """
from torch import nn
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(__import__("torch").ones(channels))
    def reset_parameters(self):
        nn.init.ones_(self.weight)
    def forward(self, x):
        return x * self.weight[:, None, None]
def scale(channels, eps):
    return Scale(channels)
"""


def spec(norm: str) -> mrimodels.ModelSpec:
    return mrimodels.ModelSpec(arch="preact_resnet18", norm=norm, n_outputs=2, width=4)


def test_a_package_can_add_a_norm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, PLUGIN, my_norms=SOURCE)
    assert list(mrimodels.NORMS)[-1] == "scale"
    assert len(mrimodels.NORMS) == len(list(mrimodels.NORMS))
    model = mrimodels.build(spec("scale"))
    kinds = {type(module).__name__ for module in model.modules()}
    assert "Scale" in kinds
    assert not [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    weights = {k: v for k, v in model.named_parameters() if v.ndim >= 2}
    group = dict(mrimodels.build(spec("group")).named_parameters())
    assert all(torch.equal(value, group[name]) for name, value in weights.items())
    path = tmp_path / "model.pt"
    mrimodels.save(path, model, spec("scale"))
    assert mrimodels.load(path)[1].norm == "scale"


def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, PLUGIN, my_norms="raise OSError('gone')")
    with pytest.raises(mrimodels.ModelError, match="'scale' of mine cannot be imported; received"):
        mrimodels.build(spec("scale"))


def test_a_norm_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(mrimodels.ModelError, match="did you mean 'group'"):
        spec("groop")


def test_a_package_cannot_take_the_name_of_a_norm_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"mrisweep.norms": {"batch": "my_norms:scale"}}, my_norms=SOURCE)
    with pytest.raises(mrimodels.ModelError, match="'batch' of mine has a name that is taken"):
        list(mrimodels.NORMS)


WHOLE = """
from torch import nn
from mrimodels import Norm
class Leaky(nn.LeakyReLU):
    def reset_parameters(self):
        pass
LEAKY = Norm(lambda channels, eps, groups: Leaky(), activates=True)
"""


def test_a_package_can_add_a_norm_that_takes_the_activation_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"mrisweep.norms": {"leaky": "my_leaky:LEAKY"}}, my_leaky=WHOLE)
    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert mrimodels.build(spec("leaky")).body(x).min() < 0


ITSELF = """
from torch import nn
class Itself(nn.Identity):
    def reset_parameters(self):
        pass
def itself(channels, eps):
    return Itself()
"""


def test_a_norm_that_gives_its_input_back_leaves_the_sum_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path, monkeypatch, {"mrisweep.norms": {"itself": "my_itself:itself"}}, my_itself=ITSELF
    )
    block = mrimodels.build(spec("itself")).body.stages[0][0]
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    kept = x.clone()
    branch = block.conv2(block.conv1(x.relu()).relu())
    torch.testing.assert_close(block(x), kept + branch)
    assert torch.equal(x, kept)


NETWORK = """
from torch import nn
def net(n_outputs, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, n_outputs))
"""


def test_a_package_can_add_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"mrisweep.models": {"mynet": "my_net:net"}}
    install(tmp_path, monkeypatch, group, my_net=NETWORK)
    made = mrimodels.ModelSpec(arch="mynet", norm="frn", n_outputs=2)
    assert len(mrimodels.build(made).replaced) == 2
    with pytest.raises(mrimodels.ModelError, match=r"arch is not one of .*mynet.*mean 'mynet'"):
        mrimodels.ModelSpec(arch="mynett", norm="frn", n_outputs=2)


def test_a_package_cannot_take_the_name_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"mrisweep.models": {"resnet18": "a:b"}})
    with pytest.raises(mrimodels.ModelError, match="the network 'resnet18' of mine has a name"):
        mrimodels.ModelSpec(arch="none such", norm="batch", n_outputs=2)
