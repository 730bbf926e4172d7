"""Networks that are not ours, by name: they run, train, keep, and start alike under every norm."""

import copy
import re

import pytest
import torch
from torch import nn

import mrimodels
from mrimodels import KEEP, NORMS, ModelError, ModelSpec
from mrimodels.foreign.layers import is_norm
from tests.support import networks
from tests.support.networks import LIBRARIES, OWN

OF_LAYERS = [name for name in NORMS if name not in ("frn", "evonorm_s0", "none")]


def spec_of(arch: str, norm: str = KEEP, **settings: object) -> ModelSpec:
    return ModelSpec(**{"arch": arch, "norm": norm, "n_outputs": 3, **settings})


def place(name: str) -> str:
    return f"{networks.__name__}:{name}"


def others(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters of what is no norm."""
    return {
        f"{path}.{name}": parameter
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        for name, parameter in module.named_parameters(recurse=False)
    }


@pytest.mark.parametrize("arch", [*LIBRARIES, OWN])
@pytest.mark.parametrize("norm", [KEEP, "group"])
def test_a_network_runs_trains_and_comes_back(tmp_path, draw, arch, norm):
    spec = spec_of(arch, norm)
    model = mrimodels.build(spec, seed=2)
    assert model.training
    x = draw(2, 1, 64, 64)
    model(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    mrimodels.save(tmp_path / "model.pt", model, spec)
    loaded, loaded_spec = mrimodels.load(tmp_path / "model.pt")
    assert loaded_spec == spec
    assert not loaded.training
    assert torch.equal(loaded(x), model.eval()(x))
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    assert loaded(x).shape == (2, 3)
    assert loaded.replaced == model.replaced


@pytest.mark.parametrize("arch", [*LIBRARIES, OWN])
def test_all_but_the_norms_is_what_it_is_with_keep(arch):
    kept = mrimodels.build(spec_of(arch), seed=7)
    norms = {path: module for path, module in kept.network.named_modules() if is_norm(module)}
    assert norms
    assert kept.replaced == ()
    group = mrimodels.build(spec_of(arch, "group"), seed=7)
    assert {path for path, _, _ in group.replaced} == set(norms)
    assert all(was == type(norms[path]).__name__ for path, was, _ in group.replaced)
    assert {now for _, _, now in group.replaced} == {"GroupNorm"}
    left = [m for m in group.modules() if is_norm(m) and type(m) is not _type_of("group")]
    assert not left
    names = [name for name, _ in kept.network.named_parameters()]
    untouched = [name for name in names if name.rpartition(".")[0] not in norms]
    mine = dict(group.network.named_parameters())
    assert all(torch.equal(mine[name], kept.network.get_parameter(name)) for name in untouched)
    assert not torch.equal(
        next(iter(others(kept).values())),
        next(iter(others(mrimodels.build(spec_of(arch), seed=8)).values())),
    )


def _type_of(norm: str) -> type[nn.Module]:
    return type(NORMS[norm](8, 1e-5))


@pytest.mark.parametrize("norm", OF_LAYERS)
def test_every_norm_that_is_a_layer_can_stand_in_any_network(draw, norm):
    for arch in ("resnet18", OWN):
        if norm == "instance" and arch == OWN:
            continue  # it has a norm of one pixel
        model = mrimodels.build(spec_of(arch, norm), seed=1)
        logits = model(draw(4, 1, 64, 64))
        logits.sum().backward()
        assert logits.isfinite().all()
        kept = others(mrimodels.build(spec_of(arch), seed=1))
        assert {k: torch.equal(v, kept[k]) for k, v in others(model).items()} == dict.fromkeys(
            kept, True
        )


@pytest.mark.parametrize("norm", ["frn", "evonorm_s0"])
@pytest.mark.parametrize("arch", [place("Sequence"), "monai/DenseNet"])
def test_a_norm_that_activates_takes_the_activations_with_it(draw, arch, norm):
    model = mrimodels.build(spec_of(arch, norm))
    assert not [m for m in model.modules() if isinstance(m, nn.ReLU)]
    pairs = [(was, now) for _, was, now in model.replaced if was in ("BatchNorm2d", "ReLU")]
    assert pairs.count(("ReLU", "Identity")) == len(pairs) / 2
    model(draw(2, 1, 64, 64)).sum().backward()


def test_a_norm_that_activates_is_refused_where_none_is_to_be_replaced():
    with pytest.raises(ModelError, match=r"'frn' includes the activation.*take one of batch, grou"):
        spec_of("resnet18", "frn")
    with pytest.raises(ModelError, match=r"received layer1.0.bn2"):
        spec_of("resnet18", "evonorm_s0")
    with pytest.raises(ModelError, match=r"blocks\.0\.0\.bn2"):  # timm's norm with an identity
        spec_of("timm/efficientnet_lite0", "frn")


def test_timm_s_norms_keep_the_activation_that_they_include(draw):
    model = mrimodels.build(spec_of("timm/efficientnet_lite0", "group"))
    kept = mrimodels.build(spec_of("timm/efficientnet_lite0"))
    acts = [sum(isinstance(m, nn.ReLU6) for m in one.modules()) for one in (model, kept)]
    assert acts[0] == acts[1] > 0
    mrimodels.key_dropout(model, torch.Generator().manual_seed(0))
    model(draw(2, 1, 64, 64)).sum().backward()


def test_standardised_convolutions_but_for_linear_layers():
    model = mrimodels.build(spec_of("timm/efficientnet_lite0", "ws_group"))
    kinds = {type(m).__name__ for m in model.modules() if isinstance(m, nn.Conv2d)}
    assert kinds == {"StandardisedConv2d"}
    squeezing = mrimodels.build(spec_of("timm/mobilenetv3_small_050", "ws_group"))
    plain = [p for p, m in squeezing.network.named_modules() if type(m) is nn.Conv2d]
    assert plain
    assert all(".se." in path or path == "conv_head" for path in plain)


@pytest.mark.parametrize("arch", [*LIBRARIES, OWN])
def test_keep_is_the_plain_network(draw, arch):
    model = mrimodels.build(spec_of(arch)).eval()
    x = draw(2, 1, 64, 64)
    if arch == "resnet18":
        from mrimodels.libraries import imported

        plain = imported("torchvision").models.resnet18(weights=None, num_classes=3)
        wide = x.expand(-1, 3, -1, -1)
        state = model.network.state_dict()
        state["conv1.weight"] = (state["conv1.weight"] / 3).expand(-1, 3, -1, -1)
    elif arch == OWN:
        plain, wide, state = networks.Own(3), x, model.network.state_dict()
    else:
        with torch.random.fork_rng():
            plain = _of_library(arch)
        wide, state = x, model.network.state_dict()
    plain.load_state_dict(state)
    torch.testing.assert_close(model(x), plain.eval()(wide), rtol=1e-4, atol=1e-5)


@pytest.fixture(autouse=True)
def _plain_networks_draw_nothing_global():
    """Making a library's own network draws from the global state; the test gives it back."""
    before = torch.get_rng_state()
    yield
    if not torch.equal(torch.get_rng_state(), before):
        torch.set_rng_state(before)


def _of_library(arch: str) -> nn.Module:
    from mrimodels.libraries import library

    name = arch.partition("/")[2]
    if arch.startswith("timm"):
        return library("timm", arch).create_model(name, num_classes=3, in_chans=1)
    return getattr(library("monai.networks.nets", arch), name)(2, 1, 3)


def test_a_convolution_of_colours_is_summed_for_grey_images(draw):
    grey = mrimodels.build(spec_of("resnet18"), seed=3).eval()
    colour = mrimodels.build(spec_of("resnet18", in_channels=3), seed=3).eval()
    x = draw(2, 1, 64, 64)
    torch.testing.assert_close(grey(x), colour(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    own = mrimodels.build(spec_of(place("Colour")))
    assert own.network.conv.weight.shape == (4, 1, 3, 3)


def test_draws_in_training_are_keyed_and_given_back(draw):
    model = mrimodels.build(spec_of(place("noisy")))
    x = draw(2, 1, 64, 64)
    with pytest.raises(ModelError, match="no explicit generator"):
        model(x)
    outcomes = []
    for seed in (1, 1, 2):
        mrimodels.key_dropout(model, torch.Generator().manual_seed(seed))
        outcomes.append([model(x), model(x)])
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    assert torch.equal(outcomes[0][1], outcomes[1][1])
    assert not torch.equal(outcomes[0][0], outcomes[0][1])
    assert not torch.equal(outcomes[0][0], outcomes[2][0])
    assert torch.equal(model.eval()(x), model(x))


def test_shared_modules_and_parameters_stay_shared(tmp_path, draw):
    spec = spec_of(place("Twice"), "group")
    model = mrimodels.build(spec)
    assert model.network.one is model.network.other
    assert [path for path, _, _ in model.replaced] == ["one", "other"]
    assert model.network.tied.weight is model.network.conv.weight
    mrimodels.save(tmp_path / "model.pt", model, spec)
    loaded, _ = mrimodels.load(tmp_path / "model.pt")
    assert loaded.network.tied.weight is loaded.network.conv.weight
    assert loaded.network.one is loaded.network.other
    x = draw(2, 1, 16, 16)
    assert torch.equal(loaded(x), model.eval()(x))


@pytest.mark.parametrize(
    ("name", "norm", "message"),
    [
        ("without_norms", "group", "no norm layers that could be replaced"),
        ("Functional", "group", r"normalises in its code, too.*received \w*batch_norm"),
        ("Tokens", "group", r"something other than maps .*received \(2, 64, 4\) in norm \(LayerNo"),
        ("Response", "group", r"may be a norm.*received stem.3 \(LocalResponseNorm\)"),
        ("OnePixel", "instance", "'instance' would make the same of every image at group"),
        ("Own", "none", "'none' puts a gain at the end of every residual branch"),
        ("Own", "frn", "'frn' includes the activation"),
        ("wrong_shape", KEEP, r"does not make logits \(2, 3\).*received \(2, 4\)"),
        ("not_finite", KEEP, r"not finite.*received \[nan"),
        ("raises", KEEP, r"cannot be made: its code fails.*received OSError: no such table"),
        ("no_module", KEEP, "is not a torch.nn.Module; received str"),
        ("nothing", KEEP, "cannot be imported; received AttributeError: .*'nothing'"),
        ("OWN", KEEP, "cannot be called; received str"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(name, norm, message):
    with pytest.raises(ModelError, match=message) as error:
        spec_of(place(name), norm)
    assert "\n" not in str(error.value)


def test_a_network_of_one_size_is_tried_with_it():
    assert spec_of(place("without_norms")).arch.endswith("without_norms")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 32}, r"width is a setting of preact_resnet18.*received width=32 for resnet18"),
        ({"stem_stride": 2}, "stem_stride is a setting of"),
        ({"head": "pool10"}, "head is a setting of"),
        ({"dropout": 0.1}, "no dropout before its last layer"),
        ({"norm": "group", "norm_groups": 7}, "norm_groups does not divide the 64 channels"),
        ({"norm": "batch", "norm_groups": 7}, "norm_groups does not divide the 64 channels"),
        ({"arch": "timm/convnext_atoo"}, "did you mean 'convnext_atto'"),
        ({"arch": "monai/DenseNett"}, "did you mean 'DenseNet'"),
        ({"arch": "no.such:network"}, "ModuleNotFoundError: No module named 'no'"),
        ({"arch": "preact_resnet18", "norm": KEEP}, "keep leaves a network the norms"),
        ({"in_channels": 2}, r"fails on images \(2, 2, 64, 64\) in eval mode"),
    ],
)
def test_settings_that_do_not_apply_are_refused(settings, message):
    with pytest.raises(ModelError, match=message):
        spec_of(**{"arch": "resnet18", **settings})


def test_dropout_is_set_where_the_source_has_it():
    timm = mrimodels.build(spec_of("timm/convnext_atto", dropout=0.25)).network
    assert timm.head.drop.p == 0.25
    assert mrimodels.build(spec_of(OWN, dropout=0.25)).network.drop.p == 0.25


def test_eps_and_groups_are_those_of_the_spec():
    model = mrimodels.build(spec_of(OWN, "group", norm_groups=4, norm_eps=1e-3))
    layers = [m for m in model.modules() if isinstance(m, nn.GroupNorm)]
    assert {(m.num_groups, m.eps) for m in layers} == {(4, 1e-3)}


def test_a_missing_library_is_named_with_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=re.escape("pip install 'mrisweep[networks]'")):
        spec_of("timm/resnet10t")
