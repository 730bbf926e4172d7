"""Fixtures of several parts: a tiny store, a trial_config for it, and leak guards."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

# Several test processes share the cores; small matrices with a thread for each core take ten times
# as long then. Before NumPy is imported, which reads it once.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

import sweep
from sweep.config.settings import DataSettings, ModelSettings, StressSettings, TrialConfig
from sweep.config.training import TrainSettings
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finished import finished_sweep
from tests.support.stores import make_store

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("mrisweep", deadline=None)
settings.load_profile("mrisweep")


def pytest_sessionstart() -> None:
    """`make test-wheel` names the folder that the packages must come from."""
    if wheel := os.environ.get("MRISWEEP_TEST_WHEEL"):
        assert Path(sweep.__file__).resolve().is_relative_to(Path(wheel).resolve())


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache is neither read nor written, nor by the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRISWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Two cores are shared by Ray's workers and the tests; and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def global_random_state() -> Iterator[None]:
    """Fails a test that leaves the global generators other than it found them."""
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    yield
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert before == after


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A tiny multiclass store."""
    return make_store(tmp_path_factory.mktemp("store") / "tiny.h5")


@pytest.fixture
def trial_config(store: Store) -> TrialConfig:
    """Trains on the tiny store in a second or two."""
    return TrialConfig(
        data=DataSettings(store=str(store.path), train=(1, 2), validation=(3,)),
        model=ModelSettings(width=4, norm="group", dropout=0.1),
        train=TrainSettings(epochs=3, batch_size=16, lr=5e-3),
        stress=StressSettings(
            artifacts=("rician", "bias"), levels=(1, 5), grid="physical", batch_size=16
        ),
    )


@pytest.fixture(scope="session")
def sweep_folder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep of two trials; to be read only."""
    return finished_sweep(tmp_path_factory.mktemp("finished") / "sweep", store).path


@pytest.fixture(scope="session")
def compared_sweep(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep with a mode and with finalists; to be copied, and not written to."""
    from tests.support.finalists import compared  # with Ray, which takes a second to import

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        return compared(tmp_path_factory.mktemp("compared") / "sweep", store).path
