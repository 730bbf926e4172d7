"""What tests of several parts share: a tiny store, a recipe for it, and leak guards."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sweep.data.slices import Slice
from sweep.data.store import Store, write_store
from sweep.settings import (
    DataSettings,
    ModelSettings,
    Recipe,
    StressSettings,
    TrainSettings,
)

SIZE = 24


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


def make_store(
    path: Path, *, patients: int = 24, per_patient: int = 4, labels: tuple[str, ...] = ("a", "b")
) -> Store:
    """Slices whose label shows as the place of a bright disc, in noise, on a bright background.

    Folds 1, 2 and 3 by patient; multiclass.
    """
    generator = np.random.default_rng(7)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    slices, images = [], []
    for number in range(patients):
        label = number % len(labels)
        for place in range(per_patient):
            centre = 6 + 10 * label / max(1, len(labels) - 1)
            disc = (rows - 12) ** 2 + (columns - centre) ** 2 < 16
            noise = generator.normal(0, 12, (SIZE, SIZE))
            images.append(np.abs(60 + 60 * disc + noise).astype(np.float32))
            slices.append(
                Slice(
                    key=f"p{number}/s{place}",
                    patient=f"p{number}",
                    split=str(1 + number // len(labels) % 3),
                    labels=frozenset({labels[label]}),
                    origin="test",
                )
            )
    return write_store(
        path,
        slices,
        images,
        shape=(SIZE, SIZE),
        label_names=labels,
        task="multiclass",
        source={"test": True},
    )


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A tiny multiclass store."""
    return make_store(tmp_path_factory.mktemp("store") / "tiny.h5")


@pytest.fixture
def recipe(store: Store) -> Recipe:
    """Trains on the tiny store in a second or two."""
    return Recipe(
        data=DataSettings(store=str(store.path), train=(1, 2), validation=(3,)),
        model=ModelSettings(width=4, norm="group", dropout=0.1),
        train=TrainSettings(epochs=3, batch_size=16, lr=5e-3),
        stress=StressSettings(artifacts=("rician", "bias"), levels=(1, 5), batch_size=16),
    )
