import os
import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from sweep.core.errors import UserError
from sweep.inspect.verify import description_is_whole
from sweep.store import Store, write_store
from sweep.store.geometry import UNKNOWN, Geometry
from sweep.store.slices import Slice


def with_pixel_changed(content):
    images = [image.copy() for image in content.images]
    images[4][3, 5] = np.nextafter(images[4][3, 5], np.float32(2))
    return replace(content, images=tuple(images))


def with_rows_and_columns_exchanged(content):
    return replace(content, images=tuple(image.reshape(6, 4) for image in content.images))


CHANGES = {
    "pixel": with_pixel_changed,
    "shape": with_rows_and_columns_exchanged,
    "label": lambda content: content.with_slice(1, labels=frozenset({"tear"})),
    "patient": lambda content: content.with_slice(4, patient="zoe"),
    "key": lambda content: content.with_slice(4, key="zoë/1"),
    "spacing": lambda content: content.with_slice(4, geometry=Geometry(spacing_mm=4.0)),
    "native size": lambda content: content.with_slice(4, geometry=Geometry(native=(4, 6))),
    "split": lambda content: content.with_slice(4, split="2"),
    "label order": lambda content: replace(content, label_names=("cyst", "tear")),
    "task": lambda content: replace(
        content.with_slice(0, labels=frozenset({"cyst"})),
        slices=tuple(replace(one, labels=frozenset({"tear"})) for one in content.slices),
        task="multiclass",
    ),
}


def test_what_is_written_is_read(content, tmp_path):
    content.write(tmp_path / "s.h5")
    store = Store.open(tmp_path / "s.h5")
    np.testing.assert_array_equal(store.images, np.stack(content.images))
    assert store.images.dtype == np.float32
    np.testing.assert_array_equal(store.labels, [[1, 0], [0, 0], [1, 1], [0, 1], [0, 0]])
    assert store.labels.dtype == np.uint8
    assert store.keys.tolist() == ["ann/0", "ann/1", "bob/0", "bob/1", "zoë/0"]
    assert store.patients.tolist() == ["ann", "ann", "bob", "bob", "zoë"]
    assert store.splits.tolist() == ["train", "train", "2", "2", "train"]
    assert store.label_names == ("tear", "cyst")
    assert store.task == "multilabel"
    assert store.path == tmp_path / "s.h5"
    assert len(store) == 5


def test_the_file_says_what_it_is_to_any_hdf5_reader(content, tmp_path):
    replace(content, source={"kind": "test", "size": None}).write(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert [axis.label for axis in file["images"].dims] == ["slice", "row", "column"]
        assert file["images"].chunks is None
        assert file["images"].compression is None
        assert file.attrs["source"] == '{"kind": "test", "size": null}'
        assert file.attrs["format_version"] == 3
        assert file.attrs["tool"].startswith("mrisweep")


def test_images_are_aligned_whatever_stands_before_them(content, tmp_path):
    odd = content.with_slice(0, key="k" * 1001).with_slice(1, patient="ann", key="l" * 33)
    with h5py.File(odd.write(tmp_path / "s.h5").path) as file:
        assert file["images"].id.get_offset() % 64 == 0


def test_all_who_open_a_store_map_the_same_pages_of_the_file(content, tmp_path):
    one, other = content.write(tmp_path / "s.h5"), Store.open(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        offset = file["images"].id.get_offset()
    with open(tmp_path / "s.h5", "r+b") as file:
        os.pwrite(file.fileno(), np.float32(42).tobytes(), offset)
    assert one.images[0, 0, 0] == other.images[0, 0, 0] == 42


def test_nothing_of_an_open_store_can_be_written(content, tmp_path):
    path = content.write(tmp_path / "s.h5").path
    before = path.read_bytes()
    store = Store.open(path)
    for array in (store.images, store.labels, store.patients, store.keys, store.splits):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert path.read_bytes() == before


def test_pickling_sends_no_pixels_and_the_copy_maps_the_file(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    sent = pickle.dumps(store)
    assert store.images[0].tobytes() not in sent
    assert b"ann/0" not in sent
    copy = pickle.loads(sent)
    np.testing.assert_array_equal(copy.images, store.images)
    assert copy.fingerprint == store.fingerprint


def test_a_relative_path_still_leads_there_from_another_folder(content, tmp_path, monkeypatch):
    content.write(tmp_path / "s.h5")
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(Store.open("s.h5"))
    monkeypatch.chdir("/")
    assert pickle.loads(sent).path == tmp_path / "s.h5"


def test_a_worker_refuses_another_store_under_the_same_name(content, tmp_path):
    sent = pickle.dumps(content.write(tmp_path / "s.h5"))
    (tmp_path / "s.h5").unlink()
    with_pixel_changed(content).write(tmp_path / "s.h5")
    with pytest.raises(
        UserError,
        match=r"was changed during the sweep; received .*s\.h5, which had the fingerprint ",
    ):
        pickle.loads(sent)


def test_the_fingerprint_is_of_the_content_not_of_the_place(content, tmp_path):
    first = content.write(tmp_path / "a.h5")
    second = replace(content, source={"other": 1}).write(tmp_path / "deep" / "b.h5")
    shutil.copy(tmp_path / "a.h5", tmp_path / "c.h5")
    third = Store.open(tmp_path / "c.h5")
    assert first.fingerprint == second.fingerprint == third.fingerprint
    assert len(first.fingerprint) == 64


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_fingerprint_changes_with_any_content(content, tmp_path, change):
    before = content.write(tmp_path / "a.h5").fingerprint
    assert change(content).write(tmp_path / "b.h5").fingerprint != before


def test_indices_are_those_of_the_named_splits_ascending(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    assert store.indices(["train"]).tolist() == [0, 1, 4]
    assert store.indices([2]).tolist() == store.indices(["2"]).tolist() == [2, 3]
    assert store.indices([2, "train", 2]).tolist() == [0, 1, 2, 3, 4]
    assert store.indices([]).tolist() == []


def test_an_unknown_split_is_answered_with_the_known_ones(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    message = (
        r"no such split in the store; received 'trian' .*s\.h5, which has "
        r"'2' \(2 slices\), 'train' \(3 slices\); did you mean 'train'"
    )
    with pytest.raises(UserError, match=message):
        store.indices(["2", "trian"])


def test_no_such_file(tmp_path):
    message = r"there is no such store; received .*nothing\.h5; correct .*mrisweep ingest"
    with pytest.raises(UserError, match=message):
        Store.open(tmp_path / "nothing.h5")


@pytest.mark.parametrize("content_bytes", [b"", b"file,label,patient\n"])
def test_a_file_of_another_kind(tmp_path, content_bytes):
    (tmp_path / "s.h5").write_bytes(content_bytes)
    with pytest.raises(
        UserError, match=r"not a readable HDF5 file; .*s\.h5, not an HDF5 file \(.*; ingest"
    ):
        Store.open(tmp_path / "s.h5")


@pytest.mark.parametrize("kept", [-1, -100, 4000, 600])
def test_a_truncated_file(content, tmp_path, kept):
    path = content.write(tmp_path / "s.h5").path
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"s\.h5, truncated or damaged \(.*; ingest"):
        Store.open(path)


@pytest.mark.parametrize("version", [2, 99])
def test_another_format_version_is_named(content, tmp_path, version):
    path = content.write(tmp_path / "s.h5").path
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = version
    message = rf"is not version 3, .*; received version {version} in .*s\.h5; ingest .* again"
    with pytest.raises(UserError, match=message):
        Store.open(path)


def test_scans_and_numbers_come_back(content, tmp_path):
    volume = content.with_slice(0, scan="ann/v1", number=0).with_slice(1, scan="ann/v1", number=7)
    store = volume.write(tmp_path / "s.h5")
    assert store.scans.tolist() == ["ann/v1", "ann/v1", "bob/0", "bob/1", "zoë/0"]
    assert store.numbers.tolist() == [0, 7, -1, -1, -1]
    assert store.fingerprint != content.write(tmp_path / "other.h5").fingerprint


def test_native_sizes_come_back(content, tmp_path):
    resized = content.with_slice(0, geometry=Geometry(native=(8, 7)))
    store = resized.with_slice(3, geometry=Geometry((0.5, 1.0), native=(4, 6))).write(
        tmp_path / "s.h5"
    )
    assert store.native([0, 3, 1]) == ((8, 7), (4, 6), None)
    assert store.native(np.array([3])) == ((4, 6),)
    assert [store.geometry(row).native for row in (0, 1)] == [(8, 7), None]
    assert store.columns["native"].dtype == np.int32
    assert description_is_whole(store)


def test_how_far_apart_slices_lie_comes_back(content, tmp_path):
    store = content.with_slice(0, geometry=Geometry(spacing_mm=4.5)).write(tmp_path / "s.h5")
    assert [store.geometry(row).spacing_mm for row in (0, 1)] == [4.5, None]
    unknown = content.write(tmp_path / "other.h5")
    assert "spacing_mm" not in unknown.columns
    assert unknown.geometry(0).spacing_mm is None


def test_a_store_from_before_native_sizes_opens_and_says_none(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    with h5py.File(store.path) as file:
        assert "native" not in file  # as it was before there were any
    assert store.native(range(5)) == (None,) * 5
    assert store.geometry(0) == UNKNOWN
    assert description_is_whole(store)


def test_the_fingerprint_of_such_a_store_is_what_it_was(tmp_path):
    slices = [
        Slice(f"p{n}/0", f"p{n}", "ab"[n], frozenset({"x"}), "test", geometry=geometry)
        for n, geometry in enumerate((UNKNOWN, Geometry((0.5, 0.25))))
    ]
    images = [np.arange(12, dtype=np.float32).reshape(3, 4) + n for n in range(2)]
    store = write_store(
        tmp_path / "s.h5",
        slices,
        images,
        shape=(3, 4),
        label_names=("x",),
        task="multilabel",
        source={},
    )
    assert store.fingerprint == "c81c139fe614aaae31bea639411f705571bd3a6a6e899bfe11ef6c8121ce1cf9"


def test_an_hdf5_file_that_is_no_store(tmp_path):
    with h5py.File(tmp_path / "volume.h5", "w") as file:
        file["kspace"] = np.zeros(3)
    with pytest.raises(UserError, match=r"not version 3, .*; received none in"):
        Store.open(tmp_path / "volume.h5")


@pytest.mark.parametrize("name", ["images", "split"])
def test_a_missing_dataset_is_named(content, tmp_path, name):
    path = content.write(tmp_path / "s.h5").path
    with h5py.File(path, "r+") as file:
        del file[name]
    with pytest.raises(
        UserError, match=rf"lacks datasets or attributes; received .*s\.h5 without {name};"
    ):
        Store.open(path)


def test_a_missing_attribute_is_named(content, tmp_path):
    path = content.write(tmp_path / "s.h5").path
    with h5py.File(path, "r+") as file:
        del file.attrs["task"]
    with pytest.raises(
        UserError, match=r"lacks datasets or attributes; received .*s\.h5 without task;"
    ):
        Store.open(path)


def test_images_that_cannot_be_mapped(content, tmp_path):
    path = content.write(tmp_path / "s.h5").path
    with h5py.File(path, "r+") as file:
        pixels = file["images"][...]
        del file["images"]
        file.create_dataset("images", data=pixels, compression="gzip")
    with pytest.raises(
        UserError, match=r"are not .*contiguous and uncompressed; .*chunks \(5, 4, 6\), in "
    ):
        Store.open(path)


def test_a_store_is_never_overwritten(content, tmp_path):
    path = content.write(tmp_path / "s.h5").path
    before = path.read_bytes()
    with pytest.raises(
        UserError, match=r"exists, and is never overwritten; received .*s\.h5; remove"
    ):
        with_pixel_changed(content).write(path)
    assert path.read_bytes() == before


def failing_after_two(images):
    yield from images[:2]
    raise RuntimeError("the disk went away")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (failing_after_two, RuntimeError, "the disk went away"),
        (lambda images: images[:-1], ValueError, "shorter"),
        (lambda images: (*images, images[0]), ValueError, "longer"),
        (lambda images: (images[0], images[1].T, *images[2:]), ValueError, r"\(6, 4\).*at line 1"),
        (
            lambda images: (images[0] * np.nan, *images[1:]),
            UserError,
            "not finite.*line 0, which has NaN",
        ),
    ],
)
def test_nothing_half_written_is_left(content, tmp_path, spoil, error, message):
    with pytest.raises(error, match=message):
        content.write(tmp_path / "s.h5", spoil(content.images))
    assert list(tmp_path.iterdir()) == []


def test_the_laws_are_checked_before_an_image_is_asked_for(content, tmp_path):
    asked = []
    broken = content.with_slice(1, split="2")
    with pytest.raises(UserError, match="slices of one patient are in several splits, "):
        broken.write(tmp_path / "s.h5", (asked.append(one) for one in broken.images))
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def with_sites(content):
    return content.with_slice(0, columns={"site": "A", "sex": ""}).with_slice(
        4, columns={"site": "Zürich"}
    )


def test_columns_come_back(content, tmp_path):
    with_sites(content).write(tmp_path / "s.h5")
    store = Store.open(tmp_path / "s.h5")
    assert store.column_names == ("sex", "site")
    assert store.column("site").tolist() == ["A", "", "", "", "Zürich"]
    assert store.column("sex").tolist() == [""] * 5
    assert (
        pickle.loads(pickle.dumps(store)).column("site").tolist() == store.column("site").tolist()
    )
    assert description_is_whole(store)


@pytest.mark.parametrize("name", ["scan", "patient", "split", "sequence"])
def test_what_every_store_says_is_a_column_too(content, tmp_path, name):
    store = content.with_slice(1, sequence="PD").write(tmp_path / "s.h5")
    assert store.column(name).tolist() == getattr(store, f"{name}s").tolist()


def test_an_unknown_column_is_answered_with_the_known_ones(content, tmp_path):
    store = with_sites(content).write(tmp_path / "s.h5")
    message = (
        r"no such column in the store; received 'sites' for .*s\.h5, which has "
        r"sex, site, scan, patient, split, sequence; keep a column .*; did you mean 'site'\?$"
    )
    with pytest.raises(UserError, match=message):
        store.column("sites")
    with pytest.raises(UserError, match="no such column"):
        store.column("digest")


@pytest.mark.parametrize(
    "columns", [{"site": "B", "sex": ""}, {"site": "A", "sex": "F"}, {"site": "A"}, {"town": "A"}]
)
def test_the_fingerprint_covers_columns(content, tmp_path, columns):
    before = content.with_slice(0, columns={"site": "A", "sex": ""}).write(tmp_path / "a.h5")
    after = content.with_slice(0, columns=columns).write(tmp_path / "b.h5")
    assert before.fingerprint != after.fingerprint


def test_a_changed_cell_of_a_column_is_found(content, tmp_path):
    store = with_sites(content).write(tmp_path / "s.h5")
    with h5py.File(store.path) as file:
        place = file["column/site"].id.get_offset()
    with store.path.open("r+b") as file:
        os.pwrite(file.fileno(), b"B", place)
    assert not description_is_whole(Store.open(store.path))


def test_a_store_without_columns_is_as_it_was_before_there_were_any(content, tmp_path):
    store = content.write(tmp_path / "s.h5")
    with h5py.File(store.path) as file:
        assert "column" not in file
    assert store.column_names == ()
    with pytest.raises(UserError, match="which has scan, patient, split, sequence;"):
        store.column("site")


def put(path, name, change):
    """Put something else in the place of a dataset."""
    with h5py.File(path, "r+") as file:
        values = file[name][...]
        del file[name]
        change(file, name, values)


def as_external_link(file, name, values):
    other = file.filename + ".other"
    with h5py.File(other, "w") as elsewhere:
        elsewhere[name] = values
    file[name] = h5py.ExternalLink(other, f"/{name}")


def as_soft_link(file, name, values):
    file["aside"] = values
    file[name] = h5py.SoftLink("/aside")


def as_external_storage(file, name, values):
    other = file.filename + ".raw"
    values.tofile(other)
    shape = values.shape or (1,)  # of a single value HDF5 has no external storage
    file.create_dataset(name, shape, values.dtype, external=[(other, 0, values.nbytes)])


def as_virtual_dataset(file, name, values):
    other = file.filename + ".other"
    with h5py.File(other, "w") as elsewhere:
        elsewhere[name] = values
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource(other, name, values.shape)
    file.create_virtual_dataset(name, layout)


ELSEWHERE = (as_external_link, as_soft_link, as_external_storage, as_virtual_dataset)


@pytest.mark.parametrize("change", ELSEWHERE, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", ["images", "labels", "fingerprint"])
def test_nothing_outside_the_file_is_read(content, tmp_path, change, name):
    """Whatever HDF5 would follow; what lies there is as it should be."""
    path = content.write(tmp_path / "s.h5").path
    put(path, name, change)
    message = (
        r"of the store cannot be read; received .*s\.h5' \(ValueError: .*(elsewhere|other fil)"
    )
    with pytest.raises(UserError, match=rf"{message}.*; ingest the data again"):
        Store.open(path)


def test_a_group_of_columns_elsewhere_is_not_followed(content, tmp_path):
    path = with_sites(content).write(tmp_path / "s.h5").path
    shutil.copy(path, tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file["column"]
        file["column"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/column")
    with pytest.raises(UserError, match="'column' is a link to elsewhere"):
        Store.open(path)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("labels", np.zeros((4, 2), np.uint8), "'labels' is not of 5 slices"),
        ("labels", np.zeros((5, 2), np.float32), "'labels' is of the type float32"),
        ("labels", np.zeros(5, np.uint8), r"'labels' has the shape \(5,\)"),
        ("labels", np.zeros((5, 3), np.uint8), "label_names are .* for 3 labels"),
        ("number", np.zeros(5, np.int64), "'number' is of the type int64"),
        ("patient", np.zeros(5, np.int32), "'patient' is of the type int32"),
    ],
)
def test_a_dataset_of_another_form(content, tmp_path, name, values, said):
    path = content.write(tmp_path / "s.h5").path
    put(path, name, lambda file, name, _: file.create_dataset(name, data=values))
    with pytest.raises(UserError, match=rf"cannot be read; received .*s\.h5' \(ValueError: {said}"):
        Store.open(path)


def test_images_of_no_slice(content, tmp_path):
    path = content.write(tmp_path / "s.h5").path
    none = np.zeros((0, 4, 6), np.float32)
    put(path, "images", lambda file, name, _: file.create_dataset(name, data=none))
    with pytest.raises(UserError, match=r"images of the store are not .*; received .* \(0, 4, 6\)"):
        Store.open(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("label_names", value) for value in (1, 0.5, "tear", ["tear", "tear"], ["a", "\x1b[m"])),
        *(("task", value) for value in (1, "both", ["multilabel"])),
        *(("source", value) for value in (1, "[]", "{", "[" * 5000)),
    ],
)
def test_an_attribute_of_another_kind(content, tmp_path, name, value):
    path = content.write(tmp_path / "s.h5").path
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(UserError, match="an attribute of the store cannot be read; received "):
        Store.open(path)


@pytest.mark.parametrize("text", [b"\xff", b"zo\x1b[2J"])
def test_a_text_that_no_name_is(content, tmp_path, text):
    store = content.write(tmp_path / "s.h5")
    with h5py.File(store.path) as file:
        place = file["patient"].id.get_offset()
    with store.path.open("r+b") as file:
        os.pwrite(file.fileno(), text[:3], place)
    with pytest.raises(UserError, match=r"the dataset 'patient' of the store cannot be read; rec"):
        _ = Store.open(store.path).patients


@pytest.mark.parametrize("place", ["a\0b", "/dev/zero", "pipe", "loop"])
def test_a_path_that_leads_to_no_file(tmp_path, place):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match=r"there is no such store; received .*; correct the path"):
        Store.open(tmp_path / place)
