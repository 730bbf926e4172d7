import pytest

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.formats.locating import located
from sweep.ingest.formats.manifest import (
    Reading,
    read_manifest,
    unknown_note,
    unknown_patients,
    unknown_source,
)
from sweep.ingest.formats.near import near_path


def rows_of(path, **options):
    return read_manifest(path, path.parent / "images", **options).rows


@pytest.fixture
def manifest(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "manifest.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_cells_are_read_as_written_and_other_columns_ignored(manifest):
    text = "patient,weight,file,label,fold\np1,70,a/b.png,tear,3\np2,80,c.png,,1\n"
    first, second = rows_of(manifest(text))
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
    (row,) = rows_of(manifest(f"file,label,patient\na.png,{cell},p\n"))
    assert row.labels == labels


def test_without_fold_and_split_there_is_no_split(manifest):
    (row,) = rows_of(manifest("file,label,patient\na.png,x,p\n"))
    assert row.split is None


def test_a_split_column_serves_like_a_fold_column(manifest):
    (row,) = rows_of(manifest("file,label,patient,split\na.png,x,p, train\n"))
    assert row.split == "train"


def test_spreadsheets_add_a_byte_order_mark_and_spaces(manifest):
    (row,) = rows_of(manifest("file , label, patient\r\na.png, x, p \r\n", "utf-8-sig"))
    assert (row.file, row.labels, row.patient) == ("a.png", {"x"}, "p")


def test_rows_are_numbered_as_an_editor_numbers_lines(manifest):
    rows = rows_of(manifest("file,label,patient\n\na.png,x,p\n\n\nb.png,y,p\n"))
    assert [row.number for row in rows] == [3, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            r"manifest\.csv does not have .* file, label, patient; received no 'file' \(the first",
        ),
        ("file,label,patient_id\na.png,x,p\n", r"no 'patient' \(did you mean 'patient_id'\?\)"),
        ("file,label,patient\n", "has no row; received .* with a header only"),
        ("file,label,patient,fold,split\na.png,x,p,1,test\n", "columns 'fold' and 'split'"),
        (
            "file,label,patient\na.png,x\n",
            "do not have 3 cells, as its header has; received row 2 with 2; quote",
        ),
        (
            "file,label,patient\na.png,x,p\nb.png,x,y,p\n",
            "do not have 3 cells, as its header has; received row 3 with 4; quote",
        ),
        ("file,label,patient\n,x,p\n", r"name no file; received row 2 \(\);"),
        ("file,label,patient\na.png,x, \n", r"name no patient; received row 2 \(a\.png\)"),
        ("file,label,patient,fold\na.png,x,p,\n", r"have no split; received row 2 \(a\.png\)"),
        (
            "file,label,patient\na.png,x,p\nb.png,x,p\n./a.png,x,p\n",
            r"name a file, or a slice of it, again; received row 4 \(a\.png\);",
        ),
        (
            "file,label,patient\nb/../../a.png,x,p\n",
            r"outside the image folder; received row 2 \(\.\./a",
        ),
        (
            "file,label,patient\n/etc/a.png,x,p\n",
            r"outside the image folder; received row 2 \(/etc/a",
        ),
        ("file,label,patient\n..,x,p\n", r"outside the image folder; received row 2 \(\.\.\)"),
    ],
)
def test_bad_manifests(manifest, text, message):
    with pytest.raises(UserError, match=message):
        rows_of(manifest(text))


def test_a_column_with_another_name_is_called_that(manifest):
    with pytest.raises(UserError, match=r"^the manifest .* does not have all of the columns"):
        rows_of(manifest("file,label;x,name\n1.png,x,p\n"))


def test_a_manifest_in_another_encoding(manifest):
    with pytest.raises(UserError, match=r"not a readable CSV.*received .*manifest\.csv.*UTF-8"):
        rows_of(manifest("file,label,patient\nä.png,x,p\n", "latin-1"))


def test_no_such_manifest(tmp_path):
    with pytest.raises(UserError, match=r"readable CSV.*nothing\.csv"):
        rows_of(tmp_path / "nothing.csv")


def test_many_problems_come_in_one_message(manifest):
    rows = "".join(f"{number}.png,x,\n" for number in range(12))
    with pytest.raises(UserError, match=r"row 11 \(9\.png\), and 2 more;"):
        rows_of(manifest("file,label,patient\n" + rows))


def test_a_volume_may_have_a_row_for_each_of_some_slices(manifest):
    text = "file,slice,label,patient\na.nii,3,tear,p\na.nii, 0,,p\nb.nii,,cyst,q\nc.nii,12.0,x,q\n"
    rows = rows_of(manifest(text), volumes=True)
    assert [row.slice for row in rows] == [3, 0, None, 12]
    assert [str(row) for row in rows[1:3]] == ["row 3 (a.nii, slice 0)", "row 4 (b.nii)"]


def test_of_pictures_the_column_slice_says_nothing(manifest):
    (row,) = rows_of(manifest("file,slice,label,patient\na.png,middle,x,p\n"))
    assert row.slice is None


def test_without_a_column_slice_a_row_is_of_the_whole_volume(manifest):
    (row,) = rows_of(manifest("file,label,patient\na.nii,x,p\n"), volumes=True)
    assert row.slice is None


@pytest.mark.parametrize("text", ["file,label\na,x\n", "file,label,patient\na,x,\n"])
def test_the_patient_may_be_left_to_the_file(manifest, text):
    (row,) = rows_of(manifest(text), patients=False)
    assert row.patient == ""
    with pytest.raises(UserError, match="patient"):
        rows_of(manifest(text))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,1,x,p", "a,1,y,p"], r"or a slice of it, again; received row 3 \(a, slice 1\);"),
        (["a,,x,p", "./a,,x,p"], r"name a file, .*, again; received row 3 \(a\);"),
        (
            ["a,,x,p", "a,1,y,p"],
            r"has a row without a slice as well; received row 3 \(a, slice 1\);",
        ),
        (["a,0,x,p", "a,1,y,q"], r"a second patient; received row 3 \(a, slice 1\);"),
        (["a,-1,x,p"], "not a number from 0, .*row 2: '-1'"),
        (["a,1.5,x,p"], "row 2: '1.5'"),
        (["a,first,x,p"], "row 2: 'first'"),
        (["a,٣,x,p"], "row 2: '٣'"),
    ],
)
def test_rows_of_volumes_that_contradict_one_another(manifest, rows, message):
    text = "\n".join(["file,slice,label,patient", *rows])
    with pytest.raises(UserError, match=message):
        rows_of(manifest(text), volumes=True)


@pytest.fixture
def locate(manifest, tmp_path):
    (tmp_path / "images" / "inner").mkdir(parents=True)
    (tmp_path / "images" / "inner" / "a.png").write_bytes(b"a")
    (tmp_path / "outside.png").write_bytes(b"b")

    def find(file):
        (row,) = rows_of(manifest(f"file,label,patient\n{file},x,p\n"))
        return located(row, tmp_path / "images")

    return find


def test_a_file_is_found_where_it_is_also_through_links_inside(locate, tmp_path):
    images = tmp_path / "images"
    (images / "link.png").symlink_to(images / "inner" / "a.png")
    (images / "folder").symlink_to("inner")
    (tmp_path / "elsewhere").symlink_to(images)
    for file in ("inner/a.png", "link.png", "folder/a.png", "inner"):
        assert locate(file) == images / file


def test_the_folder_itself_may_be_a_link(manifest, locate, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "images")
    (row,) = rows_of(manifest("file,label,patient\ninner/a.png,x,p\n"))
    assert located(row, tmp_path / "link") == tmp_path / "link" / "inner" / "a.png"


def test_a_link_may_lead_out_of_the_folder(locate, tmp_path):
    (tmp_path / "outside.png").touch()
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "outside.png")
    assert locate("link.png").samefile(tmp_path / "outside.png")


def test_links_in_a_circle_make_a_file_unusable(locate, tmp_path):
    images = tmp_path / "images"
    (images / "one").symlink_to(images / "two")
    (images / "two").symlink_to(images / "one")
    for file in ("one", "one/a.png"):
        with pytest.raises(UnusableError, match=r"cannot be found; received row 2 "):
            locate(file)


@pytest.mark.parametrize("file", ["gone.png", "inner/a.png/b", "x" * 300])
def test_a_missing_file_is_unusable(locate, file):
    with pytest.raises(UnusableError, match=r"cannot be found; received row 2 .*; add the file"):
        locate(file)


SITES = "file,label,patient,site,sequence\na.png,x,p, A ,T1\nb.png,x,p,,\n"


def test_columns_that_are_asked_for_are_kept(manifest):
    first, second = rows_of(manifest(SITES), reading=Reading(keep=["site"]))
    assert (first.columns, second.columns) == ({"site": "A"}, {"site": ""})
    assert first.sequence == ""


def test_a_column_of_sequences_is_the_sequence(manifest):
    first, second = rows_of(manifest(SITES), reading=Reading(keep=["sequence"]))
    assert (first.sequence, second.sequence) == ("T1", "")
    assert first.columns == {}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["sight"], r"not in the manifest .*; received 'sight' \(did you mean 'site'\?\); correct"),
        (["site", "label"], "meaning of their own in a manifest; received 'label'; leave"),
    ],
)
def test_a_column_that_cannot_be_kept_is_refused(manifest, columns, message):
    with pytest.raises(UserError, match=message):
        rows_of(manifest(SITES), reading=Reading(keep=columns))


def test_a_column_to_keep_has_a_name_that_a_store_can_have(manifest):
    text = "file,label,patient,number,a/b\na.png,x,p,1,2\n"
    with pytest.raises(UserError, match="by itself; received 'number'"):
        rows_of(manifest(text), reading=Reading(keep=["number"]))
    with pytest.raises(UserError, match="cannot be used; received 'a/b'"):
        rows_of(manifest(text), reading=Reading(keep=["a/b"]))


def read(path, **options):
    return read_manifest(path, path.parent / "images", **options)


def test_columns_may_have_other_names(manifest):
    path = manifest("image_path,Diagnosis,subject_id\na.png,x,p\n")
    with pytest.raises(
        UserError,
        match="--column file=image_path label=Diagnosis patient=subject_id",
    ):
        read(path)
    names = {"file": "image_path", "label": "Diagnosis", "patient": "subject_id"}
    found = read(path, reading=Reading(names=names))
    (row,) = found.rows
    assert (row.file, row.labels, row.patient) == ("a.png", {"x"}, "p")
    assert found.source["column_names"] == names
    with pytest.raises(UserError, match="--column has an unknown name; received 'fiel'; did you"):
        Reading(names={"fiel": "a"})


def test_labels_in_columns_of_their_own(manifest):
    path = manifest("file,patient,acl,tear\na.png,p,1,0\nb.png,q,1,1\nc.png,r,0,\n")
    rows = read(path, reading=Reading(label_columns=["acl", "tear"])).rows
    assert [row.labels for row in rows] == [{"acl"}, {"acl", "tear"}, set()]


def test_labels_with_another_mark_between_them(manifest):
    path = manifest("file,label,patient\na.png,edema;tear,p\n")
    with pytest.raises(UserError, match="2 labels with ';' between them; received 'edema;tear'"):
        read(path)
    (row,) = read(path, reading=Reading(label_separator=";")).rows
    assert row.labels == {"edema", "tear"}
    (row,) = read(path, reading=Reading(label_separator="|")).rows
    assert row.labels == {"edema;tear"}


def test_labels_that_differ_in_case_are_one_and_said(manifest):
    path = manifest("file,label,patient\na.png,Glioma,p\nb.png,GLIOMA ,q\nc.png,Glioma,r\n")
    found = read(path)
    assert [row.labels for row in found.rows] == [{"Glioma"}] * 3
    assert "'GLIOMA' (1 row) as 'Glioma'." in found.notes[0]


def test_the_patient_may_stand_in_the_path(manifest):
    path = manifest("file,label\ns/p01_1.png,x\ns/p02_1.png,y\n")
    with pytest.raises(UserError, match=r"no 'patient'.*pass --patient-pattern; where nothing"):
        read(path)
    rows = read(path, reading=Reading(patient_pattern="p([0-9]+)_")).rows
    assert [row.patient for row in rows] == ["01", "02"]
    rows = read(path, reading=Reading(patient_pattern="p[0-9]+")).rows
    assert [row.patient for row in rows] == ["p01", "p02"]
    with pytest.raises(UserError, match=r"'p01' finds none; received row 3 \(s/p02_1\.png\)"):
        read(path, reading=Reading(patient_pattern="p01"))
    with pytest.raises(UserError, match="no regular expression"):
        Reading(patient_pattern="(")


@pytest.mark.parametrize(
    "text", ["file,label\na.png,x\nb.png,y\n", "file,label,patient\na.png,x,\nb.png,y,\n"]
)
def test_where_no_patient_is_known_each_file_may_be_one_at_a_risk_that_is_said(manifest, text):
    found = read(manifest(text), reading=Reading(unknown_patients="each-file"))
    assert [row.patient for row in found.rows] == ["unknown (a.png)", "unknown (b.png)"]
    (note,) = unknown_note(found.rows, 2)
    assert "2 of 2; each counts as a patient." in note
    assert "scores are flattered" in note
    assert unknown_source(unknown_patients(found.rows)) == {"files_of_unknown_patients": 2}


def test_backslashes_and_absolute_paths_into_the_folder(manifest, tmp_path):
    inside = tmp_path / "images" / "s" / "c.png"
    path = manifest(f"file,label,patient\ns\\a.png,x,p\n{inside},y,q\n")
    found = read(path)
    assert [row.file for row in found.rows] == ["s/a.png", "s/c.png"]
    assert "backslashes: 1;" in found.notes[0]


@pytest.mark.parametrize("file", ["/data/old/s/c.png", "../images/s/c.png", "/S/C.png"])
def test_a_path_outside_of_the_folder_is_told_its_end_that_is_there(manifest, tmp_path, file):
    path = manifest(f"file,label,patient\n{file},x,p\n")
    folder = tmp_path / "images"
    (folder / "s").mkdir(parents=True)
    (folder / "s" / "c.png").touch()
    with pytest.raises(UserError) as error:
        read_manifest(path, folder)
    assert ("did you mean 's/c.png'?" in str(error.value)) == file.endswith("s/c.png")


@pytest.mark.parametrize("file", ["C:/data/s/c.png", "images/s/c.png", "images/s/d.png"])
def test_a_path_with_more_folders_before_it_is_told_its_end_that_is_there(tmp_path, file):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "c.png").touch()
    assert near_path(tmp_path, file) == ("" if file.endswith("d.png") else "s/c.png")


def test_where_no_column_is_the_label_one_for_each_label_is_thought_of(manifest):
    with pytest.raises(UserError, match="column of its own, pass --label-columns"):
        rows_of(manifest("file,patient,acl,tear\na.png,p,1,0\n"))
    with pytest.raises(UserError) as error:
        rows_of(manifest("file,patient,class\na.png,p,x\n"))
    assert "--label-columns" not in str(error.value)


def test_a_path_in_the_wrong_case_has_its_near_match_named(manifest, tmp_path):
    (tmp_path / "images" / "Inner").mkdir(parents=True)
    (tmp_path / "images" / "Inner" / "IMG_1.PNG").touch()
    (row,) = read(manifest("file,label,patient\ninner/img_1.png,x,p\n")).rows
    with pytest.raises(UnusableError, match=r"did you mean 'Inner/IMG_1\.PNG'\?"):
        located(row, tmp_path / "images")
