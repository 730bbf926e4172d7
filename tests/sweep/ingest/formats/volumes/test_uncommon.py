"""Uncommon NIfTI, made here and in nibabel's own tests: nibabel's values, or a refusal."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.formats.volumes.reading import AS_THEY_ARE, Choices, outline, sections

SAMPLES = Path(nibabel.__file__).parent / "tests" / "data"
SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh")
# What nibabel tests itself with; a name without its reason is read.
REFUSED = {
    "analyze.hdr": "not a NIfTI file|not a readable file",
    "nifti1.hdr": "not a readable file",
    "nifti2.hdr": "not a readable file",
    "row_major.dconn.nii": "not a NIfTI file",
}
AFFINE = np.array([[-0.5, 0, 0, 30], [0, 2.0, 0.1, -40], [0, -0.05, 4, 5], [0, 0, 0, 1]])


def volume(path, number=None, choices=AS_THEY_ARE):
    numbers = range(len(outline(path, "acquired", choices, number).geometries))
    read = sections(path, "acquired", numbers, choices, number)
    return np.stack([one.image for one in read])


def expected(path, number=None):
    """(slice, row, column) as nibabel has it."""
    values = nibabel.load(path).get_fdata().astype(np.float32)
    values = values[..., number or 0] if values.ndim > 3 else values
    return values.reshape((*values.shape, 1)[:3]).T


def samples():
    return (
        sorted(path for path in SAMPLES.glob("*") if path.name.endswith(SUFFIXES))
        if SAMPLES.is_dir()
        else []
    )


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_a_sample_of_nibabel_has_its_values_or_is_refused(path, tmp_path):
    copy = shutil.copy(path, tmp_path / path.name)
    if path.name in REFUSED:
        with pytest.raises(UnusableError, match=REFUSED[path.name]):
            outline(copy, "acquired")
        return
    shape = nibabel.load(path).shape
    for number in range(shape[3]) if len(shape) > 3 else [None]:
        wanted = expected(copy, number)
        if not np.isfinite(wanted).all():
            with pytest.raises(UnusableError, match="NaN"):
                volume(copy, number)
            wanted = np.nan_to_num(wanted)
        np.testing.assert_array_equal(volume(copy, number, Choices(nan="zero")), wanted)


def values(dtype=np.int16, shape=(3, 4, 5)):
    return np.random.default_rng(3).integers(0, 120, shape).astype(dtype)


def both_forms_of_place(image):
    image.set_sform(AFFINE, 2)
    image.set_qform(np.diag([3.0, 3, 3, 1]), 1)


MAKERS = {
    "NIfTI-2": lambda: nibabel.Nifti2Image(values(), AFFINE),
    "big endian": lambda: nibabel.Nifti1Image(
        values(), AFFINE, nibabel.Nifti1Header(endianness=">")
    ),
    "NIfTI-2, big endian": lambda: nibabel.Nifti2Image(
        values(), AFFINE, nibabel.Nifti2Header(endianness=">")
    ),
    "pair": lambda: nibabel.Nifti1Pair(values(), AFFINE),
    "pair of NIfTI-2": lambda: nibabel.Nifti2Pair(values(), AFFINE),
    "int64": lambda: nibabel.Nifti1Image(values(np.int64), AFFINE, dtype=np.int64),
    "uint64": lambda: nibabel.Nifti1Image(values(np.uint64), AFFINE, dtype=np.uint64),
    "two axes": lambda: nibabel.Nifti1Image(values(shape=(3, 4)), AFFINE),
    "seven axes": lambda: nibabel.Nifti1Image(values(shape=(3, 4, 5, 1, 1, 1, 1)), AFFINE),
    "float64": lambda: nibabel.Nifti1Image(values(np.float64) / 7, AFFINE),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("slope", [1, 0, np.nan, 0.3, -2])
def test_nifti_of_an_uncommon_kind_has_nibabels_values(tmp_path, kind, slope):
    path = tmp_path / ("a.img" if "pair" in kind else "a.nii")
    nibabel.save(MAKERS[kind](), path)
    header = path.with_suffix(".hdr") if "pair" in kind else path
    raw = bytearray(header.read_bytes())
    order, place, code = (">" if "big" in kind else "<"), 112, "f4"
    if "NIfTI-2" in kind:
        place, code = 176, "f8"
    raw[place : place + int(code[1])] = np.array(slope, order + code).tobytes()
    header.write_bytes(raw)
    try:
        wanted = expected(path)
    except Exception:  # what nibabel does not read
        with pytest.raises(UnusableError):
            volume(path)
    else:
        np.testing.assert_array_equal(volume(path), wanted)


def test_where_two_forms_of_place_differ_nibabels_choice_is_taken(tmp_path):
    image = nibabel.Nifti1Image(values(), None)
    both_forms_of_place(image)
    nibabel.save(image, tmp_path / "a.nii")
    geometry = outline(tmp_path / "a.nii", "acquired").geometries[0]
    spacings = np.linalg.norm(nibabel.load(tmp_path / "a.nii").affine[:3, :3], axis=0)
    assert geometry.pixel_mm == pytest.approx((spacings[1], spacings[0]))
    assert geometry.pixel_mm == pytest.approx((2, 0.5), rel=0.01)


@pytest.mark.parametrize("name", ["A.NII", "A.NII.GZ", "A.IMG", "A.HDR"])
def test_a_name_in_capitals(tmp_path, name):
    kind = nibabel.Nifti1Pair if name in ("A.IMG", "A.HDR") else nibabel.Nifti1Image
    nibabel.save(kind(values(), AFFINE), tmp_path / name.lower().replace("hdr", "img"))
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.upper()))
    np.testing.assert_array_equal(volume(tmp_path / name), values().T)
