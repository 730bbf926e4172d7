"""What lies beside a slice: of its scan alone, by the numbers, in any order of the store."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.store import Store
from sweep.store.layout import UNNUMBERED
from sweep.store.neighbours import Neighbours
from tests.support.stores import make_volumes


def around(scans: Sequence[str], numbers: Sequence[int], context: int) -> list[list[int]]:
    found = Neighbours.of(np.array(list(scans)), np.array(numbers, "<i4"))
    return found.around(np.arange(len(scans)), context).tolist()


def test_slices_stand_in_the_order_of_their_numbers_and_ends_are_repeated() -> None:
    assert around("aaaa", [3, 1, 0, 2], 1) == [[3, 0, 0], [2, 1, 3], [2, 2, 1], [1, 3, 0]]
    assert around("aaa", [0, 1, 2], 2) == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 2], [0, 1, 2, 2, 2]]


def test_in_the_place_of_one_that_is_missing_stands_the_next_towards_the_slice() -> None:
    assert around("aaa", [0, 2, 3], 1) == [[0, 0, 0], [1, 1, 2], [1, 2, 2]]
    assert around("aaa", [0, 2, 3], 2) == [[0, 0, 0, 0, 1], [0, 1, 1, 2, 2], [1, 1, 2, 2, 2]]


def test_slices_without_a_number_and_single_ones_are_alone() -> None:
    assert around("aab", [UNNUMBERED, UNNUMBERED, 7], 3) == [[0] * 7, [1] * 7, [2] * 7]


def test_a_scan_of_which_every_second_slice_is_there_counts_in_twos() -> None:
    assert around("aaaa", [10, 12, 14, 18], 1) == [[0, 0, 1], [0, 1, 2], [1, 2, 2], [3, 3, 3]]
    mixed = around("aaabbb", [10, 12, 14, 10, 11, 12], 1)
    assert mixed == [[0, 0, 1], [0, 1, 2], [1, 2, 2], [3, 3, 4], [3, 4, 5], [4, 5, 5]]


def by_hand(scans: Sequence[str], numbers: Sequence[int], row: int, distance: int) -> int:
    """From the number that is asked for, step by step towards the slice, to the first there is."""
    own = sorted(number for scan, number in zip(scans, numbers, strict=True) if scan == scans[row])
    apart = Counter(after - before for before, after in pairwise(own))
    step = min((d for d in apart if apart[d] == max(apart.values())), default=1)
    wanted = numbers[row] + distance * step
    between = [n for n in own if min(wanted, numbers[row]) <= n <= max(wanted, numbers[row])]
    nearest = max(between) if distance > 0 else min(between)
    return list(zip(scans, numbers, strict=True)).index((scans[row], nearest))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9) | st.just(2**31 - 1)),
        min_size=1,
        max_size=20,
        unique=True,
    ),
    st.integers(0, 4),
)
def test_any_scans_in_any_order(slices: list[tuple[str, int]], context: int) -> None:
    scans, numbers = zip(*slices, strict=True)
    expected = [
        [by_hand(scans, numbers, row, at) if at else row for at in range(-context, context + 1)]
        for row in range(len(slices))
    ]
    assert around(scans, numbers, context) == expected


@pytest.mark.parametrize("permuted", [False, True])
def test_no_slice_of_another_scan_patient_or_split_is_a_neighbour(
    permuted: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("volumes") / "store.h5"
    store: Store = make_volumes(path, permuted=permuted)
    found = store.neighbours.around(np.arange(len(store)), 3)
    for column in (store.scans, store.patients, store.splits):
        assert (column[found] == column[:, None]).all()
    assert (np.diff(store.numbers[found], axis=1) >= 0).all()
