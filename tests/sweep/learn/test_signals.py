"""Slices on a device: each in its own geometry, whatever the batch; images and k-space agree."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import artifacts_sim
from artifacts_sim import Geometry, KSpace, Shift
from sweep.api.stress import stress_checkpoint
from sweep.config.augment import AugmentSettings
from sweep.config.levels import augmentation, shift_of
from sweep.config.settings import DataSettings, ModelSettings, StressSettings, TrialConfig
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell
from sweep.learn.augment import damaged
from sweep.learn.checkpoints import CheckpointInfo
from sweep.learn.fit import fit
from sweep.learn.inputs import Batch, corrupt, gather
from sweep.learn.signals import check_signal
from sweep.store import Store
from tests.support.kspace import PIXELS_MM, SHAPE, make_kspace_store

CPU = torch.device("cpu")
SIGNALS = ("images", "kspace")
CELLS = [Cell("motion", 3), Cell("rician", 5), Cell("contrast", 4), Cell("ghosting", 2)]
STRESS = StressSettings(grid="calibrated")


def stressed(batch: Batch, cell: Cell, seed: int = 0) -> torch.Tensor:
    return corrupt(batch.signals, shift_of(STRESS, cell), batch.names, seed)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("cell", [CLEAN, *CELLS], ids=str)
def test_a_slice_gets_the_same_in_every_batch(kspace_store: Store, signal: str, cell: Cell) -> None:
    rows = np.random.default_rng(1).permutation(len(kspace_store))[:13]
    whole = stressed(gather(kspace_store, rows, CPU, signal), cell)
    assert whole.shape == (13, *SHAPE)
    for place, row in enumerate(rows):
        alone = stressed(gather(kspace_store, rows[place : place + 1], CPU, signal), cell)
        torch.testing.assert_close(whole[place : place + 1], alone, atol=0, rtol=0, msg=str(row))
    turned = stressed(gather(kspace_store, rows[::-1], CPU, signal), cell).flip(0)
    torch.testing.assert_close(whole, turned, atol=0, rtol=0)


def test_a_slice_of_several_draws_is_in_a_batch_more_than_once(kspace_store: Store) -> None:
    batch = gather(kspace_store, np.array([3, 4, 3]), CPU, "kspace")
    clean = batch.signals.clean()
    torch.testing.assert_close(clean[0], clean[2], atol=0, rtol=0)


def test_motion_in_mm_is_in_the_pixels_of_the_store(kspace_store: Store) -> None:
    art = artifacts_sim.get("motion")
    rows = np.arange(len(kspace_store))
    batch = gather(kspace_store, rows, CPU)
    params = art.sample(knob=4.0, keys=batch.names.keys, seed=0)
    shift = Shift.of(art, knob=4.0)
    moved = batch.signals.apply(shift, shift.sample(keys=batch.names.keys, seed=0))
    sizes = kspace_store.pixel_mm(rows)
    assert set(sizes) == set(PIXELS_MM)
    images = batch.signals.clean()
    differing = 0
    for row, pixel_mm in enumerate(sizes):
        one, own = images[row : row + 1], params[np.array([row])]
        told = art.apply(one, own, Geometry(pixel_mm=pixel_mm))
        torch.testing.assert_close(moved[row : row + 1], told, atol=0, rtol=0)
        differing += not torch.equal(told, art.apply(one, own))
    known = sum(size is not None for size in sizes)
    assert differing == known, "a size of which nothing is said is the default's, and no other is"


def test_clean_k_space_is_the_stored_image(kspace_store: Store) -> None:
    rows = np.arange(len(kspace_store))
    made = gather(kspace_store, rows, CPU, "kspace").signals.clean().numpy()
    stored = kspace_store.read(rows)
    np.testing.assert_allclose(made, stored, rtol=0, atol=1e-5 * float(stored.max()))


def test_k_space_is_damaged_in_its_own_sizes_with_its_own_lines(kspace_store: Store) -> None:
    art = artifacts_sim.get("rician")
    batch = gather(kspace_store, np.arange(8), CPU, "kspace")
    params = art.sample(knob=0.2, keys=batch.names.keys, seed=3)
    shift = Shift.of(art, knob=0.2)
    noisy = batch.signals.apply(shift, shift.sample(keys=batch.names.keys, seed=3))
    for row in range(8):
        sampling = kspace_store.geometry(row).sampling
        assert sampling is not None
        if sampling.rows < SHAPE[0]:
            continue  # padded: the next test's
        samples = torch.from_numpy(kspace_store.kspace(row).copy())[None]
        assert samples.shape[1:] == (sampling.coils, sampling.rows, sampling.columns)
        geometry = Geometry(
            acquired=range(*sampling.acquired),
            crop=SHAPE,
            pixel_mm=kspace_store.geometry(row).pixel_mm,
        )
        told = art.apply(KSpace(samples, geometry), params[np.array([row])])
        torch.testing.assert_close(noisy[row : row + 1], told, atol=0, rtol=0)


def test_a_matrix_smaller_than_the_image_has_zeros_around_it(kspace_store: Store) -> None:
    small = np.flatnonzero(kspace_store.columns["sampling"][:, 1] < SHAPE[0])
    shown = stressed(gather(kspace_store, small, CPU, "kspace"), Cell("rician", 5)).numpy()
    inside = np.zeros(SHAPE, bool)
    inside[12 - 9 : 12 + 9, 10 - 8 : 10 + 8] = True
    assert (shown[:, ~inside] == 0).all()
    assert (shown[:, inside] > 0).all()


def on(store: Store, **changes: object) -> TrialConfig:
    trial_config = TrialConfig(
        data=DataSettings(store=str(store.path), train=(1, 2), validation=(3,), signal="kspace"),
        model=ModelSettings(width=4, norm="group"),
        train=TrainSettings(epochs=1, batch_size=8),
        stress=StressSettings(artifacts=("rician", "motion"), levels=(3,), batch_size=8),
    )
    return dataclasses.replace(trial_config, **changes)


@pytest.mark.parametrize("signal", SIGNALS)
def test_augmentation_follows_the_key_on_either_signal(kspace_store: Store, signal: str) -> None:
    settings = AugmentSettings(artifacts=("motion", "bias"), probability=0.5)
    shift = augmentation(STRESS, settings)
    batch = gather(kspace_store, np.arange(12), CPU, signal)
    other = gather(kspace_store, np.arange(12)[::-1], CPU, signal)
    whole = damaged(batch.signals, batch.names, shift, 0, epoch=1)
    turned = damaged(other.signals, other.names, shift, 0, epoch=1).flip(0)
    torch.testing.assert_close(whole, turned, atol=0, rtol=0)
    changed = [not torch.equal(*pair) for pair in zip(whole, batch.signals.clean(), strict=True)]
    assert 0 < sum(changed) < 12


def test_a_trial_trains_on_k_space_and_its_checkpoint_says_so(
    kspace_store: Store, store: Store, tmp_path: Path
) -> None:
    trial_config = on(kspace_store)
    result = fit(trial_config, kspace_store, tmp_path / "kspace")
    assert CheckpointInfo.read(result.checkpoint).config.data.signal == "kspace"
    data = dataclasses.replace(trial_config.data, signal="images")
    images = fit(dataclasses.replace(trial_config, data=data), kspace_store, tmp_path / "images")
    first, second = result.history[0], images.history[0]
    assert first.train_loss == pytest.approx(second.train_loss, rel=1e-3), "clean inputs agree"
    again = stress_checkpoint(result.checkpoint, kspace_store.path)
    assert again.metrics == first.metrics
    with pytest.raises(UserError, match=r"the store keeps no k-space; received .*--kspace"):
        stress_checkpoint(result.checkpoint, store.path)


def test_a_store_without_k_space_is_refused_with_the_remedy(store: Store) -> None:
    for use in (
        lambda: gather(store, np.arange(2), CPU, "kspace"),
        lambda: check_signal(store, "kspace"),
    ):
        with pytest.raises(
            UserError,
            match=r"the store keeps no k-space; received .*; ingest .* `mrisweep .* --kspace`",
        ):
            use()


def test_images_that_are_not_those_of_the_k_space_are_refused(tmp_path: Path) -> None:
    store = make_kspace_store(tmp_path / "s.h5", patients=1)
    check_signal(store, "kspace")
    resized = store.columns["images"] * np.float32(1.05)
    other = dataclasses.replace(store, columns={**store.columns, "images": resized})
    with pytest.raises(
        UserError, match=r"are not the reconstruction .*; ingest the data again with --kspace"
    ):
        check_signal(other, "kspace")
    check_signal(other, "images")
