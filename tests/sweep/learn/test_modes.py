"""Modes of a checkpoint: which slices stand together, and what that makes of its predictions."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import mrimodels
from sweep.config.modes import ModeSettings
from sweep.config.reading import override
from sweep.config.settings import StressSettings, TrialConfig
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.modes import OF_BATCH_NORM, PRECISE
from sweep.core.records import CLEAN, TRAINED, Cell, Predictions
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import LoadedCheckpoint, load_checkpoint
from sweep.learn.fit import fit
from sweep.learn.inputs import normalize
from sweep.learn.modes import (
    LocalModes,
    composition_of,
    has_batch_norm,
    precise_batches,
    require_mode,
    shared_out,
    stress_in_mode,
    write_precise,
)
from sweep.learn.stress import stress_loaded
from sweep.store import Store
from tests.support.sweeps import settings

CELLS = (CLEAN, Cell("rician", 5))
KEYS = [f"p{number}/s0" for number in range(23)]


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    """One epoch with batch norm."""
    config = SweepConfig.from_dict(settings(store)).trial({"model.norm": "batch"})
    stress = dataclasses.replace(config.stress, grid="physical")
    train = dataclasses.replace(config.train, epochs=1)
    config = dataclasses.replace(config, stress=stress, train=train)
    folder = tmp_path_factory.mktemp("trained")
    fit(config, store, folder)
    return CheckpointFolder(folder)


@pytest.fixture
def loaded(trained: CheckpointFolder) -> LoadedCheckpoint:
    return load(trained)


def load(files: CheckpointFolder, mode: str = TRAINED) -> LoadedCheckpoint:
    return load_checkpoint(files.epoch(1, mode), torch.device("cpu"))


@pytest.fixture
def say(loaded: LoadedCheckpoint, store: Store) -> Callable[..., list[Predictions]]:
    """Predictions of the validation slices in a mode."""

    def of(mode: str, **modes: object) -> list[Predictions]:
        stress = dataclasses.replace(loaded.info.config.stress, modes=ModeSettings(**modes))
        indices = store.indices(loaded.info.config.data.validation)
        return list(stress_in_mode(loaded, store, CELLS, indices, stress, mode))

    return of


def assert_alike(one: list[Predictions], other: list[Predictions], within: float = 0.0) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert mine.cell == theirs.cell
        np.testing.assert_allclose(mine.probability, theirs.probability, atol=within, rtol=0)


@pytest.mark.parametrize("size", [2, 5, 22, 23, 64])
@pytest.mark.parametrize("shuffled", [True, False])
def test_slices_are_shared_out_evenly_each_once(size: int, shuffled: bool) -> None:
    batches = shared_out(KEYS, size, 0, shuffled)
    sizes = {len(places) for places in batches}
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    together = np.concatenate(batches)
    assert sorted(together.tolist()) == list(range(len(KEYS)))
    assert (together.tolist() == list(range(len(KEYS)))) is not shuffled


def test_the_permutation_is_of_names_and_key_and_knows_no_order_of_the_store() -> None:
    def names(keys: list[str], seed: int) -> list[list[str]]:
        return [[keys[at] for at in places] for places in shared_out(keys, 5, seed, True)]

    assert names(KEYS, 0) == names(KEYS[::-1], 0)
    assert names(KEYS, 0) != names(KEYS, 1)
    whole = [name for batch in names(KEYS, 0) for name in batch]
    few = [KEYS[at] for places in shared_out(KEYS, 5, 0, True, most=7) for at in places]
    assert few == whole[:7]


def test_one_batch_of_everything_is_adabn(say: Callable[..., list[Predictions]]) -> None:
    together = say("prediction_time", batch_size=999)
    assert_alike(say("adabn", batch_size=999), together)
    assert_alike(say("prediction_time", batch_size=999, order="natural"), together, 1e-5)
    apart = say("prediction_time", batch_size=5)
    assert any(
        abs(a.probability - b.probability).max() > 1e-3
        for a, b in zip(apart, together, strict=True)
    )


def test_the_blend_lies_between_the_batch_and_training(
    say: Callable[..., list[Predictions]],
) -> None:
    assert_alike(say("blend", blend_source=0.0), say("prediction_time"))
    assert_alike(say("blend", blend_source=1e30), say(TRAINED), 1e-6)


def test_the_order_of_the_store_is_another_composition(
    say: Callable[..., list[Predictions]],
) -> None:
    shuffled, natural = (
        say("prediction_time", batch_size=8, order=order) for order in ("shuffled", "natural")
    )
    assert abs(shuffled[0].probability - natural[0].probability).max() > 1e-3


def test_the_outcome_of_a_cell_knows_no_other_cell_and_leaves_no_trace(
    loaded: LoadedCheckpoint, store: Store
) -> None:
    stress = loaded.info.config.stress
    indices = store.indices(loaded.info.config.data.validation)
    before = list(stress_loaded(loaded, store, CELLS, indices, stress))
    for mode in ("prediction_time", "blend", "adabn"):
        both = list(stress_in_mode(loaded, store, CELLS, indices, stress, mode))
        (alone,) = stress_in_mode(loaded, store, CELLS[1:], indices, stress, mode)
        assert_alike([alone], both[1:])
    assert_alike(list(stress_loaded(loaded, store, CELLS, indices, stress)), before)


def test_the_composition_says_what_stands_together(store: Store, trial_config: TrialConfig) -> None:
    """Of the store's order: four slices of a patient with one label after the other."""
    indices = store.indices(trial_config.data.validation)
    modes = ModeSettings(batch_size=4, order="natural")
    stress = dataclasses.replace(trial_config.stress, modes=modes)
    found = composition_of("blend", store, indices, stress)
    assert found is not None
    assert (found.slices, found.batches, found.smallest, found.largest) == (32, 8, 4, 4)
    assert found.positives == {"a": (0.0, 0.5, 1.0), "b": (0.0, 0.5, 1.0)}
    assert composition_of("ema", store, indices, stress) is None


def test_precise_takes_clean_training_slices_as_often_as_they_are(
    trained: CheckpointFolder, store: Store, tmp_path: Path
) -> None:
    """Against torch's own running statistics of one batch of everything, at momentum 1."""
    plain = load(trained)
    config = plain.info.config
    stress = dataclasses.replace(config.stress, modes=ModeSettings(batch_size=999))
    path = write_precise(trained, 1, store, stress)
    assert path.name == "epoch-0001.precise.pt"
    found = load(trained, PRECISE)
    assert found.info == dataclasses.replace(plain.info, mode=PRECISE)
    indices = store.indices(config.data.train)
    (order,) = precise_batches(store, indices, stress)
    images = normalize(torch.from_numpy(store.read(indices[order])).float(), config.data.normalize)
    model = plain.model.train()
    for layer in mrimodels.batch_norms(model):
        layer.momentum = 1.0
    with torch.no_grad():
        model(images)
    kept = found.model.state_dict()
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(kept[name], value, atol=1e-5, rtol=1e-4)
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(kept[name], value)
    few = dataclasses.replace(config.stress, modes=ModeSettings(batch_size=4, precise_slices=10))
    assert [len(places) for places in precise_batches(store, indices, few)] == [4, 3, 3]


def test_precise_is_evaluated_as_any_checkpoint(trained: CheckpointFolder, store: Store) -> None:
    config = load(trained).info.config
    indices = store.indices(config.data.validation)
    found = LocalModes(config.stress, store, indices).evaluate(trained, 1, PRECISE).result()
    loaded = load(trained, PRECISE)
    cells = [item.cell for item in found]
    assert_alike(list(stress_loaded(loaded, store, cells, indices, config.stress)), list(found))


def test_only_batch_norm_has_modes(trial_config: TrialConfig, loaded: LoadedCheckpoint) -> None:
    found = {
        norm: has_batch_norm(dataclasses.replace(trial_config.model, norm=norm))
        for norm in mrimodels.NORMS
    }
    assert {norm for norm, has in found.items() if has} == {"batch", "batch_renorm", "switchable"}
    for mode in OF_BATCH_NORM:
        require_mode(loaded, mode)
    group = mrimodels.build(trial_config.model.spec(n_outputs=2))
    other = LoadedCheckpoint(group, dataclasses.replace(loaded.info, config=trial_config))
    with pytest.raises(
        UserError,
        match=r"^the mode blend is for networks with batch norm; received a network with norm "
        r"group; leave the mode out$",
    ):
        require_mode(other, "blend")
    precise = LoadedCheckpoint(loaded.model, dataclasses.replace(loaded.info, mode=PRECISE))
    with pytest.raises(UserError, match=r"as training left it; received one in the mode precise"):
        require_mode(precise, "blend")


def test_a_record_without_modes_is_what_it_was(store: Store) -> None:
    raw = settings(store)
    plain = SweepConfig.from_dict(raw)
    assert "modes" not in plain.to_plain()["stress"]
    raw["stress"]["modes"] = ["blend", "adabn"]
    short = SweepConfig.from_dict(raw)
    assert short.stress.modes == ModeSettings(names=("blend", "adabn"))
    assert SweepConfig.from_dict(short.to_plain()) == short
    assert StressSettings.from_plain(short.stress.to_plain()) == short.stress


def test_a_dotted_setting_joins_modes_that_are_a_list() -> None:
    raw = {"stress": {"modes": ["blend"]}}
    override(raw, ["stress.modes.order=natural"])
    assert raw == {"stress": {"modes": {"names": ["blend"], "order": "natural"}}}
    raw = {"modes": ["blend"]}
    with pytest.raises(UserError, match="received 'modes', which is a value and no section"):
        override(raw, ["modes.order=natural"])


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        (["blnd"], r"stress\.modes: names has an unknown name; received 'blnd'; did you mean"),
        (["blend", "blend"], "each mode once"),
        ("blend", r"stress\.modes is no list; received 'blend'; write it as \[blend\]"),
        ({"blend_source": -1}, "blend_source cannot take this value; received -1"),
        ({"order": "random"}, r"stress\.modes\.order cannot take this value; received 'random'"),
        ({"batch_size": 1}, "2 or more"),
    ],
)
def test_a_wrong_setting_is_named(store: Store, modes: object, message: str) -> None:
    raw = settings(store)
    raw["stress"]["modes"] = modes
    with pytest.raises(UserError, match=message):
        SweepConfig.from_dict(raw)
