"""TIFF files of several pages, as ImageJ and others write them."""

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

from sweep.core.errors import UnusableError
from sweep.ingest.formats.volumes.reading import outline, sections
from tests.support.tiffs import damages

SLICES = np.random.default_rng(5).integers(0, 4000, (4, 6, 9)).astype(np.uint16)


def save(path, slices=SLICES, said="", per=(2.0, 4.0), **tags):
    """Pages with ImageJ's description; ``per``: columns and rows in its unit."""
    pages = [Image.fromarray(one) for one in slices]
    info = {270: said, 282: per[0], 283: per[1], 296: 1, **{int(k[1:]): v for k, v in tags.items()}}
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], tiffinfo=info)
    return path


def imagej(**said):
    return "\n".join(["ImageJ=1.54f", *(f"{key}={value}" for key, value in said.items()), ""])


def images(path, number=None):
    count = len(outline(path, "acquired", number=number).geometries)
    read = sections(path, "acquired", range(count), number=number)
    return np.stack([one.image for one in read])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", ["a.tif", "a.TIFF"])
def test_a_page_is_a_slice(tmp_path, dtype, name):
    slices = (SLICES >> 4).astype(dtype)
    path = save(tmp_path / name, slices)
    np.testing.assert_array_equal(images(path), slices)
    assert outline(path, "acquired").geometries[0].pixel_mm is None


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1), ("cm", 10), ("micron", 0.001), (r"\u00B5m", 0.001)]
)
def test_imagej_says_how_far_apart_pixels_and_slices_are(tmp_path, unit, factor):
    path = save(tmp_path / "a.tif", said=imagej(images=4, slices=4, spacing=3.0, unit=unit))
    geometry = outline(path, "acquired").geometries[0]
    assert geometry.pixel_mm == pytest.approx((0.25 * factor, 0.5 * factor))
    assert geometry.thickness_mm == pytest.approx(3.0 * factor)
    assert geometry.orientation is None


def test_what_imagej_does_not_say_is_not_known(tmp_path):
    no_spacing = save(tmp_path / "a.tif", said=imagej(images=4, unit="mm"))
    geometry = outline(no_spacing, "acquired").geometries[0]
    assert (geometry.pixel_mm, geometry.thickness_mm) == ((0.25, 0.5), None)
    for said in (imagej(images=4, spacing=2.0), imagej(images=4, unit="pixel"), "a scan at 72 dpi"):
        place = outline(save(tmp_path / "b.tif", said=said), "acquired").geometries[0]
        assert (place.pixel_mm, place.thickness_mm) == (None, None)


def test_frames_are_volumes(tmp_path):
    path = save(tmp_path / "a.tif", said=imagej(images=4, slices=2, frames=2, hyperstack="true"))
    for number in range(2):
        np.testing.assert_array_equal(images(path, number), SLICES[2 * number : 2 * number + 2])
    with pytest.raises(UnusableError, match="with 2 volumes; add a column 'volume'"):
        outline(path, "acquired")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (imagej(images=4, channels=2, slices=2), "several channels"),
        (imagej(images=9, slices=9), "with 4 of 9"),
        (imagej(images=4, frames=3), "does not have the pages"),
        ('<OME><Pixels SizeC="2" SizeT="1" SizeZ="2"/></OME>', "several channels"),
        (imagej(images="x"), "not a readable file"),
        (imagej(images=4, frames=0), "not a readable file|does not have"),
    ],
)
def test_stacks_that_are_no_volume(tmp_path, said, message):
    with pytest.raises(UnusableError, match=message):
        outline(save(tmp_path / "a.tif", said=said), "acquired")


def test_pages_on_their_side_are_set_upright_with_their_pixels(tmp_path):
    tags = {270: imagej(images=4, spacing=3.0, unit="mm"), 282: 2.0, 283: 4.0, 274: 6}
    with (tmp_path / "a.tif").open("w+b") as file, AppendingTiffWriter(file) as writer:
        for one in SLICES:
            Image.fromarray(one).save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    geometry = outline(tmp_path / "a.tif", "acquired").geometries[0]
    assert geometry.pixel_mm == (0.5, 0.25)
    np.testing.assert_array_equal(images(tmp_path / "a.tif"), np.rot90(SLICES, -1, axes=(1, 2)))


def test_pages_of_several_sizes(tmp_path):
    pages = [Image.fromarray(SLICES[0]), Image.fromarray(SLICES[0, :3])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnusableError, match=r"several sizes; received .*a\.tif with 3 x 9, 6 x 9"):
        outline(tmp_path / "a.tif", "acquired")


def test_another_kind_of_picture_with_this_suffix(tmp_path):
    Image.fromarray(SLICES[0]).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    with pytest.raises(UnusableError, match=r"a\.tif, a PNG; correct its suffix"):
        outline(tmp_path / "a.tif", "acquired")


def damaged_stacks(path, count):
    """How many are still read."""
    whole, good = save(path, said=imagej(images=4, spacing=3.0, unit="mm")).read_bytes(), 0
    for damaged in damages(whole, count):
        path.write_bytes(damaged)
        try:
            read = images(path)
        except UnusableError:
            continue
        assert np.isfinite(read).all()
        good += 1
    return good


def test_damage_is_the_failure_of_its_file(tmp_path):
    assert damaged_stacks(tmp_path / "a.tif", 150) < 150


@pytest.mark.long
def test_much_damage_is_the_failure_of_its_file(tmp_path):
    assert damaged_stacks(tmp_path / "a.tif", 3000) < 3000
