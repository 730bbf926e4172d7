"""From slices to network input: scaling laws, and corruption before scaling."""

from pathlib import Path

import numpy as np
import pytest
import torch

from artifacts_sim import Names, Shift
from sweep.config.levels import shift_of
from sweep.config.settings import StressSettings
from sweep.core.records import Cell
from sweep.learn.inputs import NORMALIZERS, corrupt, gather, normalize
from sweep.store import Store, write_store
from sweep.store.slices import Slice

CPU = torch.device("cpu")


def images(count: int = 3, height: int = 100, width: int = 70) -> torch.Tensor:
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(0)) * 500


@pytest.mark.parametrize("how", ["robust", "zscore"])
def test_gain_and_offset_of_the_scanner_do_not_matter(how: str) -> None:
    x = images()
    torch.testing.assert_close(
        normalize(3.7 * x + 40, how), normalize(x, how), atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize("how", sorted(NORMALIZERS))
def test_every_slice_is_scaled_on_its_own(how: str) -> None:
    x = images()
    torch.testing.assert_close(normalize(x, how)[1:2], normalize(x[1:2], how), atol=0, rtol=0)


@pytest.mark.parametrize("how", sorted(NORMALIZERS))
def test_shape_and_finiteness_hold_for_a_constant_slice(how: str) -> None:
    y = normalize(torch.zeros(2, 9, 11), how)
    assert y.shape == (2, 1, 9, 11)
    assert (y == 0).all()


@pytest.mark.parametrize("how", ["robust", "zscore"])
def test_a_constant_slice_becomes_zero_whatever_its_value(how: str) -> None:
    values = torch.tensor([0.1, 137.3, 1e-5, 3e7])
    assert (normalize(values[:, None, None].expand(4, 96, 80), how) == 0).all()


def test_tiny_intensities_reach_the_network_at_full_scale() -> None:
    """Raw fastMRI values of 1e-4 would vanish beside a norm layer's eps."""
    x = images() / 500 * 1e-4
    assert normalize(x, "robust").std() > 0.2
    assert normalize(x, "zscore").std() == pytest.approx(1, abs=1e-3)


def test_robust_means_robust() -> None:
    x = images(1)
    spiked = x.clone()
    spiked[0, 0, :20] = 1e6
    clean, hit = (normalize(item, "robust")[0, 0, 50:] for item in (x, spiked))
    torch.testing.assert_close(clean, hit, atol=0.02, rtol=0.02)


def test_clean_images_pass_and_artifacts_follow_the_key_alone(store: Store) -> None:
    rows = store.indices([1])[:4]
    x = gather(store, rows, CPU).signals
    keys, settings = ["a", "b", "c", "d"], StressSettings(grid="calibrated")
    assert corrupt(x, Shift.clean(), Names(keys), 0) is x.images
    cell = shift_of(settings, Cell("rician", 3))
    whole = corrupt(x, cell, Names(keys), 0)
    alone = corrupt(gather(store, rows[2:3], CPU).signals, cell, Names(["c"]), 0)
    torch.testing.assert_close(whole[2:3], alone, atol=0, rtol=0)
    assert not torch.equal(whole, corrupt(x, cell, Names(keys), 1))


def test_a_batch_holds_what_the_store_says_of_its_slices(store: Store) -> None:
    rows = store.indices([2])[[5, 1, 5, 0]]
    batch = gather(store, rows, CPU)
    assert len(batch) == 4
    assert list(batch.names.keys) == store.keys[rows].tolist()
    np.testing.assert_array_equal(batch.labels.numpy(), store.labels[rows])
    np.testing.assert_array_equal(batch.signals.clean().numpy(), store.read(rows))
    assert [tensor.shape for tensor in batch.tensors()] == [(4, 2), (4, 24, 24)]


def test_slices_stored_in_half_are_widened_to_what_the_store_reads(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    tiny = [generator.random((5, 7), np.float32) * np.float32(10.0**-n) for n in range(6)]
    slices = [Slice(f"s{n}", f"p{n}", "1", frozenset("a"), "test") for n in range(6)]
    half = write_store(
        tmp_path / "half.h5",
        slices,
        tiny,
        shape=(5, 7),
        label_names=("a",),
        task="multiclass",
        source={},
        pixels="float16",
    )
    rows = np.array([4, 0, 5])
    images = gather(half, rows, CPU).signals.clean()
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images.numpy(), half.read(rows))
