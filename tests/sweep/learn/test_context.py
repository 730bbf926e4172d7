"""A slice with its neighbours: each channel is what that slice is by itself, whatever the batch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import artifacts_sim
import mrimodels
from artifacts_sim import Names, Shift
from sweep.config.augment import AugmentSettings
from sweep.config.levels import shift_of
from sweep.config.settings import DataSettings, TrialConfig
from sweep.core.keys import seed_of
from sweep.core.records import Cell
from sweep.learn.augment import Augmentation
from sweep.learn.batches import epoch_batches, torch_generator
from sweep.learn.checkpoints import CheckpointInfo, load_checkpoint
from sweep.learn.fit import fit
from sweep.learn.inputs import gather, normalize
from sweep.learn.kept import KeptInputs
from sweep.learn.modes import stress_in_mode
from sweep.learn.pose import drawn_pose
from sweep.learn.stress import cells_of, inputs, stress_loaded
from sweep.learn.trainer import Trainer, learning_rate, make_optimizer
from sweep.store import Store
from tests.support.kspace import make_kspace_store
from tests.support.resumed import assert_resumes_as_whole
from tests.support.stores import make_volumes

CPU = torch.device("cpu")
RICIAN = Shift.of(artifacts_sim.get("rician"), level=3)
MOVED = {"flip_horizontal": 0.5, "rotate": 20.0, "crop": 0.6}
MIXED = {"artifacts": ("rician", "bias", "motion"), "augmix": 2, "augmix_consistency": 12.0}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "artifacts": {"artifacts": ("rician", "bias"), "chain": 2, "probability": 0.8},
    "pose": MOVED,
    "all": {**MIXED, **MOVED, "randconv": 0.5},
}
each_option = pytest.mark.parametrize("option", OPTIONS)
each_signal = pytest.mark.parametrize("signal", ["images", "kspace"])


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Numbered slices of several scans, with one left out of each."""
    return make_volumes(tmp_path_factory.mktemp("volumes") / "volumes.h5")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same with k-space."""
    return make_kspace_store(tmp_path_factory.mktemp("measured") / "kspace.h5", scans=True)


@pytest.fixture
def config(trial_config: TrialConfig, volumes: Store) -> TrialConfig:
    """Trains with one neighbour on either side."""
    data = dataclasses.replace(trial_config.data, store=str(volumes.path), context=1)
    return dataclasses.replace(trial_config, data=data)


def data_of(store: Store, **changed: object) -> DataSettings:
    return DataSettings(store=str(store.path), train=(1, 2), validation=(3,), **changed)


def made(
    store: Store,
    rows: Sequence[int],
    shift: Shift = RICIAN,
    size: int = 64,
    kept: KeptInputs | None = None,
    **data: object,
) -> Tensor:
    """(N, C, H, W)."""
    batches = [np.array(rows[start : start + size]) for start in range(0, len(rows), size)]
    return torch.cat(list(inputs(store, batches, shift, data_of(store, **data), 0, CPU, kept)))


@each_signal
@pytest.mark.parametrize("name", artifacts_sim.names())
def test_a_channel_is_to_the_bit_what_its_slice_is_in_the_middle(
    name: str, signal: str, measured: Store
) -> None:
    art = artifacts_sim.get(name)
    shift = Shift.of(art, knob=art.knob.physical[2])
    rows = list(range(12))
    how = {"signal": signal, "normalize": "none"}
    alone = made(measured, range(len(measured)), shift, **how)[:, 0]
    around = measured.neighbours.around(np.array(rows), 1)
    stacks = made(measured, rows, shift, context=1, **how)
    assert torch.equal(stacks, alone[torch.from_numpy(around)])


@pytest.mark.parametrize("how", ["robust", "zscore", "max", "none"])
def test_a_stack_has_one_scale(how: str, volumes: Store) -> None:
    rows = np.arange(24)
    stacks = torch.from_numpy(volumes.images[volumes.neighbours.around(rows, 1)])
    pixels = stacks.flatten(1).double()
    offset, scale = {
        "robust": lambda: (
            pixels.quantile(0.5, 1, interpolation="nearest"),
            pixels.quantile(0.99, 1, interpolation="nearest")
            - pixels.quantile(0.01, 1, interpolation="nearest"),
        ),
        "zscore": lambda: (pixels.mean(1), pixels.std(1, correction=0)),
        "max": lambda: (torch.zeros(24), pixels.amax(1)),
        "none": lambda: (torch.zeros(24), torch.ones(24)),
    }[how]()
    expected = (stacks - offset[:, None, None, None]) / scale[:, None, None, None]
    found = made(volumes, rows, Shift.clean(), context=1, normalize=how)
    torch.testing.assert_close(found, expected.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("how", ["robust", "zscore", "max", "none"])
def test_a_slice_is_scaled_to_the_bit_as_a_stack_of_one(how: str) -> None:
    images = torch.rand(5, 70, 41, generator=torch.Generator().manual_seed(1)) * 90
    assert torch.equal(normalize(images, how), normalize(images[:, None], how))


def test_an_empty_slice_amid_others_stays_as_small_as_it_is() -> None:
    stack = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    stack[0, 1] = 0
    for how in ("robust", "zscore", "max"):
        assert normalize(stack, how).abs().max() < 10


@pytest.mark.parametrize("context", [1, 2])
def test_neither_batches_nor_kept_slices_nor_the_order_of_the_store_matter(
    context: int, volumes: Store, tmp_path: Path
) -> None:
    rows = np.arange(len(volumes)).tolist()
    whole = made(volumes, rows, context=context)
    assert whole.shape[1] == 2 * context + 1
    kept = KeptInputs(1 << 30)
    for size in (7, 64, 1):
        assert torch.equal(made(volumes, rows, size=size, kept=kept, context=context), whole)
    backwards = made(volumes, rows[::-1], size=5, kept=kept, context=context)
    assert torch.equal(backwards.flip(0), whole)
    permuted = make_volumes(tmp_path / "permuted.h5", permuted=True)
    places = [int(np.flatnonzero(permuted.keys == key)[0]) for key in volumes.keys]
    assert torch.equal(made(permuted, places, context=context), whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("on_device", [0, 50_000, 1 << 30])
def test_on_a_gpu_stacks_are_those_of_a_cpu(on_device: int, volumes: Store) -> None:
    device = torch.device("cuda")
    batches = [np.arange(start, start + 8) for start in range(0, len(volumes), 8)]
    kept = KeptInputs(1 << 30, on_device)
    for _ in range(2):
        data = data_of(volumes, context=1)
        found = torch.cat(list(inputs(volumes, batches, RICIAN, data, 0, device, kept)))
        expected = made(volumes, np.arange(len(volumes)), context=1)
        torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-4)


def test_slices_that_are_kept_take_no_more_than_without_neighbours(volumes: Store) -> None:
    rows = np.arange(len(volumes)).tolist()
    kept = KeptInputs(1 << 30)
    made(volumes, rows, size=8, kept=kept, context=2)
    made(volumes, rows, size=8, kept=kept, context=1, normalize="max")
    assert kept.nbytes == volumes.images.nbytes


def augmented(config: TrialConfig, store: Store, rows: Sequence[int], epoch: int = 1) -> Tensor:
    """(B, views, C, H, W)."""
    augmentation, data = Augmentation(config), config.data
    how = (data.signal, data.scan_draws, data.context, augmentation.poses)
    found = augmentation.inputs(gather(store, np.array(rows), CPU, *how), epoch)
    return found.unflatten(0, (augmentation.views, len(rows))).transpose(0, 1)


def with_augment(config: TrialConfig, signal: str = "images", **augment: Any) -> TrialConfig:
    train = dataclasses.replace(config.train, augment=AugmentSettings(**augment), epochs=2)
    data = dataclasses.replace(config.data, signal=signal)
    return dataclasses.replace(config, train=train, data=data)


@pytest.mark.usefixtures("global_random_state")
@each_signal
@each_option
def test_an_input_of_training_is_the_same_in_every_batch(
    option: str, signal: str, config: TrialConfig, measured: Store
) -> None:
    config, rows = with_augment(config, signal, **OPTIONS[option]), [5, 17, 2, 5, 6, 41, 8, 23]
    whole = augmented(config, measured, rows)
    assert torch.equal(whole[0], whole[3]), "drawn twice, it is the same twice"
    turned = augmented(config, measured, rows[::-1]).flip(0)
    parts = [augmented(config, measured, rows[at : at + 3]) for at in (0, 3, 6)]
    torch.testing.assert_close(turned, whole, atol=0, rtol=0)
    torch.testing.assert_close(torch.cat(parts), whole, atol=0, rtol=0)


@each_signal
def test_channels_of_training_are_damaged_as_their_slices_are(
    signal: str, config: TrialConfig, measured: Store
) -> None:
    config = with_augment(config, signal, **OPTIONS["artifacts"])
    data = dataclasses.replace(config.data, normalize="none")
    config = dataclasses.replace(config, data=data)
    alone = dataclasses.replace(config, data=dataclasses.replace(data, context=0))
    each = augmented(alone, measured, range(len(measured)))[:, 0, 0]
    rows = np.arange(8)
    around = torch.from_numpy(measured.neighbours.around(rows, 1))
    assert torch.equal(augmented(config, measured, rows)[:, 0], each[around])


def test_all_of_a_stack_lie_as_the_slice_in_the_middle(config: TrialConfig, volumes: Store) -> None:
    config = with_augment(config, **MOVED)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, normalize="none"))
    rows = np.arange(8)
    found = augmented(config, volumes, rows)[:, 0]
    seed = Augmentation(config)
    for row in rows:
        (stack,) = volumes.neighbours.around(rows[[row]], 1)
        posed = pose_of(seed, volumes.keys[row], torch.from_numpy(volumes.read(stack)))
        torch.testing.assert_close(found[row], posed, atol=1e-4, rtol=1e-5)


def pose_of(augmentation: Augmentation, key: str, images: Tensor) -> Tensor:
    pose = drawn_pose(
        augmentation.settings, Names([key] * len(images)), seed_of("pose", augmentation.seed, 1)
    )
    return pose(images, [None] * len(images))


def test_training_is_a_plain_loop_over_stacked_slices_bit_for_bit(
    config: TrialConfig, volumes: Store
) -> None:
    trainer, settings = Trainer(config, volumes), config.train
    trainer.train_epoch(1)
    spec = config.model.spec(n_outputs=2, in_channels=3)
    model = mrimodels.build(spec, config.seed)
    mrimodels.key_dropout(model, torch_generator("dropout", config.seed, 1))
    optimizer = make_optimizer(model, settings)
    by_name = {key: at for at, key in enumerate(volumes.keys.tolist())}

    def slice_at(row: int, number: int, instead: int) -> int:
        return by_name.get(f"{volumes.scans[row]}/{volumes.numbers[row] + number:03d}", instead)

    batches = list(epoch_batches(volumes, trainer.indices, settings, config.seed, 1))
    for step, rows in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, len(batches) * settings.epochs)
        channels = [[slice_at(row, at, row) for row in rows] for at in (-1, 0, 1)]
        stacks = torch.stack([torch.from_numpy(volumes.read(one)) for one in channels], 1)
        classes = torch.from_numpy(volumes.labels[rows]).argmax(1)
        optimizer.zero_grad()
        logits = model(normalize(stacks, config.data.normalize))
        torch.nn.functional.cross_entropy(logits, classes).backward()
        optimizer.step()
    state = trainer.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@each_option
def test_a_trial_ends_resumed_as_uninterrupted(
    option: str, config: TrialConfig, volumes: Store, tmp_path: Path
) -> None:
    stress = dataclasses.replace(config.stress, artifacts=("bias",), levels=(5,))
    config = dataclasses.replace(with_augment(config, **OPTIONS[option]), stress=stress)
    assert_resumes_as_whole(config, volumes, tmp_path)


@pytest.fixture
def checkpoint(config: TrialConfig, volumes: Store, tmp_path: Path) -> Path:
    """Of a trial of one epoch, with batch norm."""
    model = dataclasses.replace(config.model, norm="batch")
    train = dataclasses.replace(config.train, epochs=1)
    config = dataclasses.replace(config, model=model, train=train)
    found = fit(config, volumes, tmp_path / "trial").checkpoint
    assert found is not None
    return found


def test_a_checkpoint_knows_its_context_and_is_asked_with_it_in_every_mode(
    checkpoint: Path, volumes: Store
) -> None:
    loaded = load_checkpoint(checkpoint, CPU)
    assert CheckpointInfo.read(checkpoint).config.data.context == 1
    settings, data = loaded.info.config.stress, loaded.info.config.data
    rows, kept = volumes.indices(data.validation), KeptInputs(1 << 30)
    cell = Cell("rician", 5)
    stacks = made(volumes, rows, shift_of(settings, cell), context=1)
    with torch.inference_mode():
        odds = loaded.model(stacks).double()
    by_hand = (odds[:, 0] - odds[:, 1]).numpy()
    for mode in ("trained", "prediction_time", "adabn", "trained"):
        found = list(
            stress_in_mode(loaded, volumes, cells_of(settings), rows, settings, mode, kept)
        )
        assert len(found) == len(cells_of(settings))
    (alone,) = stress_loaded(loaded, volumes, [cell], rows, settings)
    np.testing.assert_allclose(alone.log_odds[:, 0], by_hand, atol=1e-4)


def test_without_context_records_are_what_they_were(trial_config: TrialConfig) -> None:
    assert "context" not in trial_config.to_plain()["data"]
    data = dataclasses.replace(trial_config.data, context=2)
    assert (
        TrialConfig.from_plain(
            dataclasses.replace(trial_config, data=data).to_plain()
        ).data.channels
        == 5
    )
