"""Pretrained weights from a file."""

import hashlib
import re

import pytest
import safetensors.torch
import torch

import mrimodels
from mrimodels import KEEP, ModelError, ModelSpec, Weights
from mrimodels.libraries import imported
from tests.support.networks import OWN


def spec_of(arch: str = "resnet18", norm: str = KEEP) -> ModelSpec:
    return ModelSpec(arch=arch, norm=norm, n_outputs=3)


@pytest.fixture(scope="module")
def trained():
    """torchvision's ResNet-18 for colours and 5 classes, with statistics that were moved."""
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(4)
        model = imported("torchvision").models.resnet18(weights=None, num_classes=5)
        with torch.no_grad():
            for _ in range(3):
                model.train()(torch.randn(4, 3, 64, 64))
    return model.eval()


@pytest.fixture
def file(tmp_path, trained):
    path = tmp_path / "resnet18.pth"
    torch.save(trained.state_dict(), path)
    return path


def features(model, x):
    """All but the last layer."""
    model.fc = torch.nn.Identity()
    return model(x)


def test_a_grey_image_gives_what_it_gives_three_times_over(file, trained, draw):
    model = mrimodels.build(spec_of(), weights=Weights(str(file))).eval()
    x = draw(2, 1, 64, 64)
    with torch.no_grad():
        expected = torch.nn.Sequential(*list(trained.children())[:-1])(x.expand(-1, 3, -1, -1))
        found = features(model.network, x)
    torch.testing.assert_close(found, expected.flatten(1), rtol=1e-4, atol=1e-5)


def test_what_fits_is_loaded_and_the_rest_is_listed(file):
    model = mrimodels.build(spec_of(), weights=Weights(str(file)))
    loaded = model.loaded
    assert loaded.left == loaded.unused == ("fc.weight", "fc.bias")
    assert len(loaded.taken) == 120
    assert loaded.void == ()
    fresh = mrimodels.build(spec_of())
    assert torch.equal(model.network.fc.weight, fresh.network.fc.weight)
    lines = loaded.lines()
    assert lines[0] == f"120 of 122 tensors from {file}"
    assert lines[1].endswith("fc.weight, fc.bias")


def test_norms_that_were_replaced_begin_anew_and_that_is_said(file):
    model = mrimodels.build(spec_of(norm="batch"), weights=Weights(str(file)))
    assert len(model.loaded.void) == 20
    assert "warning: the trained parameters and statistics of 20 norms" in model.loaded.lines()[-1]
    assert torch.equal(model.network.bn1.running_mean, torch.zeros(64))
    kept = mrimodels.build(spec_of(), weights=Weights(str(file)))
    assert torch.equal(kept.network.layer1[0].conv1.weight, model.network.layer1[0].conv1.weight)
    assert kept.network.bn1.running_mean.any()


def test_files_of_other_forms_hold_the_same(tmp_path, trained, file):
    plain = mrimodels.build(spec_of(), weights=Weights(str(file))).state_dict()
    state = trained.state_dict()
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "inside.pt")
    safetensors.torch.save_file(state, tmp_path / "safe.safetensors")
    for name in ("inside.pt", "safe.safetensors"):
        other = mrimodels.build(spec_of(), weights=Weights(str(tmp_path / name))).state_dict()
        assert all(torch.equal(value, plain[key]) for key, value in other.items()), name


def test_the_old_names_of_densenets_are_known(tmp_path):
    spec = spec_of("densenet121")
    state = mrimodels.build(spec, seed=3).network.state_dict()
    old = {re.sub(r"(layer\d+\.(norm|conv))(\d)", r"\1.\3", k): v for k, v in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "densenet121.pth")
    loaded = mrimodels.build(spec, weights=Weights(str(tmp_path / "densenet121.pth"))).loaded
    assert loaded.left == loaded.unused == ()


def test_the_digest_is_that_of_the_file(file):
    digest = mrimodels.digest_of(file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    mrimodels.build(spec_of(), weights=Weights(str(file), digest))
    with pytest.raises(ModelError, match=r"not the one with the digest 0123; received .*pth; put"):
        mrimodels.build(spec_of(), weights=Weights(str(file), "0123"))


class Planted:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read; received .*FileNotFoundError"),
        ({"other": torch.zeros(2)}, "no tensor in the file.*received .* with other; the network"),
        ({"conv1.weight": Planted()}, "does not hold tensors by name alone"),
        ({"epoch": 3}, "no tensors in it"),
        ([1], "received .*list"),
    ],
)
def test_a_file_of_anything_else_is_refused(tmp_path, capsys, content, message):
    path = tmp_path / "file.pt"
    if content is not None:
        torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        mrimodels.build(spec_of(), weights=Weights(str(path)))
    assert "run" not in capsys.readouterr().out


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="does not hold tensors by name alone"):
        mrimodels.build(spec_of(), weights=Weights(str(tmp_path / "bad.safetensors")))


def test_weights_are_not_for_this_package_s_networks(make_spec, file):
    with pytest.raises(ModelError, match="for networks of other packages"):
        mrimodels.build(make_spec(), weights=Weights(str(file)))


def test_a_checkpoint_needs_no_file_of_weights(tmp_path, draw):
    own = mrimodels.build(spec_of(OWN), seed=5)
    torch.save(own.network.state_dict(), tmp_path / "own.pt")
    model = mrimodels.build(spec_of(OWN), weights=Weights(str(tmp_path / "own.pt")))
    mrimodels.save(tmp_path / "model.pt", model, spec_of(OWN))
    (tmp_path / "own.pt").unlink()
    x = draw(2, 1, 32, 32)
    assert torch.equal(mrimodels.load(tmp_path / "model.pt")[0](x), own.eval()(x))
