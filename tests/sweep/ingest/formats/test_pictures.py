"""Pictures as cameras, ImageJ and other programs write them; what is in them, or a refusal."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from sweep.core.errors import UnusableError, WorkError
from sweep.ingest.formats.pixels import read_grey, size_of
from tests.support.tiffs import damages, tiff

GREY8 = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
GREY16 = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
FLOAT = GREY16.astype(np.float32) / 7 - 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


def read(path):
    return read_grey(path, "row 2 (a)")


def upright(pixels, orientation):
    """As Pillow turns it, from a picture of which it knows the tag."""
    picture = Image.fromarray(pixels)
    picture.getexif()[274] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("pixels", [GREY8, GREY16, GREY16.astype(">u2"), FLOAT])
def test_a_tiff_on_its_side_is_set_upright(path, orientation, compression, pixels):
    options = {"tiffinfo": {274: orientation}, "compression": compression}
    Image.fromarray(pixels).save(path, **options)
    image = read(path)
    np.testing.assert_array_equal(
        image, upright(pixels.astype(np.int32) if pixels.dtype.kind == "u" else pixels, orientation)
    )
    assert size_of(path, "a") == image.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_sets_other_pictures_upright(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(GREY8).save(tmp_path / name, exif=exif, quality=100)
    image = read(tmp_path / name)
    np.testing.assert_allclose(image, upright(GREY8, orientation), atol=3)
    assert size_of(tmp_path / name, "a") == image.shape


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def test_the_orientation_may_stand_behind_the_pixels_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY8).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    end = content.index(b"IEND") - 4
    exif_chunk = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    (tmp_path / "a.png").write_bytes(content[:end] + exif_chunk + content[end:])
    image = read(tmp_path / "a.png")
    np.testing.assert_array_equal(image, upright(GREY8, 6))
    assert size_of(tmp_path / "a.png", "a") == image.shape == (8, 6)


NOT_READ = {("<", np.float64), (">", np.float64), (">", np.uint32)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64]
)
def test_a_tiff_comes_with_its_own_values_or_is_refused(path, order, dtype):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(np.float32)
    pixels = np.array([[info.min, 0, 5], [7, 100, info.max]]).astype(dtype)
    path.write_bytes(tiff(pixels, order))
    if (order, dtype) in NOT_READ:
        with pytest.raises(UnusableError, match="save it as grey with 8, 16 or 32 bits"):
            read(path)
    else:
        np.testing.assert_array_equal(read(path), pixels.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_as_zero_is_turned_within_the_depth_of_the_file(path, dtype):
    pixels = np.array([[0, 5, 200], [7, 100, 255]], dtype)
    path.write_bytes(tiff(np.iinfo(dtype).max - pixels, t262=0))
    np.testing.assert_array_equal(read(path), pixels)


def test_white_as_zero_of_floats_has_no_black(path):
    path.write_bytes(tiff(FLOAT, t262=0))
    with pytest.raises(UnusableError, match="white is 0, and has no largest value"):
        read(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_in_three_channels_are_not_cut_to_8(path, order):
    path.write_bytes(tiff(np.stack([GREY16] * 3, axis=-1), order))
    with pytest.raises(UnusableError, match=r"16 bits in each of several channels.*row 2 \(a\)"):
        read(path)


def png(kind, channels):
    """16 bits in several channels, which Pillow does not write."""
    rows = np.stack([GREY16] * channels, axis=-1).astype(">u2").reshape(6, -1)
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", 8, 6, 16, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_a_png_with_16_bits_in_several_channels(tmp_path, kind, channels):
    (tmp_path / "a.png").write_bytes(png(kind, channels))
    with pytest.raises(UnusableError, match="16 bits in each of several channels"):
        read(tmp_path / "a.png")


def test_a_picture_that_would_fill_the_memory(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    for look in (read, lambda path: size_of(path, "a")):
        with pytest.raises(UnusableError, match="DecompressionBombError"):
            look(tmp_path / "a.png")


def test_gamma_and_significant_bits_change_no_value(tmp_path):
    twelve = GREY16 >> 4
    for pixels in (GREY8, GREY16, twelve):
        told = PngImagePlugin.PngInfo()
        told.add(b"gAMA", struct.pack(">I", 45455))
        told.add(b"sBIT", bytes([12 if pixels is twelve else 7]))
        told.add(
            b"cHRM", struct.pack(">8I", *[31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000])
        )
        Image.fromarray(pixels).save(tmp_path / "a.png", pnginfo=told)
        np.testing.assert_array_equal(read(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_alpha_passes_where_every_pixel_is_seen(tmp_path, mode, name):
    picture = Image.fromarray(GREY8).convert(mode)
    picture.save(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name), GREY8)
    picture.putpixel((3, 2), (200,) * (len(mode) - 1) + (254,))
    picture.save(tmp_path / name)
    with pytest.raises(UnusableError, match=r"transparent.*row 2 \(a\), 1 of 48 pixels"):
        read(tmp_path / name)


@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bit", "16 bit"])
def test_a_transparent_value_counts_where_a_pixel_has_it(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=int(pixels[1, 1]) + 1)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), pixels)
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=int(pixels[1, 1]))
    with pytest.raises(UnusableError, match=r"transparent.* 1 of 48 pixels"):
        read(tmp_path / "a.png")


def test_a_palette_with_a_transparent_colour(tmp_path):
    picture = Image.fromarray(GREY8 // 5).convert("P")
    picture.putpalette([level for level in range(0, 250, 5) for _ in range(3)])
    picture.save(tmp_path / "a.png", transparency=49)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), GREY8)
    picture.save(tmp_path / "a.png", transparency=3)
    with pytest.raises(UnusableError, match="transparent"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["A.PNG", "A.TIF", "A.JPG", "A.BMP"])
def test_a_name_in_capitals(tmp_path, name):
    Image.fromarray(GREY8).save(tmp_path / name)
    assert read(tmp_path / name).shape == size_of(tmp_path / name, "a") == (6, 8)


def whole(kind, pixels=GREY16, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


PAGES = {"save_all": True, "append_images": [Image.fromarray(GREY16)]}
EXIF = Image.Exif()
EXIF[274] = 6
FILES = {
    "png": whole("PNG"),
    "png on its side": whole("PNG", GREY8, exif=EXIF),
    "jpeg": whole("JPEG", GREY8, exif=EXIF),
    "bmp": whole("BMP", GREY8),
    "tiff": whole("TIFF", tiffinfo={274: 6}),
    "tiff, lzw": whole("TIFF", compression="tiff_lzw", tiffinfo={274: 6}),
    "tiff, deflate": whole("TIFF", FLOAT, compression="tiff_adobe_deflate"),
    "tiff, pages": whole("TIFF", **PAGES),
}


def damaged_files(path, content, count):
    """How many are still read; what cannot be is unusable, whatever is broken."""
    good = 0
    for damaged in damages(content, count):
        path.write_bytes(damaged)
        size = image = None
        try:
            size = size_of(path, "a")
            image = read(path)
        except UnusableError:
            continue
        assert image.shape == size
        assert np.isfinite(image).all()
        good += 1
    return good


@pytest.mark.parametrize("name", FILES)
def test_damage_is_the_failure_of_its_file(path, name):
    assert damaged_files(path, FILES[name], 100) < 100


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_much_damage_is_the_failure_of_its_file(path, name):
    assert damaged_files(path, FILES[name], 3000) < 3000


def test_a_disk_that_fails_is_no_fault_of_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(tmp_path / "a.png")

    def failing(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "a.png")

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(WorkError, match="the disk fails, as a file was read; received row 2"):
        read_grey(tmp_path / "a.png", "row 2")


@pytest.mark.parametrize("pixels", [GREY8, GREY16, FLOAT])
def test_a_tiff_with_strips_for_a_part_of_it_is_refused(path, pixels):
    """Pillow would leave the other rows 0."""
    path.write_bytes(tiff(pixels, t278=2))  # rows of a strip, of which there is one
    with pytest.raises(UnusableError, match=r"part of it alone; received .* 16 of 48 pixels"):
        read(path)
