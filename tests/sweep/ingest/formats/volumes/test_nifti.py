import gzip

import nibabel
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.formats.volumes.reading import outline, sections

AFFINE = np.array([[-0.5, 0, 0, 30], [0, 2.0, 0.1, -40], [0, -0.05, 4, 5], [0, 0, 0, 1]])
NAMES = ["a.nii", "a.nii.gz", "a.img"]


def noise(shape=(3, 4, 5), dtype=np.int16):
    return np.random.default_rng(4).integers(-90, 90, shape).astype(dtype)


@pytest.fixture
def save(tmp_path):
    def write(voxels, affine=AFFINE, name="a.nii", change=lambda image: None):
        kind = nibabel.Nifti1Pair if name.endswith("img") else nibabel.Nifti1Image
        image = kind(voxels, affine)
        change(image)
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write


def planes(path, axis="acquired"):
    return list(sections(path, axis, range(len(outline(path, axis).geometries))))


def images(path, axis="acquired"):
    return np.stack([one.image for one in planes(path, axis)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.float32, np.float64])
def test_voxels_come_as_float32_with_i_along_the_rows(save, name, dtype):
    voxels = np.abs(noise()).astype(dtype)
    path = save(voxels, name=name)
    read = images(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, voxels.transpose(2, 1, 0))
    assert outline(path, "acquired").shape == (4, 3)


@pytest.mark.parametrize("axis", ["acquired", "axial", "coronal", "sagittal"])
def test_the_outline_foretells_the_sections(save, axis):
    path = save(noise())
    foretold, read = outline(path, axis), planes(path, axis)
    assert {one.image.shape for one in read} == {foretold.shape}
    assert tuple(one.geometry for one in read) == foretold.geometries


@pytest.mark.parametrize("name", NAMES)
def test_slope_and_intercept_are_applied_as_nibabel_applies_them(save, name):
    path = save(noise(), name=name, change=lambda image: image.header.set_slope_inter(0.3, -7))
    expected = nibabel.load(path).get_fdata()
    assert expected.min() < -20  # the header kept the scale
    np.testing.assert_allclose(images(path), expected.transpose(2, 1, 0), rtol=1e-6, atol=1e-5)


def test_geometry_is_the_affine_in_lps(save):
    (geometry, *_) = outline(save(noise()), "acquired").geometries
    along, down = (np.diag([-1, -1, 1]) @ AFFINE[:3, column] for column in (0, 1))
    np.testing.assert_allclose(geometry.pixel_mm, [np.linalg.norm(down), 0.5], rtol=1e-6)
    assert geometry.thickness_mm == pytest.approx(np.linalg.norm(AFFINE[:3, 2]))
    assert geometry.spacing_mm == geometry.thickness_mm
    np.testing.assert_allclose(geometry.orientation[0], along / 0.5, atol=1e-6)
    np.testing.assert_allclose(geometry.orientation[1], down / np.linalg.norm(down), atol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_lengths_are_in_mm_whatever_the_unit_of_the_header(save, unit, factor):
    path = save(noise(), change=lambda image: image.header.set_xyzt_units(unit))
    assert outline(path, "acquired").geometries[0].pixel_mm[1] == pytest.approx(0.5 * factor)


@pytest.mark.parametrize("slices", [0, 1, 2])
def test_the_slice_dimension_of_the_header_is_taken(save, slices):
    voxels = noise()
    path = save(voxels, change=lambda image: image.header.set_dim_info(slice=slices))
    across = np.moveaxis(voxels, slices, 0)
    np.testing.assert_array_equal(images(path), across.transpose(0, 2, 1))
    spacing = np.linalg.norm(AFFINE[:3, slices])
    assert outline(path, "acquired").geometries[0].thickness_mm == pytest.approx(spacing)


@pytest.mark.parametrize("slices", [None, 0, 1])
def test_anatomical_planes_are_those_of_the_closest_canonical_volume(save, slices):
    path = save(noise(), change=lambda image: image.header.set_dim_info(slice=slices))
    right_front_head = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata()
    left_back_feet = right_front_head[::-1, ::-1, ::-1]
    expected = {
        "axial": left_back_feet.transpose(2, 1, 0)[::-1],
        "coronal": left_back_feet.transpose(1, 2, 0),
        "sagittal": left_back_feet.transpose(0, 2, 1)[::-1],
    }
    for axis, volume in expected.items():
        np.testing.assert_array_equal(images(path, axis), volume)


def without_codes(image):
    image.set_sform(None)
    image.set_qform(None)


def test_without_orientation_codes_only_the_spacing_is_known(save):
    path = save(noise(), change=without_codes)
    (geometry, *_) = outline(path, "acquired").geometries
    assert geometry.pixel_mm == pytest.approx((np.linalg.norm(AFFINE[:3, 1]), 0.5))
    assert geometry.orientation is None
    with pytest.raises(UnusableError, match=r"which coronal planes need; received .*a\.nii;"):
        outline(path, "coronal")


def test_trailing_axes_of_one_are_no_axes(save):
    voxels = noise()
    np.testing.assert_array_equal(images(save(voxels[..., None, None])), voxels.transpose(2, 1, 0))
    np.testing.assert_array_equal(images(save(voxels[..., 0])), voxels.transpose(2, 1, 0)[:1])


@pytest.mark.parametrize("numbers", [(), (3,), (4, 0, 4)])
def test_only_the_numbered_planes_come_in_their_order(save, numbers):
    path = save(noise())
    chosen = [one.image for one in sections(path, "acquired", numbers)]
    every = images(path)
    assert len(chosen) == len(numbers)
    for image, number in zip(chosen, numbers, strict=True):
        np.testing.assert_array_equal(image, every[number])


def test_a_pair_has_two_files_and_either_names_it(save):
    path = save(noise(), name="a.img")
    header = path.with_suffix(".hdr")
    assert set(outline(path, "acquired").paths) == {header, path}
    np.testing.assert_array_equal(images(header), images(path))


def test_a_mended_header_makes_no_noise(save, caplog):
    path = save(noise())
    raw = bytearray(path.read_bytes())
    raw[80:84] = np.float32(-0.5).tobytes()  # pixdim[1], a length
    path.write_bytes(raw)
    nibabel.load(path)
    assert caplog.messages  # so nibabel does say something
    caplog.clear()
    assert len(planes(path)) == 5
    assert not caplog.messages
    nibabel.load(path)
    assert caplog.messages  # and may say it again to others


def coloured():
    return np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        (coloured(), "with voxels in colour; save one channel"),
        (noise(dtype=np.complex64), "with voxels complex; save one channel, or the magnitude"),
        (noise((3, 4, 5, 2)), "with 2 volumes; add a column 'volume'"),
        (noise((3, 4, 5, 1, 2)), "of size 3 x 4 x 5 x 1 x 2; save each volume alone"),
        (noise((3,)), "of size 3; save"),
        (np.zeros((3, 0, 5), np.uint8), "of size 3 x 0 x 5"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_is_no_volume_is_known_from_the_header(save, voxels, name, message):
    with pytest.raises(UnusableError, match=rf"{name}.* {message}"):
        outline(save(voxels, name=name), "acquired")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite(save, value):
    voxels = noise(dtype=np.float64)
    voxels[1, 2, 3] = value
    path = save(voxels)
    with pytest.raises(UnusableError, match=r"voxels are NaN, .*; received 1 of 60 in .*a\.nii"):
        planes(path)


@pytest.mark.parametrize("name", ["a.nii", "a.img"])
def test_a_truncated_file_is_known_before_it_is_read(save, name):
    path = save(noise(), name=name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnusableError, match=rf"is truncated.*{name} with \d+ of \d+ bytes"):
        outline(path, "acquired")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.97])
def test_a_file_cut_anywhere_is_unusable(save, name, share):
    path = save(noise((8, 9, 10)), name=name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UnusableError, match=name):
        planes(path)


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("a.nii", b"file,label,patient\n" * 40, "not a readable file"),
        ("a.nii.gz", b"not compressed", "not a readable file"),
        ("a.nii.gz", gzip.compress(b"not a volume" * 40, mtime=0), "not a readable file"),
        ("a.txt", b"notes", "no format of volumes that is read here"),
    ],
)
def test_files_of_another_kind(tmp_path, name, content, wrong):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableError, match=rf"{wrong}; received .*{name}"):
        outline(tmp_path / name, "acquired")


def test_a_volume_of_another_format_is_named(tmp_path):
    scalars = nibabel.cifti2.ScalarAxis(["a", "b"])
    surface = nibabel.cifti2.BrainModelAxis.from_mask(np.ones(3), name="CortexLeft")
    nibabel.Cifti2Image(np.ones((2, 3)), (scalars, surface)).to_filename(tmp_path / "a.nii")
    with pytest.raises(UnusableError, match=r"a\.nii \(Cifti2Image\); convert it"):
        outline(tmp_path / "a.nii", "acquired")


def test_a_pair_without_its_other_half(save):
    path = save(noise(), name="a.img")
    path.unlink()
    with pytest.raises(UnusableError, match=r"a\.hdr"):
        outline(path.with_suffix(".hdr"), "acquired")


def test_no_damage_makes_any_other_error(save):
    path = save(noise())
    whole = path.read_bytes()
    generator = np.random.default_rng(6)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in generator.integers(0, 352, 3):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            read = planes(path)
        except UnusableError:
            continue
        assert all(np.isfinite(one.image).all() for one in read)


@pytest.mark.parametrize("kind", [nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage])
@pytest.mark.parametrize("last", [(), (1,)])
def test_analyze_gives_voxels_and_their_lengths(kind, last, tmp_path):
    voxels = noise()
    image = kind(voxels.reshape(*voxels.shape, *last), None)
    image.header.set_zooms((1.0, 2.0, 3.0, *last))
    image.to_filename(tmp_path / "a.hdr")
    (tmp_path / "a.mat").unlink(missing_ok=True)  # SPM's, which is mostly lost
    path = tmp_path / "a.hdr"
    np.testing.assert_array_equal(images(path), voxels.transpose(2, 1, 0))
    geometry = outline(path, "acquired").geometries[0]
    assert geometry.pixel_mm == (2.0, 1.0)
    assert geometry.thickness_mm == 3.0
    assert geometry.orientation is None
    assert {one.name for one in outline(path, "acquired").paths} == {"a.hdr", "a.img"}
    with pytest.raises(UnusableError, match="does not say how the patient lies"):
        outline(path, "axial")
