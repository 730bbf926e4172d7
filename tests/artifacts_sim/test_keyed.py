import numpy as np
import pytest
from scipy import stats

from artifacts_sim.keyed import Names, Source, signed

KEYS = [f"slice-{i}" for i in range(4000)]


def words(name, seed, keys, count):
    return Source(name, seed, Names(keys)).words(count)


def test_words_are_uniform_and_uncorrelated():
    u = Source("motion", 0, Names(KEYS)).uniform(11)
    assert u.shape == (4000, 11)
    assert all(stats.kstest(column, "uniform").pvalue > 1e-4 for column in u.T)
    correlation = np.corrcoef(u.T) - np.eye(11)
    assert np.abs(correlation).max() * np.sqrt(len(KEYS)) < 4.5


def test_a_row_depends_on_its_own_key_only():
    table = words("bias", 3, KEYS[:10], 9)
    assert np.array_equal(words("bias", 3, KEYS[4:5], 9)[0], table[4])
    assert np.array_equal(words("bias", 3, KEYS[9::-1], 9), table[::-1])


def test_calls_take_one_row_of_words_piece_by_piece():
    whole, source = words("bias", 3, KEYS[:4], 30), Source("bias", 3, Names(KEYS[:4]))
    pieces = [source.words(count) for count in (2, 0, 7, 21)]
    assert np.array_equal(np.hstack(pieces), whole)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("motion", 0, "a"), ("spike", 0, "a")),
        (("motion", 0, "a"), ("motion", 1, "a")),
        (("motion", 0, "a"), ("motion", 0, "b")),
        (("motion", 1, "1/a"), ("motion", 11, "/a")),
        (("motion", 0, "é"), ("motion", 0, "e")),
    ],
)
def test_name_seed_and_key_each_count(one, other):
    first, second = (words(name, seed, [key], 8) for name, seed, key in (one, other))
    assert not (first == second).any()


def test_signed_covers_both_signs_and_the_range_only():
    values = signed(np.linspace(0, 1, 1001, endpoint=False), 0.5, 2.0)
    assert (np.abs(values) >= 0.5).all()
    assert (np.abs(values) <= 2.0).all()
    assert (values < 0).sum() == pytest.approx((values > 0).sum(), abs=1)


def test_slices_of_a_scan_have_its_row_in_common():
    keys, scans = KEYS[:6], ["one", "two", "one", "one", "two", "three"]
    source = Source("bias", 3, Names(keys, scans))
    table, own = source.scan.words(9), source.words(9)
    assert np.array_equal(table[0], table[2])
    assert np.array_equal(table[1], table[4])
    assert not np.array_equal(table[0], table[1])
    assert len(np.unique(own[:, 0])) == 6
    by_itself = Source("bias", 3, Names(["one"]))
    assert np.array_equal(by_itself.scan.words(9)[0], table[0])
    assert not np.array_equal(by_itself.words(9)[0], table[0])  # the name of a slice is another
