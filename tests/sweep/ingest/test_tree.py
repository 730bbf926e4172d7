"""Trees of files as people and public data sets have them, without a manifest."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from sweep.core.errors import UserError
from sweep.ingest.formats.dicom.identity import identity_of
from sweep.ingest.formats.manifest import Reading
from sweep.ingest.tree import Tree, read_tree, with_patients


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(path)
    return folder


def said(tree: Tree) -> list[tuple[str, str, str, str | None]]:
    return [
        (row.file, "|".join(row.labels), row.patient, row.split) for row in tree.collection.rows
    ]


def read(folder: Path, **options: object) -> Tree:
    return read_tree(folder, **{"reading": Reading(), **options})  # type: ignore[arg-type]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    tree = read(pictures(tmp_path, "glioma/a.png", "none/b.JPG", "none/c.png"))
    assert tree.kind == "images"
    assert said(tree) == [
        ("glioma/a.png", "glioma", "", None),
        ("none/b.JPG", "none", "", None),
        ("none/c.png", "none", "", None),
    ]
    assert "Labels by the names of folders: glioma, none." in tree.collection.notes
    assert tree.empty == {"label": 0, "patient": 3}


@pytest.mark.parametrize("top", ["", "archive/data/"])
def test_folders_of_splits_below_any_folder_around_them(tmp_path: Path, top: str) -> None:
    folder = pictures(
        tmp_path,
        *(f"{top}{one}" for one in ("Training/a/1.png", "Testing/a/2.png", "Testing/b/3.png")),
    )
    assert [(label, split) for _, label, _, split in said(read(folder))] == [
        ("a", "test"),
        ("b", "test"),
        ("a", "train"),
    ]
    assert {split for *_, split in said(read(folder, splits=False))} == {None}


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    folder = pictures(tmp_path, "test/1.png", "control/2.png")
    assert [label for _, label, _, _ in said(read(folder))] == ["control", "test"]


def test_a_folder_below_that_of_the_class_is_a_patient(tmp_path: Path) -> None:
    tree = read(pictures(tmp_path, "a/p1/1.png", "a/p1/2.png", "b/p2/1.png"))
    assert [patient for _, _, patient, _ in said(tree)] == ["p1", "p1", "p2"]
    assert "Patients by the folder below that of the class: 2 of 3 files." in tree.collection.notes


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (("a/sub-01_T1.png", "b/sub-02_T1.png"), ["sub-01", "sub-02"]),
        (("a/Patient 7 x.png", "b/patient_8.png"), ["Patient 7", "patient_8"]),
        (("a/1.png", "b/sub-02.png"), ["", ""]),
    ],
)
def test_a_usual_word_in_every_path_says_whose_files_are(
    tmp_path: Path, names: tuple[str, ...], patients: list[str]
) -> None:
    tree = read(pictures(tmp_path, *names))
    assert [patient for _, _, patient, _ in said(tree)] == patients


def test_the_users_pattern_goes_before_every_guess(tmp_path: Path) -> None:
    folder = pictures(tmp_path, "a/sub-01/x7.png", "b/sub-02/x8.png")
    tree = read(folder, reading=Reading(patient_pattern="x([0-9])"))
    assert [patient for _, _, patient, _ in said(tree)] == ["7", "8"]
    assert tree.collection.source["patient_pattern"] == "x([0-9])"


def test_what_systems_leave_behind_is_passed_over_and_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path, "a/1.png", "b/2.png", "a/._1.png", "__MACOSX/a/1.png")
    (folder / "a" / ".DS_Store").touch()
    (folder / "b" / "Thumbs.db").touch()
    (folder / "readme.txt").touch()
    tree = read(folder)
    assert [file for file, *_ in said(tree)] == ["a/1.png", "b/2.png"]
    assert any("system leaves: 4;" in note for note in tree.collection.notes)
    assert any("another kind than pictures: 1;" in note for note in tree.collection.notes)


def test_files_that_belong_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"beside the folders of classes; received 1\.png"):
        read(pictures(tmp_path / "x", "1.png", "a/2.png"))
    with pytest.raises(UserError, match=r"beside the folders of splits .*received other/a/3\.png"):
        read(pictures(tmp_path / "y", "train/a/1.png", "test/a/2.png", "other/a/3.png"))


def test_without_folders_of_classes_the_labels_are_empty(tmp_path: Path) -> None:
    tree = read(pictures(tmp_path, "sub-01_a.png", "sub-02_a.png"))
    assert tree.text() == "file,label,patient\nsub-01_a.png,,sub-01\nsub-02_a.png,,sub-02\n"
    assert tree.empty == {"label": 2, "patient": 0}


def test_several_kinds_ask_for_one(tmp_path: Path) -> None:
    folder = pictures(tmp_path, "a/1.png", "a/2.png")
    (folder / "a" / "3.nii.gz").touch()
    with pytest.raises(UserError, match="2 pictures, 1 volume; pass --kind images"):
        read(folder)
    assert read(folder, kind="volumes").collection.rows[0].file == "a/3.nii.gz"


@pytest.mark.parametrize("empty", [True, False])
def test_no_file_of_a_known_kind(tmp_path: Path, empty: bool) -> None:
    with pytest.raises(UserError, match=r"holds no picture, volume or DICOM|no such folder"):
        read(tmp_path if empty else tmp_path / "none")


def test_dicom_says_whose_it_is_and_a_folder_of_one_series_is_one_row(tmp_path: Path) -> None:
    import pydicom

    dataset = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    for name, patient, series in [
        ("a/s1/1", "ann", "1.1"),
        ("a/s1/2", "ann", "1.1"),
        ("b/one.dcm", "bob", "1.2"),
        ("b/mixed/1.dcm", "dan", "1.3"),
        ("b/mixed/2.dcm", "dan", "1.3"),
        ("b/mixed/3.dcm", "eve", "1.4"),
    ]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.PatientID, dataset.SeriesInstanceUID = patient, series
        dataset.save_as(path)
    (tmp_path / "b" / "broken.dcm").write_bytes(b"no dicom")
    tree = read(tmp_path)
    assert tree.kind == "dicom"
    assert sorted(said(tree)) == [
        ("a/s1", "a", "ann", None),
        ("b/mixed/3.dcm", "b", "eve", None),
        ("b/one.dcm", "b", "bob", None),
    ]
    (left,) = [note for note in tree.collection.notes if note.startswith("Left out")]
    assert "b/mixed: the folder holds 1 series of several files" in left
    assert "b/broken.dcm: " in left


def test_who_is_unknown_is_refused_or_taken_at_a_risk(tmp_path: Path) -> None:
    collection = read(pictures(tmp_path, "a/1.png", "b/2.png")).collection
    with pytest.raises(UserError, match=r"flatters the test score; received a/1\.png, b/2\.png;"):
        with_patients(collection, Reading())
    taken = with_patients(collection, Reading(unknown_patients="each-file"))
    assert [row.patient for row in taken.rows] == ["unknown (a/1.png)", "unknown (b/2.png)"]


def test_what_is_around_the_folder_changes_nothing(tmp_path: Path) -> None:
    names = ("a/sub-1_x.png", "b/sub-2_x.png")
    one = read(pictures(tmp_path / "one", *names))
    two = read(pictures(tmp_path / "train" / "sub-9" / "two", *names))
    assert said(one) == said(two)


def test_dicom_without_preamble_is_dicom_as_any(tmp_path: Path) -> None:
    whole = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()
    for name in ("a/1.dcm", "b/2"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(whole[132:])
    tree = read(tmp_path)
    assert tree.kind == "dicom"
    assert [file for file, *_ in said(tree)] == ["a/1.dcm", "b/2"]


def test_what_pydicom_warns_of_in_sloppy_files_is_kept_to_itself(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    file = dcmread(get_testdata_file("MR_small.dcm"))
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        file.SeriesInstanceUID = "1.2.x"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with warnings.catch_warnings(action="ignore"):
            file.save_as(tmp_path / name / "1.dcm")
    recwarn.clear()
    identities = [identity_of(tmp_path / name / "1.dcm") for name in ("a", "b")]
    assert [one.series for one in identities if one] == ["1.2.x", "1.2.x"]
    assert not recwarn.list
