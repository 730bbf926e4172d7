"""A sweep goes on with the store that it is bound to, as that was written, and with no other."""

import shutil
from pathlib import Path

import h5py
import pytest

from sweep.core.errors import UserError
from sweep.store import Store
from sweep.store.bound import SAMPLE, changed, open_bound
from tests.support.pictures import store_with_kspace
from tests.support.stores import change_pixels, make_store


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copy(store.path, tmp_path / "copy.h5"))


def test_a_store_is_taken_where_it_is_as_it_was_written(copy: Path, store: Store) -> None:
    assert open_bound(copy, store.fingerprint).path == copy
    assert open_bound(copy, None).fingerprint == store.fingerprint
    copy.touch()
    assert open_bound(copy, store.fingerprint).path == copy


def test_another_store_is_refused(copy: Path) -> None:
    with pytest.raises(UserError, match=r"bound to, with fingerprint 0123; .*copy\.h5; put"):
        open_bound(copy, "0123")


def test_pixels_changed_in_place_are_refused_of_a_bound_sweep_alone(
    copy: Path, store: Store
) -> None:
    change_pixels(copy)
    with pytest.raises(UserError, match=r"changed in place .*, where slice 'p\d+/s\d'.*; put the"):
        open_bound(copy, store.fingerprint)
    assert open_bound(copy, None).fingerprint == store.fingerprint


def test_labels_changed_in_place_are_refused(copy: Path, store: Store) -> None:
    with h5py.File(copy, "r+") as file:
        file["labels"][0] = file["labels"][0][::-1]
    with pytest.raises(UserError, match="where what is said of the slices is not what was written"):
        open_bound(copy, store.fingerprint)


def test_k_space_belongs_to_a_slice(tmp_path: Path) -> None:
    store = store_with_kspace(tmp_path / "s.h5")
    assert changed(store) is None
    with h5py.File(store.path, "r+") as file:
        file["kspace"][1] = file["kspace"][1] + 1
    assert changed(Store.open(store.path)) == "slice 'k1' is not what was written"


def test_a_large_store_is_not_read_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path / "s.h5", patients=50)
    read: list[int] = []
    original = Store.content_digest
    monkeypatch.setattr(
        Store, "content_digest", lambda self, row: read.append(row) or original(self, row)
    )
    assert changed(store) is None
    assert len(set(read)) == SAMPLE < len(store)
    first = list(read)
    assert changed(store) is None
    assert read == 2 * first, "the same file has the same sample"
    store.path.touch()
    assert changed(store) is None
    assert set(read[-SAMPLE:]) != set(first), "and one that was written to has another"
