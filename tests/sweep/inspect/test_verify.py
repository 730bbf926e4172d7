import os

import h5py
import pytest

from sweep.inspect.verify import damaged_slices, description_is_whole
from sweep.store import Store
from sweep.store.geometry import Geometry
from sweep.store.layout import chunk_offsets
from tests.support.pictures import store_with_kspace


def place_of(path, name, row):
    """The last byte that a slice has in a dataset."""
    with h5py.File(path) as file:
        dataset = file[name]
        size = dataset.nbytes // len(dataset)
        if dataset.chunks:
            return int(chunk_offsets(dataset)[row]) + size - 1
        return dataset.id.get_offset() + (row + 1) * size - 1


def change(path, place):
    with path.open("r+b") as file:
        before = os.pread(file.fileno(), 1, place)
        os.pwrite(file.fileno(), bytes([before[0] ^ 1]), place)


@pytest.mark.parametrize("name", ["images", "scale", "kspace", "digest", "value_range"])
def test_a_bit_that_has_changed_is_found(name, tmp_path):
    store = store_with_kspace(tmp_path / "s.h5")
    assert damaged_slices(store) == []
    change(store.path, place_of(store.path, name, 1))
    assert damaged_slices(Store.open(store.path)) == ["k1"]


@pytest.mark.parametrize(("flipped", "damaged"), [(0x03, []), (0x07, ["k1"]), (0xFF, ["k1"])])
def test_a_hash_is_that_of_the_pixels_but_for_how_libraries_round(tmp_path, flipped, damaged):
    path = store_with_kspace(tmp_path / "s.h5").path
    place = place_of(path, "perceptual_hash", 1)
    content = bytearray(path.read_bytes())
    content[place] ^= flipped
    path.write_bytes(content)
    assert damaged_slices(Store.open(path)) == damaged


@pytest.mark.parametrize(
    "name", ["labels", "patient", "split", "slice_key", "pixel_mm", "sampling", "digest"]
)
def test_a_description_that_has_changed_is_found(name, tmp_path):
    store = store_with_kspace(tmp_path / "s.h5")
    assert description_is_whole(store)
    change(store.path, place_of(store.path, name, 1))
    assert not description_is_whole(Store.open(store.path))


def test_a_native_size_that_has_changed_is_found(content, tmp_path):
    path = content.with_slice(1, geometry=Geometry(native=(8, 12))).write(tmp_path / "s.h5").path
    assert description_is_whole(Store.open(path))
    change(path, place_of(path, "native", 1))
    assert not description_is_whole(Store.open(path))


def test_every_damaged_slice_is_named(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    for row in (4, 0):
        change(store.path, place_of(store.path, "images", row))
    assert damaged_slices(Store.open(store.path)) == ["ann/0", "zoë/0"]


def test_progress_counts_slices(content, tmp_path):
    told = []
    damaged_slices(content.write(tmp_path / "s.h5"), lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]
