import pytest

from sweep.core.errors import UserError
from sweep.ingest.fastmri.findings import Finding, read_findings, read_reviewed
from sweep.ingest.fastmri.patients import read_patients
from tests.support.data import FASTMRI_PLUS, needs

HEAD = "file,slice,study_level,x,y,width,height,label"
real = needs(FASTMRI_PLUS)


def labels(folder, *rows, head=HEAD):
    path = folder / "knee.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_become_findings(tmp_path):
    path = labels(tmp_path, "f1,3,No,1,2,3,4,Joint Effusion ", "f2.h5,0,yes,,,,,artifact")
    assert read_findings(path).rows == (
        Finding("f1", 3, False, "Joint Effusion"),
        Finding("f2", 0, True, "artifact"),
    )


def test_rows_that_agree_in_every_cell_count_once(tmp_path):
    row = "f1,3,No,1,2,3,4,Cyst"
    found = read_findings(labels(tmp_path, row, "f1,3,No,9,2,3,4,Cyst", row, row))
    assert (len(found.rows), found.duplicates) == (2, 2)


def test_blank_lines_and_columns_of_ones_own_are_passed_over(tmp_path):
    path = labels(tmp_path, "me,f1,3,No,Cyst", "", head="reader,file,slice,study_level,label")
    assert read_findings(path).rows == (Finding("f1", 3, False, "Cyst"),)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "f1,3.5,No,1,2,3,4,Cyst",
            r"no slice number from 0.*; received row 3 with '3\.5' and 'No'; ",
        ),
        ("f1,-1,No,1,2,3,4,Cyst", "row 3 with '-1'"),
        ("f1,three,No,1,2,3,4,Cyst", "row 3 with 'three'"),
        ("f1,²,No,1,2,3,4,Cyst", "row 3 with '²'"),
        ("f1," + "9" * 5000 + ",No,1,2,3,4,Cyst", "row 3 with '999"),
        (
            "f1,3,Perhaps,1,2,3,4,Cyst",
            "no study level Yes or No; received row 3 with '3' and 'Perhaps'",
        ),
        ("f1,3,,1,2,3,4,Cyst", "received row 3 without 'study_level'"),
        (",3,No,1,2,3,4,Cyst", "received row 3 without 'file'"),
        ("f1,3,No,1,2,3,4,", "received row 3 without 'label'"),
        ("f1,3,No,1,2,3,4,Cyst, large", "do not have 8 cells.*; received row 3 with 9; quote"),
        ("f1,3", "received row 3 with 2"),
    ],
)
def test_a_row_of_a_bad_shape(tmp_path, row, message):
    with pytest.raises(UserError, match=message):
        read_findings(labels(tmp_path, "f1,3,No,1,2,3,4,Cyst", row))


def test_a_missing_column(tmp_path):
    with pytest.raises(UserError, match=r"'slice' 0 times \(did you mean 'slices'\?\)"):
        read_findings(labels(tmp_path, "f,1,No,Cyst", head="file,slices,study_level,label"))


def listed(folder, text):
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_list_of_what_was_reviewed(tmp_path):
    found = read_reviewed(listed(tmp_path, "f1\n\nf2.h5 \nKnee data\n"), known=())
    assert found.files == {"f1", "f2"}
    assert found.stray == ("Knee data",)


def test_white_space_belongs_to_the_name_of_a_known_volume(tmp_path):
    path = listed(tmp_path, "my knee.h5\nother knee\n")
    found = read_reviewed(path, known={"my knee"})
    assert (found.files, found.stray) == ({"my knee"}, ("other knee",))


@pytest.mark.parametrize("text", ["", "\n \n", "Knee data\n"])
def test_a_list_without_a_name(tmp_path, text):
    with pytest.raises(UserError, match=r"names no volume; received .*list\.csv; .*or 'all'"):
        read_reviewed(listed(tmp_path, text), known=())


def test_a_list_that_cannot_be_read(tmp_path):
    path = tmp_path / "list.csv"
    with pytest.raises(
        UserError, match=r"not a text file in UTF-8; received .*list\.csv \(FileNotFoundError: "
    ):
        read_reviewed(path, known=())
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not a text file in UTF-8; received "):
        read_reviewed(path, known=())


@real
def test_the_real_label_file():
    found = read_findings(FASTMRI_PLUS / "knee.csv")
    assert len(found.rows) + found.duplicates == 16_167
    assert found.duplicates == 5
    assert len({row.file for row in found.rows}) == 974
    assert len({(row.file, row.slice) for row in found.rows}) == 9_594
    study_level = [row for row in found.rows if row.study_level]
    assert len(study_level) == 13
    assert {(row.name, row.slice) for row in study_level} == {("artifact", 0)}


@real
def test_the_real_list_of_reviewed_files():
    found = read_reviewed(FASTMRI_PLUS / "knee_file_list.csv", known=())
    assert len(found.files) == 1172
    assert found.stray == ("Knee data",)
    assert {row.file for row in read_findings(FASTMRI_PLUS / "knee.csv").rows} <= found.files
    patients = read_patients(FASTMRI_PLUS / "knee_acquisitions.csv", None)
    assert len({patients[name].name for name in found.files}) == 556


SCORES = "fastmri_pt_id,slice,PIRADS,fastmri_rawfile,data_split,folder"


def test_scores_of_fastmri_prostate_are_findings_of_slices_from_0(tmp_path):
    row = "4,13,4,axt2_004.h5,test,ids"
    found = read_findings(labels(tmp_path, "4,1,1,axt2_004.h5,test,ids", row, row, head=SCORES))
    assert found.duplicates == 1
    assert found.rows == (
        Finding("axt2_004", 0, False, "PIRADS 1"),
        Finding("axt2_004", 12, False, "PIRADS 4"),
    )


@pytest.mark.parametrize("number", ["0", "-1", "1.5"])
def test_a_slice_of_a_score_that_is_not_counted_from_1(tmp_path, number):
    row = f"4,{number},4,axt2_004.h5,test,ids"
    with pytest.raises(
        UserError, match=f"no slice number from 1, .*; received row 2 with '{number}'"
    ):
        read_findings(labels(tmp_path, row, head=SCORES))
