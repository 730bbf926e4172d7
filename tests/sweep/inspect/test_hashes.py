import numpy as np
import pytest

from sweep.inspect import hashes
from sweep.inspect.hashes import like_hashes

GENERATOR = np.random.default_rng(4)
HASHES = GENERATOR.integers(0, 2**9, 60).astype(np.uint64)  # few bits: many pairs are near
GROUPS = GENERATOR.choice(["test", "train", "2"], 60)


def in_blocks_of(block, monkeypatch):
    monkeypatch.setattr(hashes, "STRIP", block[0])
    monkeypatch.setattr(hashes, "WIDTH", block[1])


def brute_force(rows, bits):
    """(bits, row, row) of every pair, one by one."""
    return sorted(
        (int(HASHES[one] ^ HASHES[other]).bit_count(), int(one), int(other))
        for one in rows
        for other in rows
        if GROUPS[one] < GROUPS[other] and int(HASHES[one] ^ HASHES[other]).bit_count() <= bits
    )


@pytest.mark.parametrize("block", [(1, 1), (7, 3), (3, 2048), (128, 2048)])
@pytest.mark.parametrize("bits", [0, 2, 9])
def test_every_pair_of_two_groups_is_compared(bits, block, monkeypatch):
    in_blocks_of(block, monkeypatch)
    rows = np.arange(3, 55)
    found = like_hashes(HASHES, GROUPS, rows, bits, 10_000)
    expected = brute_force(rows, bits)
    assert found.found == len(expected)
    assert sorted(map(tuple, found.pairs.tolist())) == sorted(pair[1:] for pair in expected)


@pytest.mark.parametrize("block", [(5, 5), (128, 2048)])
@pytest.mark.parametrize("most", [1, 10, 40])
def test_of_too_many_those_that_differ_least_are_kept(most, block, monkeypatch):
    in_blocks_of(block, monkeypatch)
    rows = np.arange(60)
    found = like_hashes(HASHES, GROUPS, rows, 4, most)
    expected = brute_force(rows, 4)
    differing = [int(HASHES[one] ^ HASHES[other]).bit_count() for one, other in found.pairs]
    assert found.found == len(expected)
    assert sorted(differing) == [pair[0] for pair in expected[:most]]


def test_one_group_has_no_pairs():
    found = like_hashes(HASHES, np.full(60, "train"), np.arange(60), 63, 10)
    assert found.found == 0
    assert found.pairs.shape == (0, 2)


@pytest.mark.parametrize("most", [1, 10, 40])
def test_which_of_equals_are_kept_follows_the_order_of_the_rows_alone(most, monkeypatch):
    """Neither where the slices lie in the store nor in what blocks they are compared."""
    rows, moved = np.arange(60), GENERATOR.permutation(60)
    expected = like_hashes(HASHES, GROUPS, rows, 4, most).pairs.tolist()
    in_blocks_of((3, 7), monkeypatch)
    back = np.argsort(moved)
    found = like_hashes(HASHES[moved], GROUPS[moved], back, 4, most).pairs
    assert moved[found].tolist() == expected
