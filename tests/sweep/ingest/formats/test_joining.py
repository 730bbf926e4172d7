"""Tables of labels beside the images, joined by a key."""

from pathlib import Path

import pytest

from sweep.core.errors import UserError
from sweep.ingest.formats.joining import (
    YES_OR_NO,
    LabelTable,
    key_text,
    label_said,
    meaning_of,
    read_labels,
)
from sweep.ingest.formats.manifest import Reading, read_manifest
from sweep.store import Store
from tests.support.collections import Collection
from tests.support.commands import ask

WIDE = "study_id,canal_l1,canal_l2,age\n12,Normal/Mild,Severe,50\n7,Moderate,,60\n"
GRADED = meaning_of(["Moderate", "Severe"])


def table(folder: Path, text: str = WIDE, **changes: object) -> LabelTable:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    given = {"key": "study_id", "columns": ("canal*",), "meaning": GRADED, **changes}
    return LabelTable(path, **given)  # type: ignore[arg-type]


def test_a_wide_table_gives_the_names_of_its_columns(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path)).labels
    assert labels == {"12": {"canal_l2"}, "7": None}  # of 7 a cell is empty: not all is known


def test_a_column_with_brackets_in_its_name_is_found_by_it(tmp_path: Path) -> None:
    text = "study_id,tear [MRI]\n7,1\n"
    found = read_labels(table(tmp_path, text, columns=["tear [MRI]"], meaning=YES_OR_NO))
    assert found.labels == {"7": {"tear [MRI]"}}


def test_fewer_columns_leave_less_unknown(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path, columns=("canal_l1",))).labels
    assert labels == {"12": frozenset(), "7": {"canal_l1"}}


@pytest.mark.parametrize(
    ("cell", "said"),
    [("1", "a"), ("1.0", "a"), ("yes", "a"), ("0", ""), ("No", ""), ("", None), ("n/a", None)],
)
def test_yes_and_no(cell: str, said: str | None) -> None:
    assert label_said(cell, "a", YES_OR_NO, "row 2") == said


def test_numbers_are_compared_as_numbers() -> None:
    meaning = {"0": "", "0.5": "mild"}
    assert label_said("0.50", "cdr", meaning, "") == "mild"
    assert label_said("0.0", "cdr", meaning, "") == ""
    with pytest.raises(UserError, match=r"'2' for 'cdr' in row 3; correct the cell"):
        label_said("2", "cdr", meaning, "row 3")


@pytest.mark.parametrize(
    ("text", "key"), [("0012", "12"), ("0", "0"), ("000", "0"), (" a0 ", "a0")]
)
def test_keys_that_spreadsheets_shorten(text: str, key: str) -> None:
    assert key_text(text) == key


def test_the_key_is_a_part_of_the_path(tmp_path: Path) -> None:
    labels = read_labels(table(tmp_path))
    assert labels.key_of("train/012/900/1.dcm") == "12"
    assert labels.key_of("train/7.nii.gz") == "7"
    assert labels.key_of("train/13/1.dcm") is None
    assert labels.key_of("train/13/1.dcm", "0012") == "12"
    with pytest.raises(UserError, match=r"two parts .*12 and 7"):
        labels.key_of("12/7/1.dcm")


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        (WIDE, {"key": "study"}, "did you mean 'study_id'"),
        (WIDE, {"columns": ("kanal*",)}, "known: age, canal_l1"),
        (WIDE + "12,,,\n", {}, "12 2 times"),
        (WIDE + "012,,,\n", {}, "12 2 times"),
        (WIDE + ",Severe,Severe,1\n", {}, "empty key"),
        ("study_id,canal_l1\n", {}, "no row"),
    ],
)
def test_a_table_that_cannot_be_is_refused(
    text: str, changes: dict, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        read_labels(table(tmp_path, text, **changes))


def test_a_manifest_takes_its_labels_from_a_table(collection: Collection) -> None:
    collection.describe(
        *((f"{number}.png", f"p{number // 2}", number) for number in range(6)),
        header="file,patient,study_id",
    )
    text = "study_id,canal_l1\n0,Severe\n1,Normal/Mild\n2,Severe\n3,\n5,Moderate\n"
    given = table(collection.folder, text)
    read = read_manifest(
        collection.manifest,
        collection.images,
        reading=Reading(label_table=given, keep=["study_id"]),
    )
    labels = {row.file: row.labels for row in read.rows}
    assert labels == {
        "0.png": {"canal_l1"},
        "1.png": frozenset(),
        "2.png": {"canal_l1"},
        "5.png": {"canal_l1"},
    }
    assert any("no row for: 1; left out" in note for note in read.notes)
    assert any("known: 1; left out" in note for note in read.notes)


def test_by_the_command_and_its_mistakes(collection: Collection, tmp_path: Path) -> None:
    collection.describe(*((f"{n}.png", f"p{n}") for n in range(6)), header="file,patient")
    path = collection.folder / "labels.csv"
    path.write_text("id,a,b\n" + "".join(f"{n},{n % 2},0\n" for n in range(6)))
    base = ("ingest", "images", collection.manifest, "--images", collection.images)
    out = ("--out", tmp_path / "a.h5", "--folds", 2)
    joined = ("--label-table", path, "--key", "id", "--label-columns", "a")
    assert ask(*base, *out, *joined).status == 0
    for given, said in (
        (joined[:2], "pass --key"),
        (joined[:4], "pass --label-columns"),
        (joined[2:], "pass --label-table"),
        ((*joined[:3], "idd", *joined[4:]), "did you mean 'id'"),
        ((*joined[:5], "c"), "'c'"),
    ):
        answer = ask(*base, "--out", tmp_path / "b.h5", *given)
        assert answer.status == 2
        assert said in answer.err
    path.write_text("id,a,b\n90,1,0\n")
    answer = ask(*base, "--out", tmp_path / "b.h5", *joined)
    assert answer.status == 2
    assert "names none of the files" in answer.err


def test_a_folder_takes_its_labels_from_a_table(collection: Collection, tmp_path: Path) -> None:
    path = collection.folder / "labels.csv"
    path.write_text("id,tear\n" + "".join(f"{n},{n % 2}\n" for n in range(6)))
    joined = ("--label-table", path, "--key", "id", "--label-columns", "tear")
    known = ("--patient-pattern", r"\d", "--folds", 2, "--out", tmp_path / "a.h5")
    answer = ask("ingest", "folder", collection.images, *joined, *known)
    assert answer.status == 0, answer.err
    assert "tear" in answer.out


def test_a_table_of_labels_without_a_header(collection: Collection, tmp_path: Path) -> None:
    path = collection.folder / "train-tear.csv"
    path.write_text("".join(f"{n:04},{n % 2}\n" for n in range(6)))
    joined = ("--label-table", path, "--key", "exam", "--label-columns", "tear")
    known = ("--patient-pattern", r"\d", "--folds", 2, "--out", tmp_path / "a.h5")
    answer = ask("ingest", "folder", collection.images, *joined, *known)
    assert answer.status == 2
    assert "--table-header exam,acl" in answer.err
    header = ("--table-header", "exam,tear")
    assert ask("ingest", "folder", collection.images, *joined, *known, *header).status == 0
    store = Store.open(tmp_path / "a.h5")
    assert store.labels[:, 0].tolist() == [n % 2 for n in range(6)]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_manifest_without_a_header(mark: str, collection: Collection, tmp_path: Path) -> None:
    rows = [f"{n}.png{mark}{('tear', 'cyst')[n % 2]}{mark}p{n // 2}" for n in range(6)]
    collection.manifest.write_text("\n".join(rows) + "\n")
    reading = Reading(header=("file", "label", "patient"))
    read = read_manifest(collection.manifest, collection.images, reading=reading)
    assert [(row.number, row.file, row.patient) for row in read.rows] == [
        (n + 1, f"{n}.png", f"p{n // 2}") for n in range(6)
    ]
    base = ("ingest", "images", collection.manifest, "--images", collection.images)
    out = ("--out", tmp_path / "a.h5", "--folds", 2)
    assert ask(*base, *out, "--header", "file,label,patient").status == 0
    answer = ask(*base, "--out", tmp_path / "b.h5", "--header", "file,label")
    assert answer.status == 2
    assert "2 cells" in answer.err


def test_values_of_columns_of_a_manifest(collection: Collection) -> None:
    collection.describe(
        ("0.png", "p0", "Severe", "Mild"),
        ("1.png", "p1", "Mild", ""),
        header="file,patient,canal,root",
    )
    reading = Reading(label_columns=["canal", "root"], label_meaning=GRADED)
    read = read_manifest(collection.manifest, collection.images, reading=reading)
    assert [row.labels for row in read.rows] == [{"canal"}, frozenset()]
