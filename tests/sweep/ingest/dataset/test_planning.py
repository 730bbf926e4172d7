"""A store of a dataset: the laws of splits, the pixels, restarts and workers."""

import numpy as np
import pytest
from PIL import Image

import sweep
from sweep.core.errors import UserError
from sweep.ingest import engine
from sweep.ingest.formats.manifest import Reading
from sweep.ingest.formats.pixels import fit
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.store.splits import SplitAssigner
from tests.support.datasets import PLACE, Described, Items, Pictures, Unpicklable, Unsized, item


def ingest(dataset, out, **options):
    return sweep.ingest_dataset(dataset, out, **{"folds": 2, **options})


def refused(dataset, tmp_path, message, **options):
    with pytest.raises(UserError, match=message) as error:
        ingest(dataset, tmp_path / "s.h5", **options)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_slices_stand_in_the_order_of_the_items(tmp_path):
    store = ingest(Pictures(), tmp_path / "s.h5").store
    np.testing.assert_array_equal(store.images, [item(n)["image"] for n in range(12)])
    assert store.keys.tolist() == [f"p{n // 2}/{n}.png" for n in range(12)]
    assert store.column("site").tolist() == ["A"] * 12
    assert (store.label_names, store.task) == (("cyst", "tear"), "multiclass")
    for patient in set(store.patients):
        assert len(set(store.splits[store.patients == patient])) == 1


@pytest.mark.parametrize("size", [None, 5])
def test_a_dataset_gives_the_store_that_its_pictures_give(collection, tmp_path, size):
    rows = [
        (item(n)["key"][3:], item(n)["labels"][0], f"p{n // 2}", "AB"[n % 2]) for n in range(12)
    ]
    for number, (name, *_) in enumerate(rows):
        collection.add(name, item(number)["image"])
    collection.describe(*rows, header="file,label,patient,site")
    plan = plan_images(
        collection.manifest,
        collection.images,
        Making(SplitAssigner(seed=3), size=size),
        reading=Reading(keep=["site"]),
    )
    pictures = engine.ingest(plan, tmp_path / "pictures.h5").store
    dataset = Items(*(item(n, site="AB"[n % 2]) for n in range(12)))
    ours = ingest(dataset, tmp_path / "ours.h5", size=size, folds=5, seed=3).store
    assert ours.fingerprint == pictures.fingerprint
    assert ours.source["kind"] == "dataset"


def test_a_dataset_that_describes_itself_is_not_read_for_the_plan(tmp_path):
    plain, described = Pictures(), Described()
    first = ingest(plain, tmp_path / "a.h5")
    second = ingest(described, tmp_path / "b.h5")
    assert first.store.fingerprint == second.store.fingerprint
    assert (plain.asked.count(11), described.asked.count(11)) == (2, 1)
    assert any("describe(i)" in note for note in first.notes)
    assert second.notes == ()


def test_processes_write_the_same_file_as_one(tmp_path):
    ingest(f"{PLACE}:Pictures", tmp_path / "a.h5")
    report = ingest(f"{PLACE}:Pictures", tmp_path / "b.h5", workers=2)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert engine.ALONE not in report.notes


def test_what_cannot_be_pickled_is_read_in_one_process(tmp_path):
    report = ingest(Unpicklable(), tmp_path / "s.h5", workers=2)
    assert engine.ALONE in report.notes
    assert report.store.fingerprint == ingest(Pictures(), tmp_path / "t.h5").store.fingerprint


def test_an_interrupted_ingest_goes_on_and_ends_with_the_same_file(tmp_path):
    ingest(Described(), tmp_path / "whole.h5")

    def stop(done, total):
        if stop.planned and done == 5:
            raise KeyboardInterrupt
        stop.planned = stop.planned or done == total

    stop.planned = False
    with pytest.raises(KeyboardInterrupt):
        ingest(Described(), tmp_path / "s.h5", progress=stop)
    again = Described()
    report = ingest(again, tmp_path / "s.h5")
    assert report.found >= 4
    assert again.asked.count(3) == 0, "what is there is not read again"
    assert (tmp_path / "s.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_splits_and_names_of_labels_are_taken_from_the_dataset(tmp_path):
    items = [item(n, split="ab"[n // 4], labels=[1, 0, n % 2]) for n in range(8)]
    store = ingest(Items(*items, label_names=["c", "b", "a"]), tmp_path / "s.h5").store
    assert store.splits.tolist() == ["a"] * 4 + ["b"] * 4
    assert (store.label_names, store.task) == (("c", "b", "a"), "multilabel")
    assert store.labels[:, 2].tolist() == [0, 1] * 4


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([item(0, split="a"), item(1, split="b")], "'p0' in split 'a' at item 0 .* 'b' at item 1"),
        ([item(0), item(2, key="p0/0.png")], r"same key; received 'p0/0\.png' at item 0 \("),
        ([item(0, split="a"), item(2)], "some slices come with a split and others do not"),
        ([item(0), {**item(1), "patient": ""}], "has no patient.*; received item 1 with"),
        ([item(0), item(2, image=np.eye(3))], r"8 x 6 in 1 \(item 0 .*3 x 3 in 1 .*--size"),
        ([item(0, labels=[]), item(2, labels=[])], "shows a label; received 2 items"),
        ([item(0, **{"a/b": "x"}), item(2)], "name that cannot be used; received 'a/b'"),
        ([item(0, orientation="axial"), item(2)], "by itself; received 'orientation'; rename"),
        ([ValueError("x"), item(0, key=None)], "no item of .* used; received 2 items, the first: "),
        ([], "no item; received tests.support.datasets:Items"),
    ],
)
def test_the_laws_hold_for_datasets(tmp_path, items, message):
    refused(Items(*items), tmp_path, message)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Unsized(), r"asked for its length; received .*:Unsized \(RuntimeError: not known\)"),
        ([1, 2], "no item of the dataset can be used.* int for item 0"),
        (4, "items by number.*; received builtins:int"),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path, dataset, message):
    refused(dataset, tmp_path, message)


def test_an_item_that_changes_each_time_is_refused(tmp_path):
    generator = np.random.default_rng(0)
    items = [item(0), lambda: item(2, image=generator.random((8, 6)))]
    refused(Items(*items), tmp_path, r"another image each time .*; received item 1 .*augment")


def broken(tmp_path, **options):
    return ingest(f"{PLACE}:Pictures", tmp_path / "s.h5", options={"broken": [3]}, **options)


def test_an_item_that_cannot_be_used_is_left_out_and_named(tmp_path):
    report = broken(tmp_path)
    (skipped,) = report.skipped
    assert skipped.name == "item 3"
    assert "OSError: no disk at all" in skipped.reason
    assert len(report.store) == 11
    assert "p1/3.png" not in report.store.keys
    assert "left out, as they cannot be used: 1 item" in list(report.remarks())


def test_strict_stops_there(tmp_path):
    with pytest.raises(UserError, match="leaves no item out; received item 3 "):
        broken(tmp_path, strict=True)
    assert list(tmp_path.iterdir()) == []


def test_an_item_that_was_described_wrong_is_left_out(tmp_path):
    dataset = Described()
    items = list(dataset.items)
    items[7], items[8] = item(7, image=np.eye(9)), item(9)
    dataset.items = tuple(items)
    report = ingest(dataset, tmp_path / "s.h5")
    assert [one.name for one in report.skipped] == ["p3/7.png", "p4/8.png"]
    assert "another item for a number" in report.skipped[0].reason


def test_the_source_says_of_what_dataset_a_store_is(tmp_path):
    named = ingest(f"{PLACE}:Pictures", tmp_path / "a.h5", options={"items": 6}).store.source
    assert (named["dataset"], named["options"]) == (f"{PLACE}:Pictures", {"items": 6})
    assert named["splits"] == {"shares": {"1": 0.5, "2": 0.5}, "seed": 0}
    made = ingest(Pictures(), tmp_path / "b.h5", shares={"x": 0.5, "y": 0.5}).store
    assert made.source["dataset"] == f"{PLACE}:Pictures"
    assert set(made.splits) == {"x", "y"}


def test_options_are_for_a_dataset_that_is_yet_to_be_made(tmp_path):
    refused(Pictures(), tmp_path, r"yet to be made; received \{'a': 1\} for", options={"a": 1})


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone(tmp_path):
    ingest(Pictures(), tmp_path / "s.h5", size=4)


def test_a_picture_is_padded_and_resized_as_files_are(tmp_path):
    store = ingest(Pictures(), tmp_path / "s.h5", size=4).store
    expected = fit(np.asarray(Image.fromarray(item(5)["image"]), np.float32), 4)
    np.testing.assert_array_equal(store.images[5], expected)
