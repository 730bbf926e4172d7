"""An excerpt of a store: which slices, and that they are what they were."""

from pathlib import Path

import numpy as np
import pytest

from sweep.core.errors import UserError
from sweep.inspect.verify import damaged_slices, description_is_whole
from sweep.store import Store, write_store
from sweep.store.excerpt import chosen, write_excerpt
from sweep.store.slices import Slice
from tests.support.kspace import make_kspace_store
from tests.support.stores import make_store

PIXELS = ("float32", "float16")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("store") / "s.h5", labels=("a", "b", "c"))


@pytest.mark.parametrize("most", [3, 4, 7, 1000])
def test_few_slices_of_each_split_show_every_label(source: Store, most: int) -> None:
    rows = chosen(source, [1, 2, 3], most)
    assert list(rows) == sorted(set(rows.tolist()))
    for split in "123":
        own = rows[source.splits[rows] == split]
        assert len(own) == min(most, source.split_counts()[split])
        assert source.labels[own].any(axis=0).all()


def test_as_many_patients_are_shown_as_can_be(source: Store) -> None:
    rows = chosen(source, [1], 6)
    assert len(set(source.patients[rows].tolist())) == 6


def test_which_slices_does_not_depend_on_the_other_splits(source: Store) -> None:
    both, alone = chosen(source, [1, 2], 5), chosen(source, ["2"], 5)
    np.testing.assert_array_equal(both[source.splits[both] == "2"], alone)


def test_too_few_slices_are_refused_with_how_many_it_takes(source: Store) -> None:
    with pytest.raises(UserError, match="'1' has 3 combinations; take 3 or more"):
        chosen(source, [1], 2)


@pytest.mark.parametrize("pixels", PIXELS)
def test_slices_are_to_the_bit_what_they_were(pixels: str, tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    slices = [
        Slice(
            f"p{n}/s",
            f"p{n}",
            "ab"[n % 2],
            frozenset({"x"} if n % 3 else ()),
            "test",
            sequence="T1",
            number=n,
            columns={"site": "AB"[n % 2]},
        )
        for n in range(12)
    ]
    images = [draws.gamma(2, 300 * 2.0 ** (n % 5), (8, 6)).astype(np.float32) for n in range(12)]
    form = {"shape": (8, 6), "label_names": ["x"], "task": "multilabel", "source": {"a": 1}}
    whole = write_store(tmp_path / "s.h5", slices, images, **form, pixels=pixels)
    rows = chosen(whole, ["a", "b"], 4)
    part = write_excerpt(whole, rows, tmp_path / "part.h5")
    assert part.images.dtype == pixels
    for name in whole.columns:
        if name != "label_offsets":
            np.testing.assert_array_equal(part.columns[name], whole.columns[name][rows], name)
    assert part.source == {"a": 1, "excerpt_of": whole.fingerprint}
    assert part.fingerprint != whole.fingerprint
    assert description_is_whole(part)
    assert damaged_slices(part, lambda done, total: None) == []


def test_kspace_comes_along(tmp_path: Path) -> None:
    whole = make_kspace_store(tmp_path / "k.h5")
    rows = chosen(whole, sorted(set(whole.splits.tolist())), 3)
    part = write_excerpt(whole, rows, tmp_path / "part.h5")
    for place, row in enumerate(rows.tolist()):
        np.testing.assert_array_equal(part.kspace(place), whole.kspace(row))
        assert part.geometry(place) == whole.geometry(row)


def test_an_excerpt_is_written_anew_where_one_is_there(source: Store, tmp_path: Path) -> None:
    first = write_excerpt(source, chosen(source, [1], 3), tmp_path / "part.h5")
    again = write_excerpt(source, chosen(source, [1], 5), tmp_path / "part.h5")
    assert (len(first), len(again)) == (3, 5)
