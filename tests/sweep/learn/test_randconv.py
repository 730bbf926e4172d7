"""RandConv: one random kernel for a slice, of the variance of the paper, mixed with the slice."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from artifacts_sim import Names
from sweep.learn.randconv import SIZES, random_convolutions

SIDE = 15
NAMES = Names([f"s{number}" for number in range(1200)])


def impulses(count: int = 1200) -> torch.Tensor:
    points = torch.zeros(count, 1, SIDE, SIDE)
    points[..., SIDE // 2, SIDE // 2] = 1
    return points


@pytest.fixture(scope="module")
def responses() -> torch.Tensor:
    """What becomes of a point: a delta + (1 - a) w, (1200, 15, 15)."""
    return random_convolutions(impulses(), NAMES, 1.0, seed=0)[:, 0]


def sizes_of(responses: torch.Tensor) -> np.ndarray:
    """The size of each kernel, from how far a point spreads."""
    reach = responses[:, SIDE // 2].ne(0).sum(dim=1)
    return reach.numpy()


def test_every_size_is_as_likely(responses: torch.Tensor) -> None:
    sizes, counts = np.unique(sizes_of(responses), return_counts=True)
    assert sizes.tolist() == list(SIZES)
    assert (counts / 1200).tolist() == pytest.approx([0.25] * 4, abs=0.05)


@pytest.mark.parametrize("size", SIZES[1:])
def test_weights_have_the_paper_s_variance_and_the_mix_is_uniform(
    size: int, responses: torch.Tensor
) -> None:
    """Beside the centre a tap is (1 - a) w, of variance E(1 - a)^2 / k^2 = 1 / (3 k^2)."""
    own = responses[torch.from_numpy(sizes_of(responses) == size)]
    taps = own.flatten(1)[:, [n for n in range(SIDE**2) if n != SIDE**2 // 2]]
    taps = taps[:, taps.ne(0).any(dim=0)]
    assert taps.shape[1] == size**2 - 1
    assert float(taps.var()) * size**2 == pytest.approx(1 / 3, rel=0.2)
    assert float(taps.mean()) == pytest.approx(0, abs=0.02)
    centre = own[:, SIDE // 2, SIDE // 2]
    assert float(centre.mean()) == pytest.approx(0.5, abs=0.1), "the mean share of the slice"


def test_it_is_a_convolution_with_zeros_around(responses: torch.Tensor) -> None:
    names = NAMES[range(12)]
    inputs = torch.randn(12, 1, 20, 17, generator=torch.Generator().manual_seed(0))
    mixed = random_convolutions(inputs, names, 1.0, seed=0)
    for place in range(12):
        kernel = responses[place].flip(0, 1)[None, None]
        expected = functional.conv2d(inputs[place : place + 1], kernel, padding=SIDE // 2)
        torch.testing.assert_close(mixed[place : place + 1], expected, atol=1e-5, rtol=1e-4)


def test_some_slices_are_as_they_were_as_often_as_asked() -> None:
    inputs = impulses()
    before = inputs.clone()
    changed = (random_convolutions(inputs, NAMES, 0.3, seed=1) != inputs).flatten(1).any(dim=1)
    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.05)
    assert torch.equal(inputs, before)
    assert random_convolutions(inputs, NAMES, 0.0, seed=1) is inputs
