"""A trial on networks that are not ours: trained, stress-tested, resumed, decayed alike."""

import dataclasses
from itertools import product
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.api.preflight import bind, open_data
from sweep.config.settings import ModelSettings, TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError
from sweep.learn.fit import Run, fit
from sweep.learn.trainer import decayed_of, make_optimizer
from sweep.store import Store
from tests.support import networks
from tests.support.networks import LIBRARIES, OWN
from tests.support.stores import make_store
from tests.support.sweeps import settings


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A tiny store of images that networks with a stride of 32 take."""
    return make_store(tmp_path_factory.mktemp("wide") / "wide.h5", size=40)


def of(trial_config: TrialConfig, store: Store, model: ModelSettings) -> TrialConfig:
    return dataclasses.replace(
        trial_config,
        data=dataclasses.replace(trial_config.data, store=str(store.path)),
        train=TrainSettings(epochs=2, batch_size=32, lr=1e-3),
        stress=dataclasses.replace(trial_config.stress, artifacts=("bias",), levels=(5,)),
        model=model,
    )


@pytest.mark.usefixtures("global_random_state")
@pytest.mark.parametrize(
    ("arch", "norm"), [*zip(LIBRARIES, ("group", "group", "frn"), strict=True), (OWN, "keep")]
)
def test_a_trial_runs_and_resumes(
    trial_config: TrialConfig, wide: Store, tmp_path: Path, arch: str, norm: str
) -> None:
    config = of(trial_config, wide, ModelSettings(arch=arch, norm=norm))
    whole = fit(config, wide, tmp_path / "whole")
    assert len(whole.history) == 2
    run = Run(config, wide, tmp_path / "parts")
    next(run.epochs())
    run.close()
    parts = fit(config, wide, tmp_path / "parts")
    one, other = (mrimodels.load(result.checkpoint)[0] for result in (whole, parts))
    assert bool(one.replaced) == (norm != "keep")
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.state_dict().items())


@pytest.mark.usefixtures("global_random_state")
def test_a_network_that_draws_trains_the_same_twice(
    trial_config: TrialConfig, wide: Store, tmp_path: Path
) -> None:
    noisy = ModelSettings(arch=f"{networks.__name__}:noisy", norm="keep")
    config = of(trial_config, wide, noisy)
    one, other = (fit(config, wide, tmp_path / name).history for name in ("one", "other"))
    assert [record.train_loss for record in one] == [record.train_loss for record in other]


@pytest.mark.parametrize(
    ("arch", "norm"),
    [
        *product(["convnext_tiny", OWN], ["keep", "group", "rms2d"]),
        ("timm/vit_tiny_patch16_224", "keep"),  # its norms are of tokens, and none replaces them
    ],
)
def test_norms_biases_and_scales_are_not_decayed(arch: str, norm: str) -> None:
    model = mrimodels.build(mrimodels.ModelSpec(arch=arch, norm=norm, n_outputs=2))
    decayed = {name for name, p in model.named_parameters() if p in decayed_of(model)}
    weights = {
        f"{path}.weight"
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    }
    assert decayed - weights == ({"network.pos_embed"} if "vit" in arch else set())
    assert weights <= decayed
    groups = make_optimizer(model, TrainSettings(weight_decay=0.3)).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def weighted(store: Store, tmp_path: Path, **model: object) -> SweepConfig:
    """A sweep on the user's own network with a file of weights."""
    own = mrimodels.build(mrimodels.ModelSpec(arch=OWN, norm="keep", n_outputs=3), seed=9)
    torch.save(own.network.state_dict(), tmp_path / "own.pt")
    space = {"model.norm": {"choice": ["keep", "group"]}}
    chosen = {"arch": OWN, "norm": "keep", "weights": str(tmp_path / "own.pt"), **model}
    written = settings(store, model=chosen, search={"trials": 2, "space": space})
    return SweepConfig.from_dict(written | {"stress": {"artifacts": ["bias"], "grid": "physical"}})


def test_a_sweep_is_bound_to_its_file_of_weights(store: Store, tmp_path: Path) -> None:
    config = weighted(store, tmp_path)
    said: list[str] = []
    bound = bind(config, open_data(config), said.append).config
    assert said[0] == f"weights: 18 of 20 tensors from {tmp_path / 'own.pt'}"
    assert "warning: the trained parameters and statistics of 4 norms" in said[-1]
    assert bound.model.weights_digest == mrimodels.digest_of(tmp_path / "own.pt")
    assert SweepConfig.from_dict(bound.to_plain()) == bound
    open_data(bound)
    (tmp_path / "own.pt").write_bytes(b"another")
    with pytest.raises(mrimodels.ModelError, match="not the one with the digest"):
        open_data(bound)


def test_a_trial_begins_with_the_weights(
    trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    model = weighted(store, tmp_path).model
    config = of(trial_config, store, model)
    frozen = dataclasses.replace(
        config, train=TrainSettings(epochs=1, batch_size=32, lr=1e-12, weight_decay=0.0)
    )
    state = mrimodels.load(fit(frozen, store, tmp_path / "trial").checkpoint)[
        0
    ].network.state_dict()
    given = torch.load(tmp_path / "own.pt", weights_only=True)
    torch.testing.assert_close(state["mid.weight"], given["mid.weight"])


def test_the_images_of_the_store_have_to_fit(store: Store, tmp_path: Path) -> None:
    chosen = {"arch": f"{networks.__name__}:without_norms", "norm": "keep"}
    config = SweepConfig.from_dict(
        settings(store, model=chosen, search={"trials": 1, "space": {}, "stratify": None})
    )
    with pytest.raises(
        mrimodels.ModelError, match=r"fails on images \(2, 1, 24, 24\) in eval mode"
    ):
        open_data(config)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"model.weights": {"choice": [None, "x"]}}, "bound to one file; received 'model.weights'"),
        ({"model.arch": {"choice": [OWN, "resnet18"]}}, "weights are of one arch"),
    ],
)
def test_weights_are_not_searched(
    store: Store, tmp_path: Path, search: dict[str, object], message: str
) -> None:
    config = weighted(store, tmp_path)
    with pytest.raises(UserError, match=message):
        config.replace({"search.space": search})


def test_every_norm_has_to_suit_every_arch(store: Store) -> None:
    space = {
        "model.arch": {"choice": [f"{networks.__name__}:Sequence", "resnet18"]},
        "model.norm": {"choice": ["group", "frn"]},
    }
    chosen = {"arch": f"{networks.__name__}:Sequence", "norm": "group"}
    with pytest.raises(UserError, match=r"offers a norm to an arch: .*'frn' includes"):
        SweepConfig.from_dict(settings(store, model=chosen, search={"trials": 2, "space": space}))


def test_weights_are_refused_for_this_package_s_networks() -> None:
    with pytest.raises(UserError, match="weights are for networks of other packages"):
        ModelSettings(weights="some.pt")


def test_the_record_without_weights_is_what_it_was() -> None:
    assert not [name for name in ModelSettings().to_plain() if "weights" in name]
