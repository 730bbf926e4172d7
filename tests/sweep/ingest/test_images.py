import csv
import os
import random
import re

import numpy as np
import pytest
from PIL import Image

from sweep.config.settings import DataSettings
from sweep.core.errors import UserError
from sweep.ingest import engine
from sweep.ingest.formats.manifest import USUALLY, Reading
from sweep.ingest.formats.pixels import fit, read_grey
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.inspect.summary import summarize
from sweep.store.splits import SplitAssigner, equal_folds
from tests.support.data import BRAIN, needs


def ingest(collection, out=None, strict=False, progress=None, **options):
    plan = plan_of(collection, **options)
    out = out or collection.folder / "out" / "s.h5"
    return engine.ingest(plan, out, strict=strict, progress=progress).store


def plan_of(collection, folds=2, seed=0, reading=USUALLY, **options):
    making = Making(SplitAssigner(equal_folds(folds), seed), **options)
    return plan_images(collection.manifest, collection.images, making, reading=reading)


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


def test_the_folds_of_the_manifest_are_passed_over_if_asked(collection):
    rows = [(f"{number}.png", "x", f"p{number}") for number in range(6)]
    collection.describe(*rows)
    anew = folds_by_patient(ingest(collection, folds=3))
    given = [(*row, "ab"[number % 2], "train") for number, row in enumerate(rows)]
    collection.describe(*given, header="file,label,patient,fold,split")
    out = collection.folder / "out" / "ignored.h5"
    store = ingest(collection, out, folds=3, reading=Reading(ignore_splits=True))
    assert folds_by_patient(store) == anew


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
    with pytest.raises(UserError, match=r"exactly one label; received \[\] at row 3 \(1\.png\)"):
        ingest(collection, folds=2, task="multiclass")


def test_size_brings_all_images_to_one_shape(collection):
    collection.add("0.png", np.eye(20, 10, dtype=np.uint8) * 200)
    store = ingest(collection, folds=3, size=5)
    assert store.images.shape == (6, 5, 5)
    for number, image in enumerate(store.images):
        path = collection.images / f"{number}.png"
        np.testing.assert_array_equal(image, fit(read_grey(path, ""), 5))
    assert store.native(range(6)) == ((20, 20), *[(8, 8)] * 5)


def test_without_size_a_picture_has_its_own(collection):
    assert set(ingest(collection, folds=3).native(range(6))) == {(8, 8)}


def test_without_size_an_image_of_another_size_is_an_error(collection):
    collection.add("3.png", np.eye(7, 9, dtype=np.uint8))
    message = r"8 x 8 in 5 \(.*2 \(0\.png\), for one\); 7 x 9 in 1 \(.*5 \(3\.png\), .*pass --size"
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
    first = ingest(collection, tmp_path / "a.h5", folds=3)
    second = ingest(collection, tmp_path / "b.h5", folds=3)
    assert first.fingerprint == second.fingerprint


def test_columns_of_the_manifest_are_kept_where_they_are_asked_for(collection):
    rows = [(f"{n}.png", "x", f"p{n}", "ab"[n % 2], "T1" if n else "") for n in range(4)]
    collection.describe(*rows, header="file,label,patient,site,sequence")
    store = ingest(collection, reading=Reading(keep=["site", "sequence"]))
    assert store.column("site").tolist() == ["a", "b", "a", "b"]
    assert store.sequences.tolist() == ["", "T1", "T1", "T1"]
    assert store.source["columns"] == ["site", "sequence"]
    plain = ingest(collection, collection.folder / "plain.h5")
    assert plain.column_names == ()
    assert "columns" not in plain.source


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
        (spoil_split, r"'p0' in split '1' at row 2 \(0\.png\) and in split '2' at row 3 \(1"),
        (spoil_labels, r"names a finding; received .*\.csv with an empty column 'label'"),
        (spoil_images_dir, "no such folder of images; received "),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(collection, spoil, message):
    spoil(collection)
    with pytest.raises(UserError, match=message):
        ingest(collection, folds=3)
    out = collection.folder / "out"
    assert not out.exists() or list(out.iterdir()) == []


UNUSABLE = [
    (spoil_colour, r"is in colour; received row 6 \(4\.png\)"),
    (spoil_file, r"not a readable file .*; received row 6 \(4\.png\)"),
    (spoil_by_emptying, r"is empty.*; received row 6 \(4\.png\)"),
    (spoil_by_removing, r"cannot be found; received row 6 \(4\.png\)"),
    (spoil_by_a_folder, r"row 6 \(4\.png\).*Is a directory"),
]


@pytest.mark.parametrize("size", [None, 5])
@pytest.mark.parametrize(("spoil", "message"), UNUSABLE)
def test_a_picture_that_cannot_be_used_is_left_out_and_named(
    collection, tmp_path, spoil, message, size
):
    spoil(collection)
    report = engine.ingest(plan_of(collection, folds=3, size=size), tmp_path / "s.h5")
    (skipped,) = report.skipped
    assert skipped.name == "4.png"
    assert re.search(message, skipped.reason)
    assert report.store.keys.tolist() == [
        "p0/0.png",
        "p0/1.png",
        "p1/2.png",
        "p1/3.png",
        "p2/5.png",
    ]
    assert report.store.source["skipped"] == [skipped._asdict()]
    for row, name in enumerate(["0", "1", "2", "3", "5"]):
        path = collection.images / f"{name}.png"
        expected = read_grey(path, "") if size is None else fit(read_grey(path, ""), size)
        np.testing.assert_array_equal(report.store.images[row], expected)


@pytest.mark.parametrize(("spoil", "message"), UNUSABLE)
def test_strict_stops_there_and_leaves_nothing(collection, spoil, message):
    spoil(collection)
    collection.describe(("4.png", "x", "p0"), ("5.png", "y", "p1"))
    message = message.replace("row 6", "row 2")
    with pytest.raises(
        UserError, match=rf"--strict leaves no file out; received 4\.png \(.*{message}"
    ):
        ingest(collection, strict=True)
    assert not (collection.folder / "out").exists() or not list(
        (collection.folder / "out").iterdir()
    )


def test_nothing_usable_is_an_error(collection):
    spoil_file(collection)
    collection.describe(("4.png", "x", "p0"), ("4.png", "y", "p1"))
    collection.add("3.png", np.zeros((8, 8), np.uint8))
    collection.describe(("3.png", "x", "p0"), ("4.png", "y", "p1"))
    with pytest.raises(
        UserError,
        match=r"no file can be used.* 2 files, the first: 3\.png \(.* is empty.* row 2 \(3\.png\)",
    ):
        ingest(collection, size=4)


def test_an_existing_store_is_never_overwritten(collection):
    ingest(collection, folds=3)
    with pytest.raises(
        UserError, match=r"store exists, and is never overwritten; received .*s\.h5;"
    ):
        ingest(collection, folds=3)


@pytest.mark.parametrize("size", [0, -4])
def test_a_size_is_positive(collection, size):
    with pytest.raises(UserError, match=f"at least 1; received {size}"):
        ingest(collection, size=size)


@needs(BRAIN)
def test_real_slices_by_folds_of_people(tmp_path):
    with (BRAIN / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::15]
    manifest = tmp_path / "some.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    plan = plan_images(manifest, BRAIN / "images", Making(SplitAssigner(), size=32))
    store = engine.ingest(plan, tmp_path / "brain.h5").store
    summary = summarize(store)
    assert store.images.shape == (len(rows), 32, 32)
    assert store.task == "multiclass"
    assert store.label_names == ("glioma", "meningioma", "pituitary")
    assert store.images.min() >= 0
    assert 50 < store.images.max() <= 255
    assert (store.images.std(axis=(1, 2)) > 5).all()
    assert store.splits.tolist() == [row["fold"] for row in rows]
    assert summary.total.patients == len({row["patient"] for row in rows})
    assert sum(split.patients for split in summary.splits) == summary.total.patients


def test_a_pipe_in_a_manifest_is_named_and_not_waited_for(collection):
    (collection.images / "0.png").unlink()
    os.mkfifo(collection.images / "0.png")
    report = engine.ingest(plan_of(collection), collection.folder / "s.h5")
    assert len(report.store) == 5
    (skipped,) = report.skipped
    assert "what a row of the manifest names is no file; received row 2 (0.png)" in skipped.reason


@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_a_manifest_that_is_no_file_is_not_waited_for(collection, place):
    os.mkfifo(collection.folder / "pipe")
    with pytest.raises(UserError, match=r"not a readable CSV.*NoFileError.*give another"):
        plan_images(
            collection.folder / place, collection.images, Making(SplitAssigner(equal_folds(2), 0))
        )


def test_that_nobody_knows_whose_files_are_stands_in_the_store_and_in_what_reports_repeat(
    tmp_path,
):
    for name in ("a", "b", "c", "d"):
        Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "m.csv").write_text("file,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\n")
    reading = Reading(unknown_patients="each-file")
    assigner = SplitAssigner(equal_folds(2))
    plan = plan_images(tmp_path / "m.csv", tmp_path, Making(assigner), reading=reading)
    store = engine.ingest(plan, tmp_path / "s.h5").store
    assert "nothing says whose 4 files of the store are" in store.caution
    assert f"caution: {store.caution}" in summarize(store).text()
    settings = DataSettings(store="s.h5", train=("1",), validation=("2",))
    bound = settings.of_store("s.h5", store.fingerprint, store.caution)
    assert DataSettings.from_plain(bound.to_plain()) == bound
    assert bound.caution == store.caution
    assert "caution" not in settings.to_plain()
