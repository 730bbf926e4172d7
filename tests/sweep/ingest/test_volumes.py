import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.formats.labels import label_names
from sweep.ingest.formats.manifest import USUALLY, Reading, Row, task_of
from sweep.ingest.formats.pixels import fit_square
from sweep.ingest.formats.planes import Format, Outline, Section
from sweep.ingest.making import Making
from sweep.ingest.plan import Item
from sweep.ingest.volumes import VolumeReader, plan_volumes
from sweep.store.geometry import UNKNOWN, Geometry
from sweep.store.slices import slice_key
from sweep.store.splits import SplitAssigner, equal_folds

GEOMETRY = Geometry((2.0, 1.0), 3.0, orientation=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
SHAPE = (4, 6)


# A format for the tests: a file holds the number of its slices; "bad" cannot be used, "blank"
# shows nothing, "wide" has another shape, "named" names its patient, "where" says no place.
def outline(path, axis):
    if "bad" in path.name:
        raise UnusableError("the volume is bad", path.name, "repair it")
    count = int(path.read_text())
    return Outline(
        paths=(path,),
        shape=(4, 9) if "wide" in path.name else SHAPE,
        geometries=(UNKNOWN if "where" in path.name else GEOMETRY,) * count,
        patient="zoë" if "named" in path.name else "",
        sequence=axis,
        ignored=2 if "named" in path.name else 0,
    )


def sections(path, axis, numbers):
    for number in numbers:
        image = np.full(SHAPE, number, np.float32)
        image[1, 2] += 0 if "blank" in path.name else 50
        yield Section(image, GEOMETRY)


FORMAT = Format("test", outline, sections, names_patients=True)


class Volumes:
    """A folder of such files with a manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder / "volumes", folder / "manifest.csv"
        self.folder.mkdir()

    def describe(self, *rows, header="file,label,patient", slices=3):
        self.manifest.write_text("\n".join([header, *rows]), encoding="utf-8")
        for row in rows:
            (self.folder / row.split(",")[0]).write_text(str(slices))

    def plan(self, form=FORMAT, axis="acquired", reading=USUALLY, middle=None, **options):
        making = Making(SplitAssigner(equal_folds(2), seed=3), **options)
        return plan_volumes(
            self.manifest, self.folder, form, making, axis=axis, middle=middle, reading=reading
        )


@pytest.fixture
def volumes(tmp_path):
    made = Volumes(tmp_path)
    made.describe("a,tear,ann", "b,cyst|tear,bob", "c,,ann", "d,cyst,dan")
    return made


def row(number, *labels):
    return Row(number, f"{number}.nii", frozenset(labels), "p", None)


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([("tear",), ("cyst",)], "multiclass"),
        ([("tear",), ("tear",)], "multilabel"),
        ([("tear",), ("cyst",), ()], "multilabel"),
        ([("tear",), ("cyst", "tear")], "multilabel"),
    ],
)
def test_the_task_follows_from_the_labels(labels, task):
    rows = [row(number, *names) for number, names in enumerate(labels)]
    assert task_of(rows, label_names([one.labels for one in rows], "m.csv")) == task


def test_label_names_are_sorted_and_some():
    assert label_names([{"b", "c"}, set(), {"a"}], "m.csv") == ("a", "b", "c")
    with pytest.raises(UserError, match=r"names a finding; received m\.csv with an empty column"):
        label_names([set()], "m.csv")


def test_every_slice_of_a_volume_has_the_labels_of_its_row(volumes):
    plan = volumes.plan()
    assert [item.name for item in plan.items] == ["a", "b", "c", "d"]
    assert [one.key for one in plan.items[1].slices] == ["bob/b/000", "bob/b/001", "bob/b/002"]
    assert {one.labels for one in plan.items[1].slices} == {frozenset({"cyst", "tear"})}
    assert {one.labels for one in plan.items[2].slices} == {frozenset()}
    assert (plan.label_names, plan.task, plan.shape) == (("cyst", "tear"), "multilabel", SHAPE)
    assert {one.geometry for one in plan.slices} == {replace(GEOMETRY, native=SHAPE)}
    assert plan.items[1].paths == (volumes.folder / "b",)


def test_numbered_rows_take_their_slices_only(volumes):
    volumes.describe("a,tear,ann,2", "b,cyst,bob,", "a,,ann,0", header="file,label,patient,slice")
    first, second = volumes.plan().items
    assert [(one.key, set(one.labels)) for one in first.slices] == [
        ("ann/a/000", set()),
        ("ann/a/002", {"tear"}),
    ]
    assert [one.origin for one in first.slices] == ["row 4 (a, slice 0)", "row 2 (a, slice 2)"]
    assert [one.origin for one in second.slices] == [f"row 3 (b, slice {n})" for n in range(3)]


def test_columns_of_the_manifest_go_to_every_slice_of_the_volume(volumes):
    volumes.describe("a,tear,ann,A,T1", "b,,bob,,", header="file,label,patient,site,sequence")
    first, second = volumes.plan(reading=Reading(keep=["site", "sequence"])).items
    assert [one.columns for one in first.slices] == [{"site": "A"}] * 3
    assert {one.sequence for one in first.slices} == {"T1"}
    assert {one.sequence for one in second.slices} == {
        one.sequence for one in volumes.plan().items[1].slices
    }


def test_patients_are_dealt_whole(volumes):
    plan = volumes.plan()
    splits = {(one.patient, one.split) for one in plan.slices}
    assert len(splits) == 3
    assert {split for _, split in splits} == {"1", "2"}
    assert plan.source["splits"] == {"shares": {"1": 0.5, "2": 0.5}, "seed": 3}


def test_the_splits_of_the_manifest_are_taken(volumes):
    volumes.describe("a,x,ann,train", "b,y,bob,test", header="file,label,patient,split")
    plan = volumes.plan()
    assert [one.split for one in plan.slices] == ["train"] * 3 + ["test"] * 3
    assert plan.source["splits"] == "manifest"


def test_a_bad_volume_is_skipped_named_and_counted(volumes):
    volumes.describe("a,tear,ann", "bad,cyst,bob", "c,,dan")
    plan = volumes.plan()
    assert [item.name for item in plan.items] == ["a", "c"]
    assert plan.skipped == (("bad", "the volume is bad; received bad; repair it"),)
    assert plan.label_names == ("tear",)
    assert "which the store does not have: cyst." in " ".join(plan.notes)
    assert "Volumes that cannot be used: 1 of 3; left out." in plan.notes


def spoil_by_removing(folder):
    (folder / "b").unlink()


def spoil_by_a_circle(folder):
    (folder / "b").unlink()
    (folder / "b").symlink_to(folder / "b")


def spoil_by_a_short_volume(folder):
    (folder / "b").write_text("2")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_by_removing, r"cannot be found; received row 3 \(b, slice 2\)"),
        (spoil_by_a_circle, r"cannot be found; received row 3 \(b, slice 2\)"),
        (spoil_by_a_short_volume, r"row 3 \(b, slice 2\) of a volume with 2 slices, .* from 0"),
    ],
)
def test_what_spoils_one_volume_spares_the_others(volumes, spoil, reason):
    rows = ("a,x,ann,0", "b,y,bob,2", "c,x,dan,1")
    volumes.describe(*rows, header="file,label,patient,slice")
    spoil(volumes.folder)
    plan = volumes.plan()
    assert [item.name for item in plan.items] == ["a", "c"]
    (skipped,) = plan.skipped
    assert re.search(reason, skipped.reason)


def test_without_one_usable_volume_there_is_no_plan(volumes):
    volumes.describe("bad1,x,ann", "bad2,x,bob")
    with pytest.raises(
        UserError, match=r"can be used; received 2 volumes: bad1 \(the volume is bad.*bad2 \("
    ):
        volumes.plan()


def test_the_patient_of_the_file_is_taken_where_the_manifest_names_none(volumes):
    volumes.describe("named,x,", "a,y,ann")
    plan = volumes.plan()
    assert [item.slices[0].patient for item in plan.items] == ["zoë", "ann"]
    assert plan.items[0].slices[0].key == "zoë/named/000"
    assert "Files beside the volumes that are no image of them: 2; ignored." in plan.notes
    assert any(note.startswith("Volumes whose patient is the PatientID") for note in plan.notes)
    volumes.describe("named,x,bob", "a,y,ann")
    plan = volumes.plan()
    assert plan.slices[0].patient == "bob"
    assert not any("PatientID" in note for note in plan.notes)


def test_a_volume_without_a_patient_is_named(volumes):
    volumes.describe("a,x,", "named,x,", "b,y,")
    with pytest.raises(
        UserError, match=r"no patient, .*; received row 2 \(a, .*, row 4 \(b, .*; fill"
    ):
        volumes.plan()
    with pytest.raises(UserError, match=r"rows of .* name no patient; received row 2"):
        volumes.plan(replace(FORMAT, names_patients=False))


def test_slices_of_no_known_place_are_counted(volumes):
    volumes.describe("where,x,ann", "a,y,bob")
    (note,) = volumes.plan().notes
    assert note == "Slices whose file does not say their pixel size or orientation: 3."


def test_without_size_another_shape_is_an_error_that_names_two(volumes):
    volumes.describe("a,x,ann", "wide,y,bob")
    with pytest.raises(
        UserError, match=r"4 x 6 in \d+ \(a, for one\); 4 x 9 in 1 \(wide, .*; pass --size"
    ):
        volumes.plan()
    assert volumes.plan(size=5).shape == (5, 5)


def test_with_size_images_and_pixels_are_fitted_alike(volumes):
    plan = volumes.plan(size=16)
    # 4 x 6 pixels of 2 x 1 mm are a square of 8 x 6, padded to 8 x 8, then halved.
    # Those 8 x 8 mm are 4 x 8 pixels of the file.
    assert plan.slices[0].geometry == replace(GEOMETRY, pixel_mm=(0.5, 0.5), native=(4, 8))
    planes = [plane.image for plane in plan.reader(plan.items[0])]
    raw = [one.image for one in sections(volumes.folder / "a", "acquired", range(3))]
    for plane, image in zip(planes, raw, strict=True):
        np.testing.assert_array_equal(plane, fit_square(image, (2.0, 1.0), 16))


def test_the_reader_gives_a_plane_for_each_slice_in_order_also_after_a_journey(volumes):
    rows = ("a,x,ann,2", "a,y,ann,0", "b,x,bob,1")
    volumes.describe(*rows, header="file,label,patient,slice")
    plan = volumes.plan()
    reader = pickle.loads(pickle.dumps(plan.reader))
    assert reader == plan.reader
    assert [plane.image[0, 0] for plane in reader(plan.items[0])] == [0, 2]
    assert [plane.image[0, 0] for plane in reader(plan.items[1])] == [1]


def test_a_volume_that_shows_nothing_is_unusable(volumes):
    volumes.describe("blank,x,ann", "b,y,bob")
    plan = volumes.plan()
    with pytest.raises(UnusableError, match=r"has one value only; received .*blank;"):
        list(plan.reader(plan.items[0]))
    assert len(list(plan.reader(plan.items[1]))) == 3


def test_keys_are_sorted_as_their_slices():
    keys = [slice_key("p/a", number) for number in range(120)]
    assert sorted(keys) == keys


def test_progress_counts_every_volume(volumes):
    seen = []
    volumes.plan(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 4) for done in range(1, 5)]


def test_the_source_says_how_the_slices_were_made(volumes):
    source = volumes.plan(axis="coronal", size=8).source
    assert (source["kind"], source["axis"], source["size"]) == ("test", "coronal", 8)
    assert source["manifest"] == str(volumes.manifest)


def test_the_task_can_be_chosen(volumes):
    volumes.describe("a,x,ann", "b,y,bob")
    assert volumes.plan().task == "multiclass"
    assert volumes.plan(task="multilabel").task == "multilabel"


def test_bad_input_is_found_before_a_file_is_read(volumes):
    with pytest.raises(UserError, match="at least 1; received 0"):
        volumes.plan(size=0)
    volumes.folder.rename(volumes.folder.with_name("elsewhere"))
    with pytest.raises(UserError, match="no such folder of volumes; received "):
        volumes.plan()


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone(volumes):
    volumes.plan()


def test_a_reader_reads_one_plane_at_a_time(volumes):
    read = []

    def counting(path, axis, numbers):
        for section in sections(path, axis, numbers):
            read.append(section)
            yield section

    plan = volumes.plan()
    reader = VolumeReader(replace(FORMAT, sections=counting), volumes.folder, "acquired", None)
    item: Item = plan.items[0]
    next(iter(reader(item)))
    assert len(read) == 1


@pytest.mark.parametrize(
    ("slices", "middle", "taken"),
    [(5, 1, [2]), (5, 3, [1, 2, 3]), (4, 1, [1]), (4, 2, [1, 2]), (3, 9, [0, 1, 2]), (1, 1, [0])],
)
def test_the_slices_in_the_middle(volumes, slices, middle, taken):
    volumes.describe("a,tear,ann", "b,cyst,bob", slices=slices)
    planned = volumes.plan(middle=middle)
    for item in planned.items:
        assert [one.number for one in item.slices] == taken
        assert [one.key for one in item.slices] == [
            slice_key(item.slices[0].scan, number) for number in taken
        ]
    assert planned.source["middle"] == middle
    assert "middle" not in volumes.plan().source


def test_slices_that_are_named_are_taken_wherever_they_are(volumes):
    volumes.describe("a,tear,ann,0", "b,cyst,bob,2", header="file,label,patient,slice")
    assert [one.number for one in volumes.plan(middle=1).slices] == [0, 2]


def test_no_slice_in_the_middle_is_refused(volumes):
    volumes.describe("a,tear,ann", "b,cyst,bob")
    with pytest.raises(UserError, match="--middle takes no slice; received 0"):
        volumes.plan(middle=0)
