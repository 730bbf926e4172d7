import pickle

import nibabel
import numpy as np
import pytest
from PIL import Image

from sweep.core.errors import UserError
from sweep.ingest.formats.manifest import USUALLY
from sweep.ingest.formats.planes import Section
from sweep.ingest.formats.volumes.reading import Choices, volume_format
from sweep.ingest.making import Making
from sweep.ingest.volumes import plan_volumes
from sweep.store.slices import check_slices
from sweep.store.splits import SplitAssigner, equal_folds

DEALING = SplitAssigner(equal_folds(2))
SPACING = (1.0, 0.5, 4.0)


def voxels(number):
    generator = np.random.default_rng(number)
    return generator.integers(0, 900, (6, 5, 4)).astype(np.int16)


@pytest.fixture
def folder(tmp_path):
    """Three axial volumes (i to the right, j to the front, k to the head) of three patients."""
    (tmp_path / "deep").mkdir()
    rows = ["file,label,patient"]
    for number, name in enumerate(("a.nii", "deep/b.nii.gz", "c.nii")):
        image = nibabel.Nifti1Image(voxels(number), np.diag([*SPACING, 1]))
        nibabel.save(image, tmp_path / name)
        rows.append(f"{name},{'tear' if number else ''},p{number}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def plan(folder, form=None, axis="acquired", reading=USUALLY, **options):
    form = form or volume_format()
    making = Making(DEALING, **options)
    return plan_volumes(folder / "manifest.csv", folder, form, making, axis=axis, reading=reading)


def read(planned):
    reader = pickle.loads(pickle.dumps(planned.reader))
    return [np.stack([plane.image for plane in reader(item)]) for item in planned.items]


def test_volumes_become_slices(folder):
    planned = plan(folder)
    assert planned.shape == (5, 6)
    for number, images in enumerate(read(planned)):
        np.testing.assert_array_equal(images, voxels(number).transpose(2, 1, 0))
    assert [one.key for one in planned.items[1].slices[:2]] == [
        "p1/deep/b.nii.gz/000",
        "p1/deep/b.nii.gz/001",
    ]
    assert planned.slices[0].geometry.pixel_mm == (0.5, 1.0)
    check_slices(planned.slices, planned.label_names, planned.task)


@pytest.mark.parametrize(
    ("axis", "count", "shape", "pixel_mm"),
    [
        ("axial", 4, (5, 6), (0.5, 1.0)),
        ("coronal", 5, (4, 6), (4.0, 1.0)),
        ("sagittal", 6, (4, 5), (4.0, 0.5)),
    ],
)
def test_planes_along_an_axis(folder, axis, count, shape, pixel_mm):
    planned = plan(folder, axis=axis)
    assert planned.shape == shape
    assert [len(item.slices) for item in planned.items] == [count] * 3
    assert planned.slices[0].geometry.pixel_mm == pixel_mm
    assert {images.shape for images in read(planned)} == {(count, *shape)}


def test_with_size_every_plane_has_it_and_square_pixels(folder):
    planned = plan(folder, axis="coronal", size=12)
    # 4 x 6 of 4 x 1 mm: 16 x 6 of 1 mm, padded to 16 x 16.
    assert planned.slices[0].geometry.pixel_mm == pytest.approx((16 / 12, 16 / 12))
    assert {images.shape for images in read(planned)} == {(5, 12, 12)}


@pytest.mark.parametrize("name", ["a.nii", "c.nii"])
def test_a_truncated_volume_is_skipped_before_it_is_read(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    planned = plan(folder)
    assert len(planned.items) == 2
    assert [one.name for one in planned.skipped] == [name]


def test_no_voxel_is_read_in_planning(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("voxels were read")

    monkeypatch.setattr(nibabel.arrayproxy.ArrayProxy, "__getitem__", refuse)
    assert len(plan(folder).items) == 3


def test_a_plane_owns_its_pixels(folder):
    (section, *_) = (
        one for one in plan(folder).reader.format.sections(folder / "a.nii", "axial", [0, 1])
    )
    assert isinstance(section, Section)
    assert section.image.flags.c_contiguous


def describe(folder, *rows, header="file,label,patient"):
    (folder / "manifest.csv").write_text("\n".join([header, *rows]))


def test_volumes_of_one_file_are_scans_of_their_own(folder):
    several = np.stack([voxels(n) for n in range(3)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(several, np.diag([*SPACING, 1])), folder / "d.nii")
    rows = ("d.nii,tear,p0,2,1", "d.nii,,p0,0,", "a.nii,,p1,,")
    describe(folder, *rows, header="file,label,patient,volume,slice")
    planned = plan(folder)
    assert [item.name for item in planned.items] == ["d.nii/002", "d.nii/000", "a.nii"]
    second, first, only = read(planned)
    np.testing.assert_array_equal(second, voxels(2).transpose(2, 1, 0)[1:2])
    np.testing.assert_array_equal(first, voxels(0).transpose(2, 1, 0))
    np.testing.assert_array_equal(only, first)
    assert planned.slices[0].key == "p0/d.nii/002/001"
    assert planned.slices[0].origin == "row 2 (d.nii, volume 2, slice 1)"
    assert planned.slices[0].labels == {"tear"}
    check_slices(planned.slices, planned.label_names, planned.task)


def test_a_volume_is_not_told_twice_nor_without_a_number(folder):
    describe(folder, "a.nii,x,p,0", "a.nii,y,p,0", header="file,label,patient,volume")
    with pytest.raises(UserError, match=r"again; received row 3 \(a\.nii, volume 0\)"):
        plan(folder)
    describe(folder, "a.nii,x,p,first", header="file,label,patient,volume")
    with pytest.raises(UserError, match=r"a volume is not a number from 0, .* 'first'"):
        plan(folder)


def test_several_volumes_and_no_word_of_them_cost_that_file_alone(folder):
    several = np.stack([voxels(n) for n in range(3)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(several, np.diag([*SPACING, 1])), folder / "c.nii")
    (skipped,) = plan(folder).skipped
    assert skipped.name == "c.nii"
    assert "add a column 'volume'" in skipped.reason


def test_what_was_set_to_0_is_counted_said_and_kept(folder):
    values = voxels(5).astype(np.float32)
    values[:2, 0, 0] = np.nan
    nibabel.save(nibabel.Nifti1Image(values, np.diag([*SPACING, 1])), folder / "c.nii")
    planned = plan(folder, form=volume_format(Choices(nan="zero")))
    note = "Voxels that are NaN or infinite in their file, and 0 in the store: 2, in 1 volume."
    assert note in planned.notes
    assert (planned.source["nan"], planned.source["zeroed"]) == ("zero", {"c.nii": 2})
    *_, last = read(planned)
    np.testing.assert_array_equal(last, np.nan_to_num(values).transpose(2, 1, 0))
    assert "nan" not in plan(folder).source


def test_volumes_in_different_planes_are_said_and_kept(folder):
    turned = np.array([[0, 0, 4.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    for name in ("b.nii", "d.nii"):
        nibabel.save(nibabel.Nifti1Image(voxels(1), turned), folder / name)
    describe(folder, "a.nii,,p0", "c.nii,,p1", "b.nii,tear,p2", "d.nii,tear,p3")
    planned = plan(folder)
    assert planned.source["planes"] == {"axial": 2, "sagittal": 2}
    assert any("different planes: 2 axial, 2 sagittal" in note for note in planned.notes)
    assert any("label 'tear' can be told from the plane" in note for note in planned.notes)
    along = plan(folder, axis="axial", size=8)
    assert "planes" not in along.source
    assert not any("planes" in note for note in along.notes)


def test_every_format_goes_into_one_store(folder):
    values = voxels(3).transpose(2, 1, 0)
    np.save(folder / "d.npy", values)
    np.savez(folder / "E.NPZ", values)
    (folder / "E.NPZ.npz").rename(folder / "E.NPZ")
    pages = [Image.fromarray(one.astype(np.uint16)) for one in values]
    pages[0].save(folder / "f.TIF", "TIFF", save_all=True, append_images=pages[1:])
    nibabel.save(
        nibabel.MGHImage(voxels(3).astype(np.int16), np.diag([*SPACING, 1])), folder / "g.mgz"
    )
    names = ("d.npy", "E.NPZ", "f.TIF", "g.mgz")
    describe(folder, "a.nii,tear,p", *(f"{name},,p{name}" for name in names))
    planned = plan(folder)
    assert planned.skipped == ()
    for images in read(planned)[1:]:
        np.testing.assert_array_equal(images, values)
    assert planned.source["kind"] == "volumes"
