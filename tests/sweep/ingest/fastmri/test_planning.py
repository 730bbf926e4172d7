import json
import pickle
from functools import partial

import h5py
import numpy as np
import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri import survey
from sweep.ingest.fastmri.planning import plan_fastmri
from sweep.ingest.formats.pixels import fit
from sweep.phantom.folder import make_phantom
from sweep.store.geometry import Frame, Sampling
from sweep.store.slices import check_slices
from sweep.store.splits import SplitAssigner, equal_folds
from tests.support.data import FASTMRI_PLUS, needs

pytestmark = pytest.mark.slow

SMALL = {"slices": 3, "rows": 112, "columns": 60, "size": 48}
HEAD = "file,slice,study_level,x,y,width,height,label"


class Data:
    """A folder of volumes with a label file, and the plan that is made of it."""

    def __init__(self, folder, volumes):
        self.folder, self.volumes = folder, volumes
        self.labels = folder / "labels.csv"

    def write(self, name, *lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def label(self, *rows):
        return self.write("labels.csv", HEAD, *rows)

    def edit(self, number):
        return h5py.File(self.volumes / f"phantom-{number:04d}.h5", "r+")

    def plan(self, **changes):
        settings = {
            "labels": self.labels,
            "reviewed": "all",
            "assigner": SplitAssigner(equal_folds(2)),
        }
        return plan_fastmri([self.volumes], **(settings | changes))


def made(folder, **options):
    make_phantom(folder / "p", 4, **(SMALL | options))
    data = Data(folder, folder / "p" / "volumes")
    data.label(
        "phantom-0001,1,No,1,2,3,4,Meniscus Tear", "phantom-0003.h5,0,No,,,,,Periarticular cysts"
    )
    return data


@pytest.fixture
def data(tmp_path):
    """Four single-coil volumes of three slices, two of them with a finding."""
    return made(tmp_path)


def within_patient(key):
    return key.partition("/")[2]


def labelled(plan):
    return {within_patient(one.key): set(one.labels) for one in plan.slices if one.labels}


def note(plan, start):
    found = [one for one in plan.notes if one.startswith(start)]
    assert len(found) == 1, plan.notes
    return found[0]


def reference(kspace, size):
    """The textbook's reconstruction of (coil, rows, columns), in double precision."""
    axes = (-2, -1)
    coils = np.fft.ifft2(np.fft.ifftshift(kspace.astype(complex), axes), norm="ortho")
    image = np.sqrt((np.abs(np.fft.fftshift(coils, axes)) ** 2).sum(axis=0))
    top, left = (length // 2 - size // 2 for length in image.shape)
    return image[top : top + size, left : left + size]


def test_a_plan_without_kspace(data):
    plan = data.plan()
    assert [item.name for item in plan.items] == [f"phantom-000{n}" for n in range(4)]
    assert (plan.shape, plan.kspace, plan.task) == ((48, 48), None, "multilabel")
    assert plan.label_names == ("acl", "mtear", "cartilage", "abnormal")
    assert labelled(plan) == {"phantom-0001/001": {"mtear"}, "phantom-0003/000": {"abnormal"}}
    check_slices(plan.slices, plan.label_names, plan.task)
    one = plan.items[1].slices[2]
    path = data.volumes / "phantom-0001.h5"
    assert plan.items[1].paths == (path,)
    assert (one.key, one.patient) == ("phantom-0001/phantom-0001/002", "phantom-0001")
    assert (one.scan, one.number) == ("phantom-0001/phantom-0001", 2)
    assert (one.origin, one.sequence) == (f"{path}, slice 2", "CORPD_FBK")
    assert one.geometry.pixel_mm == pytest.approx((140 / 48, 140 / 48))
    assert (one.geometry.thickness_mm, one.geometry.sampling) == (3, None)
    assert one.geometry.native == (48, 48)
    assert data.plan(size=32).slices[0].geometry.native == (48, 48)


def test_stored_images_are_read_as_they_are(data):
    with data.edit(0) as file:
        file["reconstruction_rss"][...] = np.arange(3 * 48 * 48).reshape(3, 48, 48)
    plan = data.plan()
    planes = list(pickle.loads(pickle.dumps(plan.reader))(plan.items[0]))
    assert all(plane.kspace is None for plane in planes)
    images = np.stack([plane.image for plane in planes])
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images.ravel(), np.arange(3 * 48 * 48))


@pytest.mark.parametrize("coils", [1, 3])
def test_with_kspace_images_are_made_of_what_is_kept(tmp_path, coils):
    data = made(tmp_path, coils=coils)
    with data.edit(0) as file:
        file["reconstruction_rss"][...] = 0  # not of this k-space, as in real single-coil files
        kspace = file["kspace"][...].reshape(3, coils, 112, 60)
    plan = data.plan(kspace=True)
    sampling = Sampling(coils, 112, 60, (0, 60))
    assert plan.kspace == Frame(coils, 112, 60)
    assert {one.geometry.sampling for one in plan.slices} == {sampling}
    for number, plane in enumerate(plan.reader(plan.items[0])):
        np.testing.assert_array_equal(plane.kspace, kspace[number])
        expected = reference(kspace[number], 48)
        np.testing.assert_allclose(plane.image, expected, rtol=0, atol=1e-5 * expected.max())


def test_made_and_stored_images_of_a_phantom_agree(tmp_path):
    data = made(tmp_path, coils=2)
    stored, kspace = data.plan(), data.plan(reconstruction="kspace")
    assert kspace.kspace is None
    for one, other in zip(
        stored.reader(stored.items[1]), kspace.reader(kspace.items[1]), strict=True
    ):
        np.testing.assert_allclose(one.image, other.image, rtol=0, atol=1e-5 * one.image.max())


def test_without_stored_images_auto_makes_them_in_the_size_of_the_header(tmp_path):
    data = made(tmp_path, reconstruction=False)
    plan = data.plan()
    assert plan.shape == (48, 48)
    assert plan.source["counts"]["images_made"] == 4
    assert all(plane.image.shape == (48, 48) for plane in plan.reader(plan.items[0]))


def test_esc_is_read_if_asked_for(data):
    with data.edit(0) as file:
        file["reconstruction_esc"][...] = 5
    plan = data.plan(reconstruction="esc")
    assert {float(plane.image.max()) for plane in plan.reader(plan.items[0])} == {5}


def test_a_mix_of_made_and_stored_images_is_said(data):
    with data.edit(2) as file:
        del file["reconstruction_rss"]
    text = note(data.plan(), "Images made of k-space")
    assert "of 1 volumes; as stored: of 3." in text
    assert "all coils" in text
    assert not [one for one in data.plan(kspace=True).notes if "Images made" in one]


def test_a_volume_without_the_reconstruction_asked_for_is_skipped(data):
    with data.edit(2) as file:
        del file["reconstruction_esc"]
    (skipped,) = data.plan(reconstruction="esc").skipped
    assert skipped.name == "phantom-0002"
    assert "the volume has no reconstruction_esc; received " in skipped.reason


@pytest.mark.parametrize("changes", [{}, {"kspace": True}, {"reconstruction": "kspace"}])
def test_an_undersampled_test_file_is_skipped(data, changes):
    with data.edit(2) as file:
        del file["reconstruction_rss"], file["reconstruction_esc"]
        file["mask"] = np.ones(60)
    plan = data.plan(**changes)
    (skipped,) = plan.skipped
    assert skipped.name == "phantom-0002"
    assert "undersampled" in skipped.reason
    assert plan.source["counts"]["volumes_unusable"] == 1


def test_a_made_image_of_unknown_size_is_skipped(data):
    with data.edit(2) as file:
        del file["reconstruction_rss"], file["reconstruction_esc"], file["ismrmrd_header"]
    (skipped,) = data.plan().skipped
    assert "the size of the images to be made is unknown" in skipped.reason


def test_unusable_files_are_skipped_and_named(data):
    (data.volumes / "phantom-0000.h5").write_bytes(b"no")
    (data.volumes / "phantom-0002.h5").unlink()
    (data.volumes / "phantom-0002.h5").symlink_to("nowhere")
    plan = data.plan()
    assert [item.name for item in plan.items] == ["phantom-0001", "phantom-0003"]
    assert [one.name for one in plan.skipped] == ["phantom-0000", "phantom-0002"]


def test_a_volume_that_changed_since_is_refused_when_read(data):
    plan = data.plan()
    with data.edit(0) as file:
        for name in ("kspace", "reconstruction_rss", "reconstruction_esc"):
            values = file[name][:2]
            del file[name]
            file[name] = values
    with pytest.raises(
        UserError,
        match=r"changed during the ingest; received .*, which had 3 slices and has 2; start again",
    ):
        list(plan.reader(plan.items[0]))


def test_images_alone_are_enough_where_no_kspace_is_asked_for(data):
    with data.edit(0) as file:
        del file["kspace"]
    assert data.plan().items[0].name == "phantom-0000"
    (skipped,) = data.plan(kspace=True).skipped
    assert "the volume has no k-space to make images of; received " in skipped.reason


def test_size_brings_images_of_several_sizes_to_one(data):
    with data.edit(0) as file:
        image = file["reconstruction_rss"][:, 4:44, :]
        del file["reconstruction_rss"]
        file["reconstruction_rss"] = image
    with pytest.raises(
        UserError, match=r"have one; received 40 x 48 in 1 .*; 48 x 48 in 3 .*; pass --size"
    ):
        data.plan()
    plan = data.plan(size=24)
    assert plan.shape == (24, 24)
    (first, *_), (other, *_) = (plan.reader(item) for item in plan.items[:2])
    assert first.image.shape == other.image.shape == (24, 24)
    np.testing.assert_array_equal(first.image, fit(image[0], 24))
    # The header of the first speaks of 48 x 48 pixels, so those of this image are unknown.
    assert plan.items[0].slices[0].geometry.pixel_mm is None
    assert plan.items[1].slices[0].geometry.pixel_mm == pytest.approx((140 / 24, 140 / 24))


def test_several_sizes_with_kspace_are_to_be_ingested_apart(data):
    with data.edit(0) as file:
        for name in ("reconstruction_rss", "reconstruction_esc"):
            image = file[name][:, 4:44, 4:44]
            del file[name]
            file[name] = image
    with pytest.raises(UserError, match="ingest those of each size apart"):
        data.plan(kspace=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kspace": True, "reconstruction": "rss"},
            "received --kspace and --reconstruction rss; leave one",
        ),
        (
            {"kspace": True, "reconstruction": "esc"},
            "received --kspace and --reconstruction esc; leave one",
        ),
        ({"kspace": True, "size": 24}, "received --kspace and --size 24; leave one"),
        ({"size": 0}, "at least 1; received 0"),
        ({"max_columns": 0}, "the limit of columns is below 1; received 0; take at least 1"),
        ({"split_column": "split"}, "received 'split' and no table; pass --patients"),
        ({"columns": ["site"]}, "to take columns from; received 'site' and no table; pass --pat"),
        ({"rule": "madaan"}, "did you mean 'madaan2023'"),
    ],
)
def test_settings_that_contradict_one_another(data, changes, message):
    with pytest.raises(UserError, match=message):
        data.plan(**changes)


def test_wide_volumes_are_dropped_or_kept_and_said(data):
    with data.edit(2) as file:
        kspace = np.pad(file["kspace"][...], ((0, 0), (0, 0), (2, 2)))
        del file["kspace"]
        file["kspace"] = kspace
    dropped = data.plan(kspace=True, max_columns=60)
    assert [item.name[-1] for item in dropped.items] == ["0", "1", "3"]
    assert dropped.kspace == Frame(1, 112, 60)
    assert dropped.skipped == ()
    text = "Volumes with more than 60 columns of k-space: 1; {}: phantom-0002."
    assert note(dropped, "Volumes with more") == text.format("dropped")
    kept = data.plan(kspace=True, max_columns=60, wide="keep")
    assert kept.kspace == Frame(1, 112, 64)
    assert [item.slices[0].geometry.sampling.columns for item in kept.items] == [60, 60, 64, 60]
    assert note(kept, "Volumes with more") == text.format("kept")
    assert kept.source["counts"]["volumes_wide"] == 1


def test_without_a_list_volumes_without_a_row_are_left_out(data):
    plan = data.plan(reviewed=None)
    assert [item.name for item in plan.items] == ["phantom-0001", "phantom-0003"]
    text = note(plan, "Volumes without a row in the label file: 2 of 4; left out")
    assert "--reviewed" in text


def test_volumes_not_on_the_list_are_left_out(data):
    listed = data.write("list.csv", "phantom-0001", "phantom-0002.h5", "absent-1", "Knee data")
    data.label(
        "phantom-0001,1,No,1,2,3,4,Meniscus Tear",
        "absent-1,1,No,1,2,3,4,Periarticular cysts",
        "absent-2,1,No,1,2,3,4,Periarticular cysts",
    )
    plan = data.plan(reviewed=listed)
    assert [item.name for item in plan.items] == ["phantom-0001", "phantom-0002"]
    assert labelled(plan) == {"phantom-0001/001": {"mtear"}}
    assert note(plan, "Volumes not on the list of reviewed ones: 2 of 4; left out.")
    assert note(plan, "Reviewed volumes that are not in the folders: 1.")
    assert note(plan, "Volumes with findings that are not in the folders: 2.")
    assert note(plan, "Lines of the list of reviewed volumes that name none: 1; left out.")


def test_with_all_reviewed_a_volume_without_a_row_shows_nothing(data):
    plan = data.plan()
    assert len(plan.items) == 4
    assert note(plan, "Volumes without a row in the label file: 2 of 4; they count as without")


def test_rows_of_the_label_file_that_are_not_used_are_said(data):
    rule = data.write(
        "rule.yaml", "labels: {tear: ['*tear*']}", "ignore: ['*cysts']", "study_level: slice"
    )
    row = "phantom-0001,1,No,1,2,3,4,Meniscus Tear"
    data.label(
        *(row, row),
        "phantom-0001,3,No,1,2,3,4,Meniscus Tear",
        "phantom-0002,0,Yes,,,,,Old tear",
        "phantom-0003,0,No,1,2,3,4,Periarticular cysts",
    )
    plan = data.plan(rule=rule)
    assert plan.label_names == ("tear",)
    assert labelled(plan) == {"phantom-0001/001": {"tear"}, "phantom-0002/000": {"tear"}}
    assert note(plan, "Rows of the label file that repeat another in every cell: 1; dropped.")
    assert note(plan, "Rows of the label file that the label rule ignores: 1.")
    assert note(plan, "Rows of the label file about a whole volume: 1; they count at the slice")
    assert note(plan, "Rows that name a slice").endswith(
        "does not have: 1; left out: phantom-0001, slice 3 of 3."
    )


def test_a_label_that_no_slice_shows_is_said(data):
    text = "Labels that no slice shows, and that cannot be scored: acl, cartilage."
    assert note(data.plan(), "Labels") == text


def test_the_table_of_patients_goes_before_the_file(data):
    for number in (2, 3):
        with data.edit(number) as file:
            del file.attrs["patient_id"]
    table = data.write(
        "patients.csv", "fname,patient_id", "phantom-0000.h5,ann", "phantom-0003,ann"
    )
    plan = data.plan(patients=table)
    patients = {item.name[-1]: item.slices[0].patient for item in plan.items}
    assert patients == {"0": "ann", "1": "phantom-0001", "2": "phantom-0002", "3": "ann"}
    assert note(plan, "Volumes that the table of patients does not name: 1;")
    assert note(plan, "Volumes of an unknown patient: 1;")
    splits = {
        one.patient: {other.split for other in plan.slices if other.patient == one.patient}
        for one in plan.slices
    }
    assert {len(found) for found in splits.values()} == {1}


def test_splits_come_from_a_column_if_named(data):
    table = data.write(
        "patients.csv", "file,patient,group", *(f"phantom-000{n},p{n},g{n % 2}" for n in range(4))
    )
    plan = data.plan(patients=table, split_column="group")
    assert [item.slices[0].split for item in plan.items] == ["g0", "g1", "g0", "g1"]
    assert plan.source["splits"] == {"column": "group"}


def test_columns_of_the_table_go_to_every_slice_of_the_volume(data):
    table = data.write("patients.csv", "file,patient,site", "phantom-0001,ann,A")
    plan = data.plan(patients=table, columns=["site"])
    assert {one.columns.get("site") for one in plan.items[1].slices} == {"A"}
    assert {one.columns.get("site") for one in plan.items[0].slices} == {None}
    assert plan.source["columns"] == ["site"]
    assert "columns" not in data.plan(patients=table).source


def test_a_split_for_some_volumes_only_is_refused(data):
    table = data.write("patients.csv", "file,patient,group", "phantom-0001,ann,train")
    message = "some slices come with a split and others do not; received 9 of 12 slices without"
    with pytest.raises(UserError, match=message):
        data.plan(patients=table, split_column="group")


def test_the_source_says_all_that_was_decided(data):
    source = data.plan(max_columns=70, patients=None).source
    assert json.loads(json.dumps(source))["rule"]["labels"]["acl"] == ["*ACL*"]
    assert source["kind"] == "fastmri"
    assert source["folders"] == [str(data.volumes)]
    assert (source["reviewed"], source["patients"], source["size"]) == ("all", None, None)
    assert (source["reconstruction"], source["max_columns"], source["wide"]) == ("auto", 70, "drop")
    assert source["splits"] == {"shares": {"1": 0.5, "2": 0.5}, "seed": 0}
    counts = source["counts"]
    assert (counts["rows"], counts["volumes_found"], counts["volumes"]) == (2, 4, 4)
    assert (counts["volumes_without_row"], counts["patients_by_attribute"]) == (2, 4)
    assert (counts["images_stored"], counts["images_made"]) == (4, 0)


def test_progress_counts_headers(data):
    seen = []
    data.plan(reviewed=None, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_no_volume_that_is_known_to_be_reviewed(data):
    data.label("other,1,No,1,2,3,4,Meniscus Tear")
    message = r"name no volume in the folders; received 4 volumes .*\(phantom-0000, for one\); give"
    with pytest.raises(UserError, match=message):
        data.plan(reviewed=None)


def test_no_volume_left_says_why(data):
    (data.volumes / "phantom-0002.h5").write_bytes(b"no")
    with pytest.raises(
        UserError,
        match=r"no volume can be used; received 1 unusable and 3 too wide, among them phantom-0002 "
        r"\(the volume is not a readable HDF5 file; .*\), phantom-0000 \(more than 59 columns\); ",
    ):
        data.plan(max_columns=59)


@needs(FASTMRI_PLUS)
def test_the_real_tables_on_volumes_of_the_real_names(tmp_path):
    for name, slices in (("file1000001", 40), ("file1000000", 15), ("file1000311", 30)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["kspace"] = np.ones((slices, 8, 6), np.complex64)
            file["reconstruction_rss"] = np.ones((slices, 4, 4), np.float32)
    plan = plan_fastmri(
        [tmp_path],
        labels=FASTMRI_PLUS / "knee.csv",
        reviewed=FASTMRI_PLUS / "knee_file_list.csv",
        patients=FASTMRI_PLUS / "knee_acquisitions.csv",
        split_column="fastmri_split",
        assigner=SplitAssigner(),
    )
    counts = plan.source["counts"]
    assert (counts["rows"], counts["duplicate_rows"], counts["study_level_rows"]) == (16167, 5, 13)
    assert (counts["stray_lines"], counts["volumes_found"]) == (1, 3)
    assert counts["reviewed_absent"] == 1172 - len(plan.items)
    assert labelled(plan)["file1000001/014"] == {"cartilage"}
    assert {one.split for one in plan.slices} <= {"train", "val"}


def damaged_header(path, start, damage):
    """Overwrite what follows the mark of the heap that a header of variable length lies in."""
    with h5py.File(path, "r+") as file:
        del file["ismrmrd_header"]
        file.create_dataset("ismrmrd_header", data="<x/>", dtype=h5py.string_dtype())
    found = bytearray(path.read_bytes())
    mark = found.index(b"GCOL")
    found[mark + start : mark + start + len(damage)] = damage
    path.write_bytes(found)


@pytest.mark.parametrize(
    ("start", "damage"), [(16, bytes(4080)), (8, b"\xff" * 8), (24, b"\xff" * 8)]
)
def test_a_header_that_loops_or_crashes_hdf5_costs_its_volume_alone(
    data, monkeypatch, start, damage
):
    """Zeros after the first 16 bytes of the heap send HDF5 2.x into a loop without end."""
    monkeypatch.setattr(survey, "Look", partial(survey.Look, computing_s=2))
    damaged_header(data.volumes / "phantom-0002.h5", start, damage)
    plan = data.plan()
    names = {one.name for one in plan.skipped}
    assert names <= {"phantom-0002"}
    assert len(plan.items) == 4 - len(names)


def test_the_rule_is_chosen_by_the_label_file_and_that_is_said(data):
    assert note(data.plan(), "Label rule: madaan2023, for findings of the knee")
    assert not [one for one in data.plan(rule="madaan2023").notes if one.startswith("Label rule")]
    data.label("phantom-0001,0,Yes,,,,,Normal for age", "phantom-0003,1,No,1,2,3,4,Edema")
    plan = data.plan(reviewed=None)
    assert note(plan, "Label rule: brain, for findings of the brain, chosen by those of the label")
    assert labelled(plan) == {"phantom-0003/001": {"abnormal"}}
    assert len(plan.items) == 2
    with pytest.raises(
        UserError, match=r"'Normal for age' .*; pass --rule brain, which knows them"
    ):
        data.plan(rule="madaan2023")


def test_a_finding_of_a_whole_brain_counts_at_every_slice(data):
    data.label("phantom-0001,0,Yes,,,,,Global white matter disease")
    assert labelled(data.plan()) == {
        f"phantom-0001/00{number}": {"white_matter"} for number in range(3)
    }


def test_a_table_of_fastmri_prostate_gives_labels_patients_and_splits(data):
    """Images of diffusion, slices from 1, a patient and a split in every row of a slice."""
    for number in range(4):
        with data.edit(number) as file:
            file["b1500"] = file["reconstruction_rss"][...]
            file["averages"] = np.stack([file["kspace"][...][:, None]] * 2)
            for name in ("kspace", "reconstruction_rss", "reconstruction_esc"):
                del file[name]
            file.move("averages", "kspace")
    table = data.write(
        "labels.csv",
        "fastmri_pt_id,slice,PIRADS,fastmri_rawfile,data_split,folder",
        *(
            f"{number},{place},{4 if (number, place) == (2, 3) else 1},phantom-000{number}.h5,"
            f"{'test' if number == 3 else 'training'},ids_1_to_26"
            for number in range(4)
            for place in (1, 2, 3)
        ),
    )
    plan = data.plan(
        reviewed=None, patients=table, split_column="data_split", reconstruction="b1500"
    )
    assert plan.label_names == ("significant",)
    assert labelled(plan) == {"phantom-0002/002": {"significant"}}
    assert [one.slices[0].patient for one in plan.items] == ["0", "1", "2", "3"]
    assert [one.slices[0].split for one in plan.items] == ["training"] * 3 + ["test"]
    with pytest.raises(UserError, match=r"has 5 axes.*pass --reconstruction b1500"):
        data.plan(reviewed=None)


def test_other_files_in_the_folders_are_counted_and_said(data):
    (data.volumes / "phantom-0001.h5").rename(data.volumes / "phantom-0001.HDF5")
    (data.volumes / "readme.txt").touch()
    plan = data.plan()
    assert len(plan.items) == 4
    assert note(plan, "Files in the folders that are no volumes by their names: 1 (1 *.txt).")


def test_unusable_files_alone_do_not_ask_for_more_columns(data):
    for path in data.volumes.iterdir():
        path.write_bytes(b"no")
    with pytest.raises(UserError, match=r"no volume can be used; .*; repair the files$"):
        data.plan()
