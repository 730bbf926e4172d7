"""Inputs that are kept are those that would be made, whatever is asked for, and in which order."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

import artifacts_sim
from artifacts_sim import Shift
from sweep.config.levels import shift_of
from sweep.config.settings import DataSettings, StressSettings, TrialConfig
from sweep.core.records import CLEAN, Cell
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import EpochStats, LoadedCheckpoint, load_checkpoint
from sweep.learn.kept import KeptInputs
from sweep.learn.modes import stress_in_mode
from sweep.learn.stress import cells_of, inputs, predict, stress_loaded
from sweep.learn.trainer import Trainer
from sweep.store import Store

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
CPU = torch.device("cpu")
PLENTY = 1 << 30
RICIAN = Shift.of(artifacts_sim.get("rician"), level=3)


def data_of(store: Store, **changed: object) -> DataSettings:
    return DataSettings(store=str(store.path), train=(1, 2), validation=(3,), **changed)


def made(
    store: Store,
    batches: Sequence[np.ndarray],
    shift: Shift,
    kept: KeptInputs | None = None,
    *,
    seed: int = 0,
    device: torch.device = CPU,
    **data: object,
) -> list[Tensor]:
    """The inputs (B, 1, H, W) of each batch."""
    return list(inputs(store, batches, shift, data_of(store, **data), seed, device, kept))


def assert_same(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    assert len(found) == len(expected)
    assert all(torch.equal(one, two) for one, two in zip(found, expected, strict=True))


def in_batches(rows: Sequence[int], size: int) -> list[np.ndarray]:
    return [np.array(rows[start : start + size]) for start in range(0, len(rows), size)]


@pytest.mark.parametrize("signal", ["images", "kspace"])
@pytest.mark.parametrize("name", ["clean", *artifacts_sim.names()])
def test_any_slices_in_any_batches_are_to_the_bit_what_they_would_be(
    kspace_store: Store, name: str, signal: str
) -> None:
    settings = StressSettings(grid="physical", artifacts=artifacts_sim.names())
    shift = shift_of(settings, CLEAN if name == "clean" else Cell(name, 3))
    whole = list(range(24))
    permuted = np.random.default_rng(1).permutation(whole).tolist()
    kept = KeptInputs(PLENTY)
    for rows, size in (
        (whole[4:9], 16),  # some slices first, as a screening has them
        (whole, 16),
        (whole, 16),
        (permuted, 7),
        (permuted[:5], 1),
        ([3, 3, 20], 3),
    ):
        batches = in_batches(rows, size)
        expected = made(kspace_store, batches, shift, signal=signal)
        assert_same(made(kspace_store, batches, shift, kept, signal=signal), expected)


def test_whatever_decides_the_pixels_has_inputs_of_its_own(store: Store) -> None:
    kept = KeptInputs(PLENTY)
    batches = in_batches(range(8), 8)
    bias = artifacts_sim.get("bias")
    asked: list[tuple[Shift, dict[str, object]]] = [
        (RICIAN, {}),
        (Shift.clean(), {}),
        (Shift.of(artifacts_sim.get("rician"), level=4), {}),
        (Shift.of(bias, level=3), {}),
        (Shift.of(bias, level=3), {"scan_draws": False}),
        (RICIAN, {"seed": 1}),
        (RICIAN, {"normalize": "zscore"}),
    ]
    for _ in range(2):
        for shift, changed in asked:
            expected = made(store, batches, shift, **changed)
            assert_same(made(store, batches, shift, kept, **changed), expected)


def test_two_stores_do_not_meet(store: Store, kspace_store: Store) -> None:
    kept = KeptInputs(PLENTY)
    batches = in_batches(range(8), 8)
    for one in (store, kspace_store):
        assert_same(made(one, batches, RICIAN, kept), made(one, batches, RICIAN))


def test_what_comes_first_stays_and_what_does_not_fit_is_made_anew(store: Store) -> None:
    batches = in_batches(range(32), 8)
    expected = made(store, batches, RICIAN)
    room = 2 * expected[0].nbytes
    kept = KeptInputs(room)
    data = data_of(store)
    key = (store.fingerprint, RICIAN, data.signal, data.scan_draws, data.normalize, 0, CPU)
    for _ in range(2):
        assert_same(made(store, batches, RICIAN, kept), expected)
        assert kept.nbytes == room
        held = [kept.find(key, rows, CPU) is not None for rows in batches]
        assert held == [True, True, False, False]
    nothing = KeptInputs(0)
    assert_same(made(store, batches, RICIAN, nothing), expected)
    assert nothing.nbytes == 0


def test_a_network_that_writes_to_its_input_changes_nothing_that_is_kept(store: Store) -> None:
    batches = in_batches(range(8), 8)
    expected = made(store, batches, RICIAN)
    kept = KeptInputs(PLENTY)
    for _ in range(3):
        (batch,) = made(store, batches, RICIAN, kept)
        assert torch.equal(batch, expected[0])
        batch.zero_()


@pytest.fixture(params=["batch", "group"])
def loaded(
    request: pytest.FixtureRequest,
    trial_config: TrialConfig,
    store: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> LoadedCheckpoint:
    """A network with its first weights, as a file has it."""
    model = dataclasses.replace(trial_config.model, norm=request.param)
    config = dataclasses.replace(trial_config, model=model)
    files = CheckpointFolder(tmp_path_factory.mktemp("kept"))
    Trainer(config, store).save(files, 1, EpochStats(0.0, 0.0))
    return load_checkpoint(files.epoch(1), CPU)


def test_checkpoints_say_the_same_of_kept_inputs_in_every_mode(
    loaded: LoadedCheckpoint, store: Store
) -> None:
    settings, data = loaded.info.config.stress, loaded.info.config.data
    indices, cells, kept = store.indices(data.validation), cells_of(settings), KeptInputs(PLENTY)
    of_batch_norm = loaded.info.config.model.norm == "batch"
    modes = ("trained", "prediction_time", "adabn", "trained") if of_batch_norm else ("trained",)
    for mode in (*modes, "trained"):
        found = stress_in_mode(loaded, store, cells, indices, settings, mode, kept)
        expected = stress_in_mode(loaded, store, cells, indices, settings, mode)
        for one, two in zip(found, expected, strict=True):
            assert one.cell == two.cell
            np.testing.assert_array_equal(one.probability, two.probability)


def test_all_cells_of_some_slices_take_no_more_than_their_pixels(
    loaded: LoadedCheckpoint, store: Store
) -> None:
    settings = loaded.info.config.stress
    indices, cells = store.indices((3,)), cells_of(settings)
    kept = KeptInputs(PLENTY)
    for chosen in (indices[::3], indices, indices):
        list(stress_loaded(loaded, store, cells, chosen, settings, kept))
    height, width = store.images.shape[1:]
    assert kept.nbytes == len(cells) * len(indices) * height * width * 4


@ON_GPU
@pytest.mark.parametrize("on_device", [0, 10_000, PLENTY])
def test_on_a_gpu_they_lie_there_or_in_pinned_memory(store: Store, on_device: int) -> None:
    device = torch.device("cuda")
    batches = in_batches(range(32), 8)
    kept = KeptInputs(PLENTY, on_device)
    first = made(store, batches, RICIAN, kept, device=device)
    again = made(store, batches, RICIAN, kept, device=device)
    permuted = made(store, in_batches(range(31, -1, -1), 8), RICIAN, kept, device=device)
    across = made(store, in_batches(range(32), 12), RICIAN, kept, device=device)
    assert torch.equal(torch.cat(across), torch.cat(first))
    assert all(one.is_cuda for one in (*first, *again, *permuted, *across))
    assert_same(again, first)
    assert torch.equal(torch.cat(permuted), torch.cat(first).flip(0))


@ON_GPU
def test_predictions_on_a_gpu_are_the_same_of_kept_inputs(
    loaded: LoadedCheckpoint, store: Store
) -> None:
    device = torch.device("cuda")
    model = loaded.model.to(device)
    settings, data = loaded.info.config.stress, loaded.info.config.data
    indices, kept = store.indices(data.validation), KeptInputs(PLENTY, PLENTY)
    for cell in (CLEAN, Cell("rician", 5)):
        for _ in range(2):
            found = predict(model, store, indices, cell, data, settings, device, kept)
            expected = predict(model, store, indices, cell, data, settings, device)
            np.testing.assert_allclose(found.probability, expected.probability, atol=1e-6)
