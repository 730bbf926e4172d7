"""A store with k-space."""

import pytest

from sweep.store import Store
from tests.support.kspace import make_kspace_store


@pytest.fixture(scope="session")
def kspace_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """48 slices (24, 20) of 12 patients with k-space."""
    return make_kspace_store(tmp_path_factory.mktemp("kspace") / "kspace.h5")
