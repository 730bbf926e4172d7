"""Fast forward passes say what plain float32 ones say."""

import dataclasses
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.config.settings import ModelSettings, StressSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import Predictions
from sweep.learn.checkpoints import (
    CheckpointFolder,
    EpochStats,
    for_evaluation,
    load_checkpoint,
)
from sweep.learn.modes import stress_in_mode
from sweep.learn.stress import cells_of, record_of
from sweep.learn.trainer import Trainer
from sweep.store import Store
from tests.support import networks
from tests.support.stores import make_store
from tests.support.sweeps import settings

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CPU = torch.device("cpu")
VIEWING = f"{networks.__name__}:Viewing"


def batch(size: int = 32) -> torch.Tensor:
    """(8, 1, H, W) of noise."""
    return torch.randn(8, 1, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_every_norm_says_the_same_channels_last(norm: str, antialias: bool) -> None:
    spec = ModelSettings(width=8, norm=norm, antialias=antialias).spec(n_outputs=3)
    model = mrimodels.build(spec, seed=1).eval()
    with torch.inference_mode():
        plain = model(batch()).softmax(1)
        fast = for_evaluation(model, spec)(batch()).softmax(1)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", mrimodels.NORMS)
def test_the_features_of_every_norm_lie_channels_last(norm: str) -> None:
    spec = ModelSettings(width=8, norm=norm).spec(n_outputs=3)
    model = for_evaluation(mrimodels.build(spec), spec)
    seen: list[torch.Tensor] = []
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer.in_channels > 1:
            layer.register_forward_hook(lambda layer, given, out: seen.append(out))
    with torch.inference_mode():
        model(batch())
    assert seen
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in seen)


@pytest.mark.parametrize("arch", [*networks.LIBRARIES, networks.OWN, VIEWING])
def test_networks_of_other_packages_say_the_same(arch: str) -> None:
    spec = ModelSettings(arch=arch, norm="keep").spec(n_outputs=3)
    model = mrimodels.build(spec, seed=1).eval()
    with torch.inference_mode():
        plain = model(batch(64)).softmax(1)
        fast = for_evaluation(model, spec)(batch(64)).softmax(1)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)


@pytest.fixture(scope="module", params=["batch", "group", "layer2d"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Store]:
    """A checkpoint that has learnt something, and its store of many patients."""
    folder = tmp_path_factory.mktemp("trained")
    store = make_store(folder / "many.h5", patients=90)
    raw = settings(store)
    config = SweepConfig.from_dict(raw).trial({"model.norm": request.param})
    stress = StressSettings(artifacts=("rician", "spike"), levels=(3, 5), grid="physical")
    config = dataclasses.replace(config, stress=stress)
    trainer = Trainer(config, store)
    stats = [trainer.train_epoch(epoch) for epoch in (1, 2)][-1]
    files = CheckpointFolder(folder / "checkpoints")
    trainer.save(files, 2, stats)
    return files.epoch(2), store


def scored(
    path: Path, store: Store, precision: str, device: torch.device, mode: str = "trained"
) -> tuple[list[Predictions], dict[str, float]]:
    """The predictions of all cells, and their metrics."""
    loaded = load_checkpoint(path, device)
    stress = dataclasses.replace(loaded.info.config.stress, precision=precision)
    indices = store.indices(loaded.info.config.data.validation)
    found = list(stress_in_mode(loaded, store, cells_of(stress), indices, stress, mode))
    record = record_of(found, store, indices, "one", 1, EpochStats(0.0, 0.0))
    return found, record.metrics


def assert_within(path: Path, store: Store, device: torch.device, mode: str = "trained") -> None:
    exact, wanted = scored(path, store, "float32", device, mode)
    rough, found = scored(path, store, "bfloat16", device, mode)
    assert any((a.probability != b.probability).any() for a, b in zip(exact, rough, strict=True))
    aurocs = [name for name in wanted if name.rpartition("/")[2].startswith("auroc")]
    assert aurocs
    for name in aurocs:
        assert found[name] == pytest.approx(wanted[name], abs=0.002), name


def test_scores_in_bfloat16_are_those_of_float32(trained: tuple[Path, Store]) -> None:
    assert_within(*trained, CPU)


def test_modes_are_scored_in_the_same_precision(trained: tuple[Path, Store]) -> None:
    if load_checkpoint(trained[0], CPU).info.config.model.norm == "batch":
        assert_within(*trained, CPU, "prediction_time")


@ON_GPU
def test_scores_in_bfloat16_on_a_gpu_are_those_of_float32(trained: tuple[Path, Store]) -> None:
    assert_within(*trained, torch.device("cuda"))


def test_a_record_in_float32_is_what_it_was(store: Store) -> None:
    raw = settings(store)
    plain = SweepConfig.from_dict(raw)
    assert plain.stress.precision == "float32"
    assert "precision" not in plain.to_plain()["stress"]
    half = plain.replace({"stress.precision": "bfloat16"})
    assert SweepConfig.from_dict(half.to_plain()) == half
    assert StressSettings.from_plain(half.stress.to_plain()) == half.stress


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stress.precision", "float16", r"stress\.precision cannot take this value; received 'f"),
        (
            "cluster.evaluator_cache_gb",
            -1,
            "evaluator_cache_gb cannot take this value; received -1",
        ),
    ],
)
def test_a_wrong_setting_is_named(store: Store, name: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SweepConfig.from_dict(settings(store)).replace({name: value})
