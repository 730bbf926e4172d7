"""Batches and augmentation: from keys alone, balanced, full."""

from typing import Any

import numpy as np
import pytest
import torch

from artifacts_sim import Names, Shift
from sweep.config.augment import AugmentSettings
from sweep.config.levels import augmentation
from sweep.config.settings import StressSettings
from sweep.config.training import TrainSettings
from sweep.learn.augment import damaged
from sweep.learn.batches import balanced_weights, epoch_batches, positives_weights
from sweep.learn.signals import Images
from sweep.store import Store


def order(store: Store, settings: TrainSettings, seed: int = 0, epoch: int = 1) -> np.ndarray:
    batches = epoch_batches(store, store.indices([1, 2]), settings, seed, epoch)
    return np.concatenate(list(batches))


def test_balanced_weights_give_every_label_combination_the_same_share() -> None:
    labels = np.array([[0, 0]] * 6 + [[1, 0]] * 3 + [[1, 1]], np.uint8)
    weights = balanced_weights(labels)
    assert [weights[:6].sum(), weights[6:9].sum(), weights[9:].sum()] == pytest.approx([1, 1, 1])


def test_positives_weights_give_every_number_of_positive_labels_the_same_share() -> None:
    labels = np.array([[0, 0, 0]] * 6 + [[1, 0, 0]] * 2 + [[0, 1, 0]] + [[1, 1, 0], [0, 1, 1]])
    weights = positives_weights(labels.astype(np.uint8))
    assert [weights[:6].sum(), weights[6:9].sum(), weights[9:].sum()] == pytest.approx([1, 1, 1])
    assert len(set(weights[6:9])) == 1, "which label it is does not count"


@pytest.mark.parametrize("sampler", ["balanced", "positives", "uniform"])
def test_an_epoch_follows_from_its_key(store: Store, sampler: str) -> None:
    settings = TrainSettings(batch_size=8, sampler=sampler)
    assert (order(store, settings) == order(store, settings)).all()
    assert (order(store, settings, epoch=2) != order(store, settings)).any()
    assert (order(store, settings, seed=1) != order(store, settings)).any()


def test_a_uniform_epoch_visits_every_slice_of_a_full_batch_once(store: Store) -> None:
    visited = order(store, TrainSettings(batch_size=8, sampler="uniform"))
    assert len(set(visited)) == len(visited) == len(store.indices([1, 2])) // 8 * 8


def test_batches_are_full_and_stay_in_the_training_splits(store: Store) -> None:
    indices = store.indices([1, 2])
    batches = list(epoch_batches(store, indices, TrainSettings(batch_size=7), 0, 1))
    assert {len(batch) for batch in batches} == {7}
    assert set(np.concatenate(batches)) <= set(indices)


def test_less_data_than_a_batch_still_make_one(store: Store) -> None:
    indices = store.indices([1])[:5]
    batches = list(epoch_batches(store, indices, TrainSettings(batch_size=64), 0, 1))
    assert [len(batch) for batch in batches] == [5]


def slices(images: torch.Tensor) -> Images:
    return Images(images, (None,) * len(images), (None,) * len(images))


def shift_by(**settings: Any) -> Shift:
    return augmentation(StressSettings(grid="physical"), AugmentSettings(**settings))


def test_augmentation_follows_the_slice_s_key_not_its_batch() -> None:
    images = torch.rand(6, 16, 16, generator=torch.Generator().manual_seed(0))
    keys = [f"s{n}" for n in range(6)]
    shift = shift_by(artifacts=("rician", "bias"), probability=0.5)
    whole = damaged(slices(images), Names(keys), shift, seed=0, epoch=1)
    turned = damaged(slices(images.flip(0)), Names(keys[::-1]), shift, seed=0, epoch=1).flip(0)
    torch.testing.assert_close(whole, turned, atol=0, rtol=0)
    changed = [not torch.equal(a, b) for a, b in zip(images, whole, strict=True)]
    assert 0 < sum(changed) < 6
    for other in ({"seed": 0, "epoch": 2}, {"seed": 1, "epoch": 1}):
        assert not torch.equal(whole, damaged(slices(images), Names(keys), shift, **other))


def test_augmentation_happens_as_often_as_asked() -> None:
    images = torch.rand(400, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5
    keys = [f"s{n}" for n in range(400)]
    often = shift_by(artifacts=("bias",), levels=(5,), probability=0.25)
    changed = damaged(slices(images), Names(keys), often, 0, 1) != images
    assert changed.any(dim=2).any(dim=1).float().mean() == pytest.approx(0.25, abs=0.07)
    always = shift_by(artifacts=("bias",), levels=(5,), probability=1)
    assert (
        (damaged(slices(images), Names(keys), always, 0, 1) != images).any(dim=2).any(dim=1).all()
    )


@pytest.mark.parametrize("settings", [{}, {"artifacts": ("bias",), "probability": 0}])
def test_without_augmentation_the_images_are_the_images(settings: dict[str, Any]) -> None:
    images = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert damaged(slices(images), Names(list("abcd")), shift_by(**settings), 0, 1) is images


def test_artifacts_and_the_levels_that_each_reaches_are_equally_likely() -> None:
    knobs = {"bias": (0.1, None, None, None, None), "rician": (0.1, 0.2, None, None, None)}
    wanted = AugmentSettings(artifacts=("bias", "rician"), levels=(1, 2), probability=0.6)
    shift = augmentation(StressSettings(knobs=knobs), wanted)
    weights = {
        tuple((step.artifact.name, step.knob) for step in steps): weight
        for steps, weight in zip(shift.chains, shift.weights, strict=True)
    }
    assert weights == pytest.approx(
        {(("bias", 0.1),): 0.3, (("rician", 0.1),): 0.15, (("rician", 0.2),): 0.15, (): 0.4}
    )
