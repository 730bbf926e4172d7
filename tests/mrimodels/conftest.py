from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import mrimodels


@pytest.fixture
def make_spec() -> Callable[..., mrimodels.ModelSpec]:
    """A small network's spec, with the given fields changed."""

    def make(**changes: Any) -> mrimodels.ModelSpec:
        fields = {"arch": "preact_resnet18", "norm": "group", "n_outputs": 3, "width": 4}
        return mrimodels.ModelSpec(**{**fields, **changes})

    return make


@pytest.fixture
def draw() -> Callable[..., torch.Tensor]:
    """Normal values of a shape, always the same for one seed."""

    def normal(*shape: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    return normal


@pytest.fixture(
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ),
    ]
)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def _global_random_state_untouched() -> Iterator[None]:
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "the global random state was drawn from"


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tensors are tiny here; several threads on a busy machine only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
