"""Packed voxels that are damaged: their own check sum says so, whatever the library makes of it."""

import gzip
import io
import random
import re

import nibabel
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.formats.volumes.reading import outline, sections

SHAPE = (16, 12, 5)
NAMES = ("a.nii.gz", "a.mgz", "a.mha", "a.mhd", "a.nrrd", "a.nhdr", "pair.hdr.gz")


def values():
    return np.random.default_rng(4).integers(0, 250, SHAPE).astype(np.int16)


def images(path):
    count = len(outline(path, "acquired").geometries)
    return np.stack([one.image for one in sections(path, "acquired", range(count))])


def save(folder, name):
    """Write a packed volume; its path, and that of the file with the voxels."""
    path, affine = folder / name, np.diag([-2.0, -2.0, 4.0, 1.0])
    if name.endswith((".nii.gz", ".mgz")):
        kind = nibabel.MGHImage if name.endswith(".mgz") else nibabel.Nifti1Image
        nibabel.save(kind(values(), affine), path)
        return path, path
    if name.startswith("pair"):
        plain = nibabel.Nifti1Pair(values(), affine)
        maps = plain.make_file_map({"header": io.BytesIO(), "image": io.BytesIO()})
        plain.to_file_map(maps)
        for part, suffix in (("header", "hdr.gz"), ("image", "img.gz")):
            (folder / f"pair.{suffix}").write_bytes(
                gzip.compress(maps[part].fileobj.getvalue(), mtime=0)
            )
        return path, folder / "pair.img.gz"
    itk = pytest.importorskip("SimpleITK")
    volume = itk.GetImageFromArray(np.ascontiguousarray(values().T))
    volume.SetSpacing((2, 2, 4))
    itk.WriteImage(volume, str(path), True)
    others = [one for one in folder.iterdir() if one != path]
    return path, (others or [path])[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_bit_that_is_flipped_makes_the_volume_unusable_or_changes_nothing(tmp_path, name):
    path, voxels = save(tmp_path, name)
    np.testing.assert_array_equal(images(path), values().T)
    content, rng, refused = voxels.read_bytes(), random.Random(name), 0
    for _ in range(60):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content) // 2, len(content))] ^= 1 << rng.randrange(8)
        voxels.write_bytes(damaged)
        try:
            read = images(path)
        except UnusableError:
            refused += 1
            continue
        np.testing.assert_array_equal(read, values().T)
    assert refused > 40


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mgz"])
def test_one_volume_of_several_in_a_packed_file(tmp_path, name):
    kind = nibabel.MGHImage if name == "a.mgz" else nibabel.Nifti1Image
    several = np.stack([values(), values() + 1, values() + 2], axis=-1).astype(np.float32)
    nibabel.save(kind(several, np.eye(4)), tmp_path / name)
    for number in range(3):
        read = sections(tmp_path / name, "acquired", range(SHAPE[2]), number=number)
        np.testing.assert_array_equal([one.image for one in read], values().T + number)


@pytest.mark.parametrize("said", [b"", b"CompressedDataSize = 100\n"])
def test_itk_is_not_asked_where_the_header_does_not_say_how_much_to_unpack(tmp_path, said):
    """It would give what lies in memory."""
    path, _ = save(tmp_path, "a.mha")
    path.write_bytes(re.sub(rb"CompressedDataSize = \d+\n", said, path.read_bytes()))
    with pytest.raises(UnusableError, match="does not say in how many bytes"):
        images(path)
