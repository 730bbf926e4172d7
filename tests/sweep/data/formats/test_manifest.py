import pytest

from sweep.data.formats.manifest import read_manifest
from sweep.errors import UserError


@pytest.fixture
def manifest(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "manifest.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_cells_are_read_as_written_and_other_columns_ignored(manifest):
    text = "patient,weight,file,label,fold\np1,70,a/b.png,tear,3\np2,80,c.png,,1\n"
    first, second = read_manifest(manifest(text))
    assert (first.file, first.labels, first.patient, first.split) == (
        "a/b.png",
        {"tear"},
        "p1",
        "3",
    )
    assert (second.file, second.labels, second.split) == ("c.png", frozenset(), "1")
    assert str(second) == "row 3 (c.png)"


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("", set()),
        ("tear", {"tear"}),
        ("tear|cyst", {"tear", "cyst"}),
        (" a b | c |", {"a b", "c"}),
    ],
)
def test_labels_of_a_cell(manifest, cell, labels):
    (row,) = read_manifest(manifest(f"file,label,patient\na.png,{cell},p\n"))
    assert row.labels == labels


def test_without_fold_and_split_there_is_no_split(manifest):
    (row,) = read_manifest(manifest("file,label,patient\na.png,x,p\n"))
    assert row.split is None


def test_a_split_column_serves_like_a_fold_column(manifest):
    (row,) = read_manifest(manifest("file,label,patient,split\na.png,x,p, train\n"))
    assert row.split == "train"


def test_spreadsheets_add_a_byte_order_mark_and_spaces(manifest):
    (row,) = read_manifest(manifest("file , label, patient\r\na.png, x, p \r\n", "utf-8-sig"))
    assert (row.file, row.labels, row.patient) == ("a.png", {"x"}, "p")


def test_rows_are_numbered_as_an_editor_numbers_lines(manifest):
    rows = read_manifest(manifest("file,label,patient\n\na.png,x,p\n\n\nb.png,y,p\n"))
    assert [row.number for row in rows] == [3, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"file, label, patient: .*manifest\.csv lacks 'file'"),
        ("file,label,patient_id\na.png,x,p\n", "lacks 'patient', did you mean 'patient_id'"),
        ("file;label;patient\na.png;x;p\n", "lacks 'file', known: file;label;patient"),
        ("file,label,patient\n", "at least one row"),
        ("file,label,patient,fold,split\na.png,x,p,1,test\n", "columns 'fold' and 'split'"),
        ("file,label,patient\na.png,x\n", "row 2 has fewer"),
        ("file,label,patient\na.png,x,p\nb.png,x,y,p\n", "row 3 has more"),
        ("file,label,patient\n,x,p\n", r"names a file .*row 2 \(\)"),
        ("file,label,patient\na.png,x, \n", r"names a patient .*row 2 \(a\.png\)"),
        ("file,label,patient,fold\na.png,x,p,\n", r"has a split .*row 2 \(a\.png\)"),
        (
            "file,label,patient\na.png,x,p\nb.png,x,p\n./a.png,x,p\n",
            r"one row .*row 4 \(a\.png\)\.",
        ),
        ("file,label,patient\nb/../../a.png,x,p\n", r"inside the image folder .*row 2 \(\.\./a"),
        ("file,label,patient\n/etc/a.png,x,p\n", r"inside the image folder .*row 2 \(/etc/a"),
        ("file,label,patient\n..,x,p\n", r"inside the image folder .*row 2 \(\.\.\)"),
    ],
)
def test_bad_manifests(manifest, text, message):
    with pytest.raises(UserError, match=message):
        read_manifest(manifest(text))


def test_a_manifest_in_another_encoding(manifest):
    with pytest.raises(UserError, match=r"UTF-8; .*manifest\.csv"):
        read_manifest(manifest("file,label,patient\nä.png,x,p\n", "latin-1"))


def test_no_such_manifest(tmp_path):
    with pytest.raises(UserError, match=r"readable CSV file.*nothing\.csv"):
        read_manifest(tmp_path / "nothing.csv")


def test_many_problems_come_in_one_message(manifest):
    rows = "".join(f"{number}.png,x,\n" for number in range(12))
    with pytest.raises(UserError, match=r"row 11 \(9\.png\); and 2 more"):
        read_manifest(manifest("file,label,patient\n" + rows))
