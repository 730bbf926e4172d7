import pickle

import nibabel
import numpy as np
import pytest

from sweep.ingest.formats.nifti import NIFTI
from sweep.ingest.formats.planes import Section
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


def plan(folder, **options):
    return plan_volumes(folder / "manifest.csv", folder, NIFTI, assigner=DEALING, **options)


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

    monkeypatch.setattr(nibabel.Nifti1Image, "get_fdata", refuse)
    assert len(plan(folder).items) == 3


def test_a_plane_owns_its_pixels(folder):
    (section, *_) = (
        one for one in plan(folder).reader.format.sections(folder / "a.nii", "axial", [0, 1])
    )
    assert isinstance(section, Section)
    assert section.image.flags.c_contiguous
