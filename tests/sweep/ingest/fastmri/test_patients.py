import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri.patients import read_patients
from tests.support.data import FASTMRI_PLUS, needs


def table(folder, text):
    path = folder / "patients.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("head", ["file,patient", "fname,patient_id", " fname , patient "])
def test_both_styles_of_headings(tmp_path, head):
    path = table(tmp_path, f"{head}\nf1.h5,ann\nf2,bob\n")
    assert read_patients(path, None) == {"f1": ("ann", "", {}), "f2": ("bob", "", {})}


def test_a_split_column_of_any_name(tmp_path):
    path = table(tmp_path, "file,group,patient\nf1,train,ann\nf2,val,bob\n")
    assert read_patients(path, "group") == {
        "f1": ("ann", "train", {}),
        "f2": ("bob", "val", {}),
    }


def test_further_columns_are_kept_and_may_be_empty(tmp_path):
    path = table(tmp_path, "file,site,patient\nf1,A,ann\nf2,,bob\n")
    found = read_patients(path, None, ["site"])
    assert [one.columns for one in found.values()] == [{"site": "A"}, {"site": ""}]
    with pytest.raises(UserError, match=r"received 'sight' 0 times \(did you mean 'site'\?\)"):
        read_patients(path, None, ["sight"])
    with pytest.raises(UserError, match="by itself; received 'patient'"):
        read_patients(path, None, ["patient"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,patients\nf1,ann\n",
            "received 'patient' or 'patient_id' or 'fastmri_pt_id' 0 times .*'patients'",
        ),
        (
            "file,fname,patient\nf1,f1,ann\n",
            "column once; received 'file' or 'fname' or 'fastmri_rawfile' 2 times",
        ),
        (
            "file,patient,grop\nf1,ann,1\n",
            r"received 'group' 0 times \(did you mean 'grop'\?\); correct",
        ),
        (
            "file,patient,group\nf1,ann,1\nf1.h5,bob,1\n",
            "several things of one volume; received f1 with 'ann', '1' and 'bob', '1'; leave",
        ),
        ("file,patient,group\nf1,,1\n", "are empty; received row 2 without 'patient'; fill"),
        ("file,patient,group\nf1,ann,\n", "received row 2 without 'split'"),
        ("file,patient,group\nf1,ann,1,2\n", "do not have 3 cells.*; received row 2 with 4; quote"),
        ("file,patient,group\n", r"has no row below its header; received .*patients\.csv"),
        ("file,patients,group\n", "has no row below its header"),
        ("", r"has no row below its header; received .*patients\.csv"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_patients(table(tmp_path, text), "group")


def test_a_table_that_is_separated_by_something_else(tmp_path):
    found = read_patients(table(tmp_path, "file;patient\na.h5;p, q\n"), None)
    assert found == {"a": ("p, q", "", {})}


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"file,patient\n" + b"x" * 200_000 + b",a\n"])
def test_no_text_or_no_csv(tmp_path, content):
    path = tmp_path / "patients.csv"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match="the table of patients is not a readable CSV, Excel or Parquet file; "
    ):
        read_patients(path, None)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"not a readable CSV.*none\.csv.*; give another file"):
        read_patients(tmp_path / "none.csv", None)


@needs(FASTMRI_PLUS)
def test_the_real_table():
    patients = read_patients(FASTMRI_PLUS / "knee_acquisitions.csv", "fastmri_split")
    assert len(patients) == 1394
    assert {one.split for one in patients.values()} == {"train", "val", "test_v2", "challenge"}
    assert len({one.name for one in patients.values()}) == 660


def test_the_tables_of_fastmri_prostate_with_a_row_for_each_slice(tmp_path):
    rows = [f"7,{number},1,axt2_007.h5,test,ids_1_to_26" for number in (1, 2, 3)]
    head = "fastmri_pt_id,slice,PIRADS,fastmri_rawfile,data_split,folder"
    path = table(tmp_path, "\n".join([head, *rows]) + "\n")
    assert read_patients(path, "data_split") == {"axt2_007": ("7", "test", {})}
    with pytest.raises(UserError, match="several things of one volume; received axt2_007 with '7'"):
        read_patients(path, "slice")
