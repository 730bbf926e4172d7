import csv
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.data.formats.pixels import fit, read_grey
from sweep.data.ingest.images import ingest_images
from sweep.data.store import Store
from sweep.errors import UserError

BRAIN = Path(__file__).resolve().parents[5] / "shared" / "data" / "brain_tumor_mri"


def ingest(collection, **options):
    out = collection.folder / "out" / "s.h5"
    summary = ingest_images(collection.manifest, collection.images, out, **options)
    return Store.open(summary.path)


def folds_by_patient(store):
    return dict(zip(store.patients.tolist(), store.splits.tolist(), strict=True))


def test_slices_stand_in_the_order_of_the_manifest(collection):
    store = ingest(collection, folds=3)
    names = [f"{number}.png" for number in range(6)]
    pixels = np.stack([np.asarray(Image.open(collection.images / name)) for name in names])
    np.testing.assert_array_equal(store.images, pixels)
    assert store.keys.tolist() == [f"p{number // 2}/{number}.png" for number in range(6)]
    assert store.label_names == ("cyst", "tear")
    assert store.labels[:, 1].tolist() == [1, 0, 1, 0, 1, 0]


def test_many_images_keep_their_order_through_the_threads(collection):
    rows = []
    for number in range(100):
        pixels = np.zeros((4, 4), np.uint8)
        pixels[0, 0] = 1 + number
        collection.add(f"n{number}.png", pixels)
        rows.append((f"n{number}.png", "x" if number % 2 else "y", f"p{number}"))
    collection.describe(*rows)
    assert ingest(collection).images[:, 0, 0].tolist() == list(range(1, 101))


def test_every_slice_of_a_patient_has_one_fold(collection):
    store = ingest(collection, folds=3)
    assert set(store.splits) == {"1", "2", "3"}
    for patient in set(store.patients):
        assert len(set(store.splits[store.patients == patient])) == 1


def test_folds_do_not_depend_on_the_order_of_the_rows(collection):
    rows = [(f"{number}.png", "x" if number < 3 else "", f"p{number}") for number in range(6)]
    collection.describe(*rows)
    before = ingest(collection, folds=3, seed=1)
    random.Random(0).shuffle(rows)
    collection.describe(*rows)
    before.path.unlink()
    assert folds_by_patient(ingest(collection, folds=3, seed=1)) == folds_by_patient(before)


def test_the_folds_of_the_manifest_are_taken(collection):
    rows = [(f"{number}.png", "x", f"p{number}", "ab"[number % 2]) for number in range(6)]
    collection.describe(*rows, header="file,label,patient,fold")
    assert ingest(collection).splits.tolist() == ["a", "b", "a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (("tear", "cyst", "tear"), "multiclass"),
        (("tear", "tear", "tear"), "multilabel"),
        (("tear", "cyst", ""), "multilabel"),
        (("tear", "cyst", "tear|cyst"), "multilabel"),
    ],
)
def test_the_task_follows_from_the_labels(collection, labels, task):
    collection.describe(*((f"{n}.png", label, f"p{n}") for n, label in enumerate(labels)))
    assert ingest(collection, folds=2).task == task


def test_the_task_can_be_chosen(collection):
    assert ingest(collection, folds=2, task="multilabel").task == "multilabel"


def test_multiclass_is_refused_where_a_row_has_not_one_label(collection):
    collection.describe(("0.png", "tear", "p0"), ("1.png", "", "p1"))
    with pytest.raises(UserError, match=r"exactly one label: \[\] at row 3 \(1\.png\)"):
        ingest(collection, folds=2, task="multiclass")


def test_size_brings_all_images_to_one_shape(collection):
    collection.add("0.png", np.eye(20, 10, dtype=np.uint8) * 200)
    store = ingest(collection, folds=3, size=5)
    assert store.images.shape == (6, 5, 5)
    for number, image in enumerate(store.images):
        path = collection.images / f"{number}.png"
        np.testing.assert_array_equal(image, fit(read_grey(path, ""), 5))


def test_without_size_an_image_of_another_size_is_an_error(collection):
    collection.add("3.png", np.eye(7, 9, dtype=np.uint8))
    message = r"row 5 \(3\.png\) is 7 x 9 and row 2 \(0\.png\) is 8 x 8\. Pass --size"
    with pytest.raises(UserError, match=message):
        ingest(collection, folds=3)


def test_progress_counts_every_slice(collection):
    seen = []
    ingest(collection, folds=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone(collection):
    ingest(collection, folds=3)


def test_the_same_input_gives_the_same_fingerprint(collection, tmp_path):
    first = ingest_images(collection.manifest, collection.images, tmp_path / "a.h5", folds=3)
    second = ingest_images(collection.manifest, collection.images, tmp_path / "b.h5", folds=3)
    assert first.fingerprint == second.fingerprint


def spoil_colour(collection):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 0] = 255
    collection.add("4.png", pixels)


def spoil_file(collection):
    (collection.images / "4.png").write_bytes(b"not a picture")


def spoil_by_emptying(collection):
    collection.add("4.png", np.zeros((8, 8), np.uint8))


def spoil_by_removing(collection):
    (collection.images / "4.png").unlink()


def spoil_by_a_folder(collection):
    spoil_by_removing(collection)
    (collection.images / "4.png").mkdir()


def spoil_split(collection):
    collection.describe(
        ("0.png", "x", "p0", "1"), ("1.png", "y", "p0", "2"), header="file,label,patient,fold"
    )


def spoil_labels(collection):
    collection.describe(("0.png", "", "p0"), ("1.png", "", "p1"))


def spoil_images_dir(collection):
    collection.images.rename(collection.folder / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_colour, r"row 6 \(4\.png\) is in colour"),
        (spoil_file, r"readable file .* row 6 \(4\.png\)"),
        (spoil_by_emptying, r"row 6 \(4\.png\) is empty"),
        (spoil_by_removing, r"is in .*images: no row 6 \(4\.png\)\. Add the files"),
        (spoil_by_a_folder, r"no row 6 \(4\.png\)"),
        (spoil_split, r"'p0' is in split '1' at row 2 \(0\.png\) and in split '2' at row 3 \(1"),
        (spoil_labels, "names at least one finding"),
        (spoil_images_dir, "Images lie in a folder; there is none at"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(collection, spoil, message):
    spoil(collection)
    with pytest.raises(UserError, match=message):
        ingest(collection, folds=3)
    out = collection.folder / "out"
    assert not out.exists() or list(out.iterdir()) == []


def test_missing_files_are_counted_after_ten(collection):
    collection.describe(*((f"gone{number}.png", "x", "p") for number in range(14)))
    with pytest.raises(UserError, match=r"no row 11 \(gone9\.png\); and 4 more"):
        ingest(collection)


def test_an_existing_store_is_found_before_any_work(collection):
    ingest(collection, folds=3)
    collection.manifest.unlink()
    with pytest.raises(UserError, match=r"never overwritten, and .*s\.h5 exists"):
        ingest(collection, folds=3)


@pytest.mark.parametrize("size", [0, -4])
def test_a_size_is_positive(collection, size):
    with pytest.raises(UserError, match=f"at least 1; received {size}"):
        ingest(collection, size=size)


@pytest.mark.skipif(not BRAIN.is_dir(), reason="the shared brain tumour slices are absent")
def test_real_slices_by_folds_of_people(tmp_path):
    with (BRAIN / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::15]
    manifest = tmp_path / "some.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summary = ingest_images(manifest, BRAIN / "images", tmp_path / "brain.h5", size=32)
    store = Store.open(tmp_path / "brain.h5")
    assert store.images.shape == (len(rows), 32, 32)
    assert store.task == "multiclass"
    assert store.label_names == ("glioma", "meningioma", "pituitary")
    assert store.images.min() >= 0
    assert 50 < store.images.max() <= 255
    assert (store.images.std(axis=(1, 2)) > 5).all()
    assert store.splits.tolist() == [row["fold"] for row in rows]
    assert summary.total.patients == len({row["patient"] for row in rows})
    assert sum(split.patients for split in summary.splits) == summary.total.patients
