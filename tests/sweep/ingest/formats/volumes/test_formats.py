"""The same volume in every format: the planes are those of NIfTI, in every orientation."""

import gzip
import itertools
import pickle
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.formats.volumes import itk
from sweep.ingest.formats.volumes.reading import Choices, outline, sections, volume_format
from tests.support.tiffs import damages

AXES = ("acquired", "axial", "coronal", "sagittal")
OBLIQUE = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
needs_itk = pytest.mark.skipif(find_spec("SimpleITK") is None, reason="SimpleITK is not installed")


def voxels(shape=(3, 4, 5)):
    return np.random.default_rng(2).integers(-90, 900, shape).astype(np.int16)


def orientations():
    """All 48 ways in which a volume can lie straight, each a little turned."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            yield OBLIQUE @ (np.eye(3)[list(order)] * signs)


def affine(turn=OBLIQUE):
    made = np.eye(4)
    made[:3, :3] = turn * (0.5, 2.0, 4.0)
    made[:3, 3] = (-12, 7, 30)
    return made


def planes(path, axis="acquired", **options):
    numbers = range(len(outline(path, axis, **options).geometries))
    return list(sections(path, axis, numbers, **options))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_allclose(one.geometry.pixel_mm, other.geometry.pixel_mm, rtol=1e-5)
        assert one.geometry.thickness_mm == pytest.approx(other.geometry.thickness_mm, rel=1e-5)
        np.testing.assert_allclose(one.geometry.orientation, other.geometry.orientation, atol=1e-5)


@needs_itk
@pytest.mark.parametrize(
    ("name", "step"),
    [("a.mha", 1), ("a.nrrd", 1), *((name, 11) for name in ("a.mhd", "a.nhdr", "A.MHA", "A.NRRD"))],
)
def test_what_simpleitk_writes_has_the_planes_of_nifti(tmp_path, name, step):
    import SimpleITK as sitk  # noqa: N813 (its own name)

    for turn in list(orientations())[::step]:
        nibabel.save(nibabel.Nifti1Image(voxels(), affine(turn)), tmp_path / "a.nii")
        image = sitk.ReadImage(tmp_path / "a.nii")
        sitk.WriteImage(image, tmp_path / name.lower(), useCompression=name.endswith("nrrd"))
        (tmp_path / name.lower()).rename(tmp_path / name)
        for axis in AXES:
            assert_same(planes(tmp_path / name, axis), planes(tmp_path / "a.nii", axis))


@pytest.mark.parametrize(("name", "step"), [("a.mgz", 1), ("a.mgh", 11), ("A.MGZ", 11)])
def test_mgh_has_the_planes_of_nifti(tmp_path, name, step):
    for turn in list(orientations())[::step]:
        nibabel.save(nibabel.Nifti1Image(voxels(), affine(turn)), tmp_path / "a.nii")
        mgh = nibabel.MGHImage(voxels(), affine(turn))
        nibabel.save(mgh, tmp_path / name.lower())
        (tmp_path / name.lower()).rename(tmp_path / name)
        for axis in AXES:
            assert_same(planes(tmp_path / name, axis), planes(tmp_path / "a.nii", axis))


@needs_itk
def test_the_files_of_a_header_with_its_own_voxels(tmp_path):
    import SimpleITK as sitk  # noqa: N813 (its own name)

    for name, other in (("a.mhd", "a.raw"), ("b.nhdr", "b.raw"), ("c.mha", None)):
        sitk.WriteImage(sitk.GetImageFromArray(voxels()), tmp_path / name)
        names = [tmp_path / one for one in (name, other) if one]
        assert list(outline(tmp_path / name, "acquired").paths) == names


def nrrd(path, *lines):
    head = ["NRRD0004", "type: uint8", "dimension: 3", "sizes: 3 4 5", "encoding: raw", *lines]
    content = np.arange(60, dtype=np.uint8).tobytes()
    path.write_bytes("\n".join(head).encode() + b"\n\n" + content)
    return path


@needs_itk
@pytest.mark.parametrize(
    "space", ["right-anterior-superior", "RAS", "LPS", "left-anterior-superior"]
)
def test_a_patients_space_of_nrrd_is_turned_to_lps(tmp_path, space):
    path = nrrd(tmp_path / "a.nrrd", f"space: {space}", "space directions: (1,0,0) (0,2,0) (0,0,3)")
    (first, *_) = planes(path)
    lps = {"l": (1, 0, 0), "r": (-1, 0, 0), "p": (0, 1, 0), "a": (0, -1, 0)}
    letters = [word[0].lower() for word in space.split("-")] if "-" in space else space.lower()
    assert first.geometry.orientation == (lps[letters[0]], lps[letters[1]])
    assert first.geometry.pixel_mm == (2, 1)
    np.testing.assert_array_equal(first.image, np.arange(12).reshape(4, 3))


@needs_itk
@pytest.mark.parametrize(
    "lines",
    [("spacings: 1 2 3",), ("space dimension: 3", "space directions: (1,0,0) (0,2,0) (0,0,3)")],
)
def test_without_a_patients_space_only_lengths_are_known(tmp_path, lines):
    path = nrrd(tmp_path / "a.nrrd", *lines)
    geometry = outline(path, "acquired").geometries[0]
    assert (geometry.pixel_mm, geometry.thickness_mm) == ((2, 1), 3)
    assert geometry.orientation is None
    with pytest.raises(UnusableError, match="which axial planes need"):
        outline(path, "axial")


@needs_itk
def test_metaimage_without_a_matrix_and_mgh_without_its_flag_do_not_say_how_they_lie(tmp_path):
    head = "ObjectType = Image\nNDims = 3\nBinaryData = True\nElementSpacing = 1 2 3\n"
    head += "DimSize = 3 4 5\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(head.encode() + np.arange(60, dtype=np.uint8).tobytes())
    nibabel.save(nibabel.MGHImage(voxels(), affine()), tmp_path / "a.mgh")
    content = bytearray((tmp_path / "a.mgh").read_bytes())
    content[28:30] = b"\0\0"  # goodRASFlag
    (tmp_path / "a.mgh").write_bytes(content)
    (tmp_path / "b.mgz").write_bytes(gzip.compress(content))
    for name, pixel_mm in (("a.mha", (2, 1)), ("a.mgh", None), ("b.mgz", None)):
        geometry = outline(tmp_path / name, "acquired").geometries[0]
        assert geometry.orientation is None
        assert geometry.pixel_mm == pixel_mm


@needs_itk
def test_channels_and_complex_numbers_are_refused(tmp_path):
    import SimpleITK as sitk  # noqa: N813 (its own name)

    colour = sitk.GetImageFromArray(voxels((3, 4, 5, 3)), isVector=True)
    sitk.WriteImage(colour, tmp_path / "a.nrrd")
    with pytest.raises(
        UnusableError, match=r"not real numbers; received .*a\.nrrd with voxels in c"
    ):
        outline(tmp_path / "a.nrrd", "acquired")


@needs_itk
@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"])
def test_a_cut_file_is_known_by_its_length(tmp_path, name, capfd):
    save_itk(tmp_path / name, voxels())
    path = tmp_path / (name if name in ("a.mha", "a.nrrd") else "a.raw")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnusableError, match="ends before the last voxel"):
        outline(tmp_path / name, "acquired")
    assert capfd.readouterr() == ("", "")


@needs_itk
def test_what_itk_says_is_told_without_its_source_and_the_same_in_every_run(tmp_path):
    save_itk(tmp_path / "a.mha", voxels())
    content = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(
        content.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 0 0 0")
    )
    with pytest.raises(UnusableError, match="Zero-valued spacing") as caught:
        planes(tmp_path / "a.mha")
    assert "0x" not in str(caught.value)
    assert ".hxx" not in str(caught.value)


def test_without_simpleitk_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(itk, "find_spec", lambda name: None)
    (tmp_path / "a.mha").write_bytes(b"")
    with pytest.raises(
        UnusableError, match=r"without SimpleITK; .*pip install 'mrisweep\[formats\]'"
    ):
        outline(tmp_path / "a.mha", "acquired")


def save_nifti(path, values):
    nibabel.save(nibabel.Nifti1Image(values.transpose(*range(values.ndim)[::-1]), affine()), path)


def save_mgh(path, values):
    nibabel.save(nibabel.MGHImage(values.transpose(*range(values.ndim)[::-1]), affine()), path)


def save_itk(path, values):
    import SimpleITK as sitk  # noqa: N813 (its own name)

    sitk.WriteImage(sitk.GetImageFromArray(values, isVector=False), path)


def save_npy(path, values):
    np.save(path, values)


def save_npz(path, values):
    np.savez_compressed(path, image=values)


SAVERS = {
    "a.nii": save_nifti,
    "a.nii.gz": save_nifti,
    "a.mgz": save_mgh,
    "a.npy": save_npy,
    "a.npz": save_npz,
}
ITK = {"a.mha": save_itk, "a.nrrd": save_itk}
EVERY = [*SAVERS, *(pytest.param(name, marks=needs_itk) for name in ITK)]
SAVERS |= ITK


@pytest.mark.parametrize("name", EVERY)
def test_one_volume_of_several(tmp_path, name):
    values = voxels((2, 5, 4, 6))  # (volume, slice, row, column)
    path = tmp_path / name
    SAVERS[name](path, values)
    for number in range(2):
        form = pickle.loads(pickle.dumps(volume_format())).of_volume(number)
        assert len(form.outline(path, "acquired").geometries) == 5
        images = [one.image for one in form.sections(path, "acquired", range(5))]
        np.testing.assert_array_equal(images, values[number])
    with pytest.raises(UnusableError, match="with 2 volumes; add a column 'volume'"):
        outline(path, "acquired")
    with pytest.raises(UnusableError, match=r"volume 2 of .* with 2 volumes, counted from 0"):
        outline(path, "acquired", number=2)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "A.NPY"])
@pytest.mark.parametrize("shape", [(5, 4, 6), (4, 6), (1, 5, 4, 6), (5, 4, 6, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, ">i4"])
def test_arrays_are_slices_of_no_known_place(tmp_path, name, shape, dtype):
    values = np.abs(voxels(shape)).astype(dtype)
    (save_npz if name.endswith("z") else save_npy)(
        tmp_path / name.lower(), np.asfortranarray(values)
    )
    (tmp_path / name.lower()).rename(tmp_path / name)
    read = planes(tmp_path / name)
    wanted = values.reshape(-1, 4, 6)
    np.testing.assert_array_equal([one.image for one in read], wanted.astype(np.float32))
    assert {one.geometry.pixel_mm for one in read} == {None}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[None]]), "not real numbers"),
        (voxels((5, 4, 6)) > 0, "not real numbers; received .* with voxels bool"),
        (voxels((5, 4, 6)).astype(np.complex64), "with voxels complex"),
        (voxels((60,)), "of size 60"),
        (np.zeros((0, 4, 3)), "of size 0 x 4 x 3"),
        (voxels((5, 4, 30, 3)), "last axis of the array is one of channels"),
    ],
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_arrays_that_are_no_volumes(tmp_path, values, message, name):
    SAVERS[name](tmp_path / name, values)
    with pytest.raises(UnusableError, match=message):
        outline(tmp_path / name, "acquired")


def test_an_array_is_chosen_by_its_name(tmp_path):
    np.savez(tmp_path / "a.npz", image=voxels(), mask=voxels() > 0)
    with pytest.raises(UnusableError, match=r"a\.npz with image, mask; say which by --array"):
        outline(tmp_path / "a.npz", "acquired")
    chosen = planes(tmp_path / "a.npz", choices=Choices(array="image"))
    np.testing.assert_array_equal([one.image for one in chosen], voxels())
    with pytest.raises(UnusableError, match=r"'imag' in .*did you mean 'image'"):
        outline(tmp_path / "a.npz", "acquired", choices=Choices(array="imag"))


@pytest.mark.parametrize("name", EVERY)
def test_what_is_not_finite_is_set_to_0_and_counted_where_that_is_asked_for(tmp_path, name):
    values = voxels((5, 4, 6)).astype(np.float32)
    values[0, 0, 0], values[2, 1, 1], values[4, 3, 2] = np.nan, np.inf, -np.inf
    SAVERS[name](tmp_path / name, values)
    with pytest.raises(UnusableError, match=r"received 3 of 120 in .*; .*--nan zero"):
        planes(tmp_path / name)
    zero = Choices(nan="zero")
    images = [one.image for one in planes(tmp_path / name, choices=zero)]
    np.testing.assert_array_equal(images, np.nan_to_num(values, posinf=0, neginf=0))
    assert outline(tmp_path / name, "acquired", zero).zeroed == 3


def test_what_32_bits_do_not_hold_is_not_set_to_0(tmp_path):
    values = voxels((5, 4, 6)).astype(np.float64)
    values[0, 0, 0] = 1e300
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(UnusableError, match="1 of 120"):
        planes(tmp_path / "a.npy", choices=Choices(nan="zero"))


@pytest.mark.parametrize("name", EVERY)
def test_a_cut_file_is_unusable(tmp_path, name):
    path = tmp_path / name
    SAVERS[name](path, voxels((9, 8, 7)))
    whole = path.read_bytes()
    for share in (0, 0.02, 0.5, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UnusableError):
            planes(path)


def test_a_header_that_promises_more_than_a_file_can_hold_takes_no_memory(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), affine()), tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[42:48] = np.array([30000] * 3, "<i2").tobytes()  # dim[1] to dim[3]: 108 TB
    (tmp_path / "a.nii").write_bytes(content)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content))
    for name in ("a.nii", "a.nii.gz"):
        with pytest.raises(UnusableError, match="ends before the last voxel that its header"):
            outline(tmp_path / name, "acquired")


def broken(path: Path, content: bytes, count: int) -> int:
    """How many damaged files are still read; the others are unusable, whatever broke."""
    good = 0
    for damaged in damages(content, count):
        path.write_bytes(damaged)
        try:
            read = planes(path)
        except UnusableError:
            continue
        assert all(np.isfinite(one.image).all() for one in read)
        good += 1
    return good


@pytest.mark.parametrize("name", EVERY)
def test_damage_is_the_failure_of_its_file(tmp_path, name):
    SAVERS[name](tmp_path / name, voxels())
    assert broken(tmp_path / name, (tmp_path / name).read_bytes(), 80) < 80


@pytest.mark.long
@pytest.mark.parametrize("name", EVERY)
def test_much_damage_is_the_failure_of_its_file(tmp_path, name):
    SAVERS[name](tmp_path / name, voxels())
    assert broken(tmp_path / name, (tmp_path / name).read_bytes(), 3000) < 3000
