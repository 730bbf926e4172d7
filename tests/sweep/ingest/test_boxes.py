"""Labels of slices from tables of boxes."""

import nibabel
import numpy as np
import pytest

from sweep.cli import main
from sweep.core.errors import UserError
from sweep.ingest.formats.dicom.volume import DICOM
from sweep.ingest.formats.manifest import Reading
from sweep.ingest.formats.marks.area import area_of
from sweep.ingest.formats.marks.boxes import Box, BoxTable
from sweep.ingest.formats.marks.marking import AS_THEY_ARE, Marking, mask_names, mask_value
from sweep.ingest.formats.volumes.reading import volume_format
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.ingest.volumes import plan_volumes
from sweep.store import Store
from sweep.store.splits import SplitAssigner, equal_folds
from tests.support.series import write_slice

DEALING = SplitAssigner(equal_folds(2))
HEADER = "file,slice,x,y,width,height,label"


@pytest.fixture
def folder(tmp_path):
    """Three volumes of four planes of 10 rows and 12 columns, 2 mm by 0.5 mm."""
    generator = np.random.default_rng(1)
    for number in range(3):
        values = generator.integers(0, 90, (12, 10, 4)).astype(np.int16)
        nibabel.save(
            nibabel.Nifti1Image(values, np.diag([0.5, 2, 3, 1])), tmp_path / f"{number}.nii"
        )
    (tmp_path / "m.csv").write_text("file,patient\n0.nii,a\n1.nii,b\n2.nii,c\n")
    return tmp_path


def plan_of(folder, *rows, header=HEADER, marking=AS_THEY_ARE, names=None, **options):
    (folder / "boxes.csv").write_text("\n".join([header, *rows]))
    reading = Reading(marking=marking, boxes=BoxTable(folder / "boxes.csv", names or {}))
    making = Making(DEALING, **options)
    return plan_volumes(folder / "m.csv", folder, volume_format(), making, reading=reading)


def shown(plan):
    """The labels of the slices that show one, by volume and slice."""
    return {
        (one.key.split("/")[1][0], one.number): set(one.labels) for one in plan.slices if one.labels
    }


def test_a_slice_that_a_box_touches_has_its_label(folder):
    plan = plan_of(
        folder,
        "0.nii,1,2,3,4,5,tear",
        "0.nii,1,0,0,1,1,cyst",
        "0.nii,3,11.5,9.5,8,8,Tear",  # its corner alone is in the image
        "2.nii,0,-3,0,4,2,tear|cyst",
    )
    assert shown(plan) == {
        ("0", 1): {"tear", "cyst"},
        ("0", 3): {"tear"},
        ("2", 0): {"tear", "cyst"},
    }
    assert len(plan.slices) == 12
    assert any("Files without a box: 1 of 3; none of their slices" in note for note in plan.notes)


def test_boxes_that_have_no_place_are_counted_and_said(folder):
    plan = plan_of(
        folder,
        "0.nii,1,2,3,4,5,tear",
        "0.nii,4,2,3,4,5,tear",  # slices are 0 to 3
        "1.nii,0,12,3,4,5,tear",  # columns are 0 to 11
        "1.nii,0,2,-6,4,5,tear",
        "9.nii,1,2,3,4,5,tear",
        "9.nii,2,2,3,4,5,tear",
    )
    assert shown(plan) == {("0", 1): {"tear"}}
    notes = " ".join(plan.notes)
    assert "Boxes on files that the manifest does not have: 2, on 1 file, such as '9.nii'" in notes
    assert (
        "Boxes on slices that their file does not have: 1; left out. Slices count from 0." in notes
    )
    assert "Boxes outside of their image: 2; left out." in notes
    assert (plan.source["boxes_on_no_slice"], plan.source["boxes_outside"]) == (1, 2)


def test_the_area_of_a_box_is_that_of_its_part_in_the_image(folder):
    rows = ("0.nii,0,8,7,4,3,tear", "0.nii,1,8,7,40,30,tear", "0.nii,2,8,7,4,2.9,tear")
    for least in ("12px", "12mm2"):  # a pixel is 1 mm2
        plan = plan_of(folder, *rows, marking=Marking(least=area_of(least)), size=7)
        assert shown(plan) == {("0", 0): {"tear"}, ("0", 1): {"tear"}}
        assert plan.source["below_least_area"] == {"tear": 1}
    dropping = Marking(least=area_of("12px"), below="drop")
    plan = plan_of(folder, *rows, marking=dropping)
    assert [one.number for one in plan.items[0].slices] == [0, 1, 3]


def test_several_small_boxes_are_no_large_one(folder):
    rows = ["0.nii,0,1,1,2,2,tear"] * 5 + ["0.nii,1,1,1,3,2,tear"]
    plan = plan_of(folder, *rows, marking=Marking(least=area_of("5px")))
    assert shown(plan) == {("0", 1): {"tear"}}


def test_corners_and_sides_say_the_same(folder):
    sides = plan_of(folder, "0.nii,1,2,3,4,5,tear", marking=Marking(least=area_of("20px")))
    corners = plan_of(
        folder,
        "0.nii,1,2,3,6,8,tear",
        header="file,slice,xmin,ymin,xmax,ymax,label",
        names={"x": "xmin", "y": "ymin", "x2": "xmax", "y2": "ymax"},
        marking=Marking(least=area_of("20px")),
    )
    assert shown(sides) == shown(corners) == {("0", 1): {"tear"}}


def test_points_have_a_place_and_no_area(folder):
    header, rows = "file,slice,x,y,label", ("0.nii,1,11,9,tear", "0.nii,2,12,9,tear")
    assert shown(plan_of(folder, *rows, header=header)) == {("0", 1): {"tear"}}
    with pytest.raises(UserError, match=r"points have no area, and there is a least one.*width"):
        plan_of(folder, *rows, header=header, marking=Marking(least=area_of("2px")))


def test_order_size_and_workers_do_not_matter(folder):
    rows = [f"{n % 3}.nii,{n % 4},{n},{n % 7},2,1,{'tear' if n % 2 else 'cyst'}" for n in range(9)]
    before = shown(plan_of(folder, *rows))
    assert shown(plan_of(folder, *reversed(rows), size=5, workers=2)) == before


def test_boxes_and_masks_and_labels_of_the_manifest_come_together(folder):
    mask = np.zeros((12, 10, 4), np.uint8)
    mask[0, 0, 2] = 1
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([0.5, 2, 3, 1])), folder / "mask.nii")
    (folder / "m.csv").write_text(
        "file,patient,mask,label\n0.nii,a,mask.nii,\n1.nii,b,mask.nii,scar\n2.nii,c,mask.nii,\n"
    )
    plan = plan_of(folder, "0.nii,2,2,3,4,5,tear", "0.nii,1,2,3,4,5,Lesion")
    assert len(plan.label_names) == 3
    found = {key: {name.lower() for name in its} for key, its in shown(plan).items()}
    assert found == {
        ("0", 1): {"lesion"},
        ("0", 2): {"lesion", "tear"},
        **{("1", n): {"scar"} | ({"lesion"} if n == 2 else set()) for n in range(4)},
        ("2", 2): {"lesion"},
    }


@pytest.mark.parametrize(
    ("rows", "header", "wrong"),
    [
        (["0.nii,1,a,3,4,5,tear"], HEADER, "a cell of the column 'x' is no number.*row 2: 'a'"),
        (["0.nii,1,nan,3,4,5,tear"], HEADER, "'x' is no number"),
        (["0.nii,1,2,3,-4,5,tear"], HEADER, "a side of less than 0 pixels.*row 2"),
        (["0.nii,,2,3,4,5,tear"], HEADER, "are on no slice.*row 2.*fill the column 'slice'"),
        (["0.nii,-1,2,3,4,5,tear"], HEADER, "a slice is not a number from 0"),
        (["0.nii," + "9" * 5000 + ",2,3,4,5,tear"], HEADER, "a slice is not a number from 0"),
        (["0.nii,1,2,3,4,5,"], HEADER, "have no label.*row 2"),
        ([",1,2,3,4,5,tear"], HEADER, "name no file.*row 2"),
        (
            ["0,1,2,3,4,5,tear"],
            HEADER,
            "no box is on a file of the manifest.*names '0', for one.*has '0.nii'",
        ),
        ([], HEADER, "no box is on a file of the manifest.*has no row"),
        (["0.nii,1,2,3,tear"], "file,slice,left,y,label", "no 'x'.*--box-column x=x_min"),
        (["0.nii,2,3,4,5,tear"], "file,x,y,width,height,label", "no 'slice'"),
        (["0.nii,1,2,3,4,5,a;b"], HEADER, "seems to be 2 labels.*--label-separator ';'"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder, rows, header, wrong):
    with pytest.raises(UserError, match=wrong):
        plan_of(folder, *rows, header=header)


def test_roles_of_columns_are_known(folder):
    with pytest.raises(UserError, match=r"--box-column has an unknown name.*'widht'.*'width'"):
        BoxTable(folder / "boxes.csv", {"widht": "w"})


def series(folder, instances):
    """A series whose InstanceNumber falls as its slices rise."""
    import pydicom

    (folder / "s").mkdir()
    for place, instance in enumerate(instances):
        pixels = np.random.default_rng(place).integers(0, 900, (5, 6)).astype(np.uint16)
        path = folder / "s" / f"{place}.dcm"
        write_slice(path, pixels, "ann", place)
        read = pydicom.dcmread(path)
        if instance is not None:
            read.InstanceNumber = instance
        read.save_as(path)
    (folder / "d.csv").write_text("file,patient,split\ns,ann,a\n")


def plan_of_series(folder, counted, *slices):
    rows = [f"s,{number},1,1,tear" for number in slices]
    (folder / "points.csv").write_text("\n".join(["file,slice,x,y,label", *rows]))
    reading = Reading(marking=Marking(counted=counted), boxes=BoxTable(folder / "points.csv"))
    return plan_volumes(folder / "d.csv", folder, DICOM, Making(DEALING), reading=reading)


def test_slices_of_boxes_by_the_instance_number_of_dicom(folder):
    series(folder, (14, 13, 12, 11))
    by_number = plan_of_series(folder, "instance", 13, 11, 3)
    assert [one.number for one in by_number.slices if one.labels] == [1, 3]
    assert by_number.source["boxes_on_no_slice"] == 1
    by_index = plan_of_series(folder, "index", 1, 3)
    assert [one.labels for one in by_index.slices] == [one.labels for one in by_number.slices]


@pytest.mark.parametrize("instances", [(1, 2, 2, 3), (1, 2, None, 3)])
def test_instance_numbers_that_tell_no_slice_are_refused(folder, instances):
    series(folder, instances)
    with pytest.raises(UserError, match=r"not each slice has one of its own.*number the slices"):
        plan_of_series(folder, "instance", 1)


def test_boxes_on_pictures_need_no_slice(collection):
    collection.describe(*[(f"{n}.png", f"p{n // 2}") for n in range(6)], header="file,patient")
    table = collection.folder / "boxes.csv"
    table.write_text("file,x,y,width,height,label\n1.png,0,0,2,2,tear\n4.png,1,1,3,1,cyst\n")
    plan = plan_images(
        collection.manifest,
        collection.images,
        Making(DEALING),
        reading=Reading(boxes=BoxTable(table), marking=Marking(least=area_of("4px"))),
    )
    assert [set(one.labels) for one in plan.slices] == [set(), {"tear"}, set(), set(), set(), set()]


@pytest.mark.parametrize(
    ("box", "area"),
    [
        (((2, 3), (4, 5)), 20),
        (((-1, -1), (2, 2)), 1),
        (((11, 9), (5, 5)), 1),
        (((0, 0), (12, 10)), 120),
        (((12, 0), (1, 1)), None),
        (((0, 10), (1, 1)), None),
        (((-2, 0), (1, 1)), None),
        (((-1, 0), (1, 1)), None),  # up to the edge, and no pixel in the image
        (((0, -3), (4, 3)), None),
        (((0, 0), (0, 3)), 0),
        (((3, 4), None), 0),
        (((3, 10), None), None),
    ],
)
def test_the_part_of_a_box_in_an_image(box, area):
    corner, size = box
    assert Box(0, "a", 0, corner, size, frozenset({"x"})).within((10, 12)) == area


@pytest.mark.parametrize("text", ["", "10", "px", "0px", "-1px", "1e3px", "10 cm2", "nanpx"])
def test_areas_that_cannot_be_read(text):
    with pytest.raises(UserError, match=r"the least area cannot be read.*such as 25mm2 or 10px"):
        area_of(text)


@pytest.mark.parametrize("text", ["25mm2", "25.0 MM2", " 25 mm²"])
def test_areas_in_the_ways_people_write_them(text):
    assert str(area_of(text)) == "25 mm2"


@pytest.mark.parametrize("text", ["1", "=a", "a=b", "0=a", "1.5=a", "1="])
def test_names_of_values_that_cannot_be_read(text):
    with pytest.raises(UserError, match="--mask-labels"):
        mask_names([text])


def test_names_of_values():
    assert mask_names(["1=core", "4=core", "1=tumour"]) == {1: ("core", "tumour"), 4: ("core",)}
    with pytest.raises(UserError, match=r"--mask-ignore names a value.*'0'"):
        mask_value("0", "--mask-ignore")


def test_the_command_says_what_it_made(folder, capsys):
    (folder / "boxes.csv").write_text("case;z;left;top;w;h;what\n0.nii;1;2;3;4;5;tear\n")
    command = ["ingest", "volumes", str(folder / "m.csv"), "--volumes", str(folder), "--folds", "2"]
    command += ["--out", str(folder / "s.h5"), "--boxes", str(folder / "boxes.csv")]
    names = ["file=case", "slice=z", "x=left", "y=top", "width=w", "height=h", "label=what"]
    assert main([*command, "--least-area", "21px"]) == 2
    assert "the table of boxes" in capsys.readouterr().err
    assert main([*command, "--box-column", *names, "--least-area", "21px"]) == 2
    assert "no slice has a label" in capsys.readouterr().err
    assert main([*command, "--box-column", *names, "--least-area", "20mm2"]) == 0
    assert "Files without a box: 2 of 3" in capsys.readouterr().err
    store = Store.open(folder / "s.h5")
    assert store.labels.sum() == 1
    assert store.labels[store.keys.tolist().index("a/0.nii/001"), 0] == 1
    (folder / "s.h5").unlink()
    assert main([*command[:-2], "--box-column", *names]) == 2
    assert "there is no table of boxes" in capsys.readouterr().err
