from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sweep.inspect.choosing import choose, windowed
from sweep.store import write_store
from tests.support.pictures import one_finding


@pytest.fixture
def store(tmp_path):
    """Thirty slices of six patients; one slice of p0 alone shows a cyst."""
    slices = [one_finding(f"p{n % 6}/{n}", f"p{n % 6}", "train") for n in range(30)]
    slices[0] = replace(slices[0], labels=frozenset({"cyst"}))
    return write_store(
        tmp_path / "s.h5",
        slices,
        [np.full((4, 6), n, np.float32) for n in range(30)],
        shape=(4, 6),
        label_names=("lesion", "cyst"),
        task="multilabel",
        source={},
    )


def test_a_rare_label_is_among_the_first_two(store):
    assert 0 in choose(store, "train", 2, seed=0)


def test_patients_take_turns(store):
    counts = Counter(store.patients[choose(store, "train", 12, seed=0)].tolist())
    assert len(counts) == 6
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_slice_is_chosen_once_and_all_if_there_are_no_more(store):
    assert sorted(choose(store, "train", 99, seed=0)) == list(range(30))


def test_the_choice_is_by_seed(store):
    assert choose(store, "train", 8, seed=1) == choose(store, "train", 8, seed=1)
    assert choose(store, "train", 8, seed=1) != choose(store, "train", 8, seed=2)


def test_black_is_zero_and_white_the_995th_thousandth():
    image = np.arange(-1000, 1001, dtype=np.float32).reshape(3, 667)
    grey = windowed(image)
    assert grey.dtype == np.uint8
    assert (grey[image <= 0] == 0).all()
    assert (grey[image >= 990] == 255).all()
    assert grey[image == 495] == 128
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, -3])
def test_an_empty_slice_is_black(value):
    assert not windowed(np.full((3, 4), value, np.float32)).any()


def test_one_bright_pixel_of_many_is_still_seen():
    image = np.zeros((100, 100), np.float32)
    image[3, 5] = 2
    assert windowed(image)[3, 5] == 255
