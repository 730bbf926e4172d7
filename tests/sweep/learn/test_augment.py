"""All that happens to a training slice: by its key alone, in the order of a scanner, resumable."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from artifacts_sim import Names
from sweep.config.augment import AugmentSettings
from sweep.config.settings import TrialConfig
from sweep.learn.augment import Augmentation
from sweep.learn.inputs import Batch, gather
from sweep.learn.losses import Loss
from sweep.learn.signals import Images
from sweep.learn.trainer import Trainer
from sweep.store import Store
from tests.support.resumed import assert_resumes_as_whole

CPU = torch.device("cpu")
MOVED = {"flip_horizontal": 0.5, "rotate": 20.0, "translate": 0.1, "scale": 0.1, "crop": 0.6}
MIXED = {"artifacts": ("rician", "bias", "motion"), "augmix": 3}
OPTIONS: dict[str, dict[str, Any]] = {
    "chain": {"artifacts": ("rician", "bias", "wrap"), "chain": 3, "probability": 0.8},
    "pose": MOVED,
    "randconv": {"randconv": 0.6},
    "augmix": MIXED,
    "consistency": {**MIXED, "augmix_consistency": 12.0},
    "all": {**MIXED, **MOVED, "augmix_consistency": 12.0, "randconv": 0.5},
}
each_option = pytest.mark.parametrize("option", OPTIONS)


def with_augment(trial_config: TrialConfig, **augment: Any) -> TrialConfig:
    train = dataclasses.replace(trial_config.train, augment=AugmentSettings(**augment), epochs=2)
    return dataclasses.replace(trial_config, train=train)


def inputs_of(
    config: TrialConfig, store: Store, rows: Sequence[int], signal: str, epoch: int = 1
) -> torch.Tensor:
    """(B, views, H, W)."""
    augmentation = Augmentation(config)
    batch = gather(store, np.array(rows), CPU, signal)
    inputs = augmentation.inputs(batch, epoch)
    assert len(inputs) == len(rows) * augmentation.views
    return inputs.unflatten(0, (augmentation.views, len(rows)))[:, :, 0].transpose(0, 1)


@pytest.mark.usefixtures("global_random_state")
@pytest.mark.parametrize("signal", ["images", "kspace"])
@each_option
def test_a_slice_comes_out_the_same_in_every_batch(
    option: str, signal: str, trial_config: TrialConfig, kspace_store: Store
) -> None:
    config, rows = with_augment(trial_config, **OPTIONS[option]), [5, 17, 2, 5, 30, 41, 8, 23]
    whole = inputs_of(config, kspace_store, rows, signal)
    assert torch.equal(whole[0], whole[3]), "drawn twice, it is the same twice"
    turned = inputs_of(config, kspace_store, rows[::-1], signal).flip(0)
    parts = [inputs_of(config, kspace_store, rows[at : at + 3], signal) for at in (0, 3, 6)]
    torch.testing.assert_close(turned, whole, atol=0, rtol=0)
    torch.testing.assert_close(torch.cat(parts), whole, atol=0, rtol=0)
    assert not torch.equal(inputs_of(config, kspace_store, rows, signal, epoch=2), whole)
    other = dataclasses.replace(config, seed=config.seed + 1)
    assert not torch.equal(inputs_of(other, kspace_store, rows, signal), whole)


def test_views_differ_in_their_artifacts_alone(
    trial_config: TrialConfig, kspace_store: Store
) -> None:
    rows = list(range(8))
    config = with_augment(trial_config, **OPTIONS["all"])
    views = inputs_of(config, kspace_store, rows, "images")
    unmixed = {**MOVED, "randconv": 0.5}
    plain = inputs_of(with_augment(trial_config, **unmixed), kspace_store, rows, "images")
    torch.testing.assert_close(views[:, 0], plain[:, 0])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert ((views[:, one] - views[:, other]).abs().flatten(1).amax(dim=1) > 0).all()


def test_noise_is_not_smoothed_by_the_pose_of_the_patient(trial_config: TrialConfig) -> None:
    """The patient lay that way in the scanner, so noise falls on pixels that are resampled."""
    rows, columns = np.mgrid[:96, :96] - 47.5
    disc = torch.from_numpy(100 * (rows**2 + columns**2 < 20**2).astype(np.float32))
    signals = Images(disc.expand(6, 96, 96), (None,) * 6, (None,) * 6)
    noisy = {"artifacts": ("rician",), "levels": (4,), "probability": 1.0}
    data = dataclasses.replace(trial_config.data, normalize="none")
    config = with_augment(trial_config, **noisy, rotate=20.0, scale=0.2)
    config = dataclasses.replace(config, data=data)
    batch = Batch(Names([f"s{n}" for n in range(6)]), torch.zeros(6, 2), signals)
    air = Augmentation(config).inputs(batch, 1)[:, 0, :20]
    rayleigh = (np.pi / (4 - np.pi)) ** 0.5
    assert float(air.mean() / air.std()) == pytest.approx(rayleigh, rel=0.03)
    air = (air - air.mean()) / air.std()
    for neighbours in (air[:, 1:] * air[:, :-1], air[:, :, 1:] * air[:, :, :-1]):
        assert float(neighbours.mean()) == pytest.approx(0, abs=0.03)


def test_the_loss_is_that_of_the_clean_slices_and_the_weighted_divergence(
    trial_config: TrialConfig, store: Store
) -> None:
    model = dataclasses.replace(trial_config.model, dropout=0.0, norm="group")
    config = dataclasses.replace(trial_config, model=model)

    def loss(**augment: Any) -> Loss:
        trainer = Trainer(with_augment(config, **augment), store)
        batch = trainer.load(trainer.indices[:8])
        return trainer.objective.of(trainer.model(trainer.augmentation.inputs(batch, 1)), batch)

    plain = loss()
    six, twelve = (loss(**MIXED, augmix_consistency=c) for c in (6.0, 12.0))
    for one in (six, twelve):
        torch.testing.assert_close(one.reported, plain.minimised.detach())
    first, second = (float((one.minimised - one.reported).detach()) for one in (six, twelve))
    assert second == pytest.approx(2 * first, rel=1e-4)
    assert first > 1e-4


@each_option
def test_a_trial_with_it_ends_resumed_as_uninterrupted(
    option: str, trial_config: TrialConfig, store: Store, tmp_path: Path
) -> None:
    stress = dataclasses.replace(trial_config.stress, artifacts=("bias",), levels=(5,))
    config = with_augment(trial_config, **OPTIONS[option])
    data = dataclasses.replace(config.data, train=(1,))
    config = dataclasses.replace(config, stress=stress, data=data)
    assert_resumes_as_whole(config, store, tmp_path)
