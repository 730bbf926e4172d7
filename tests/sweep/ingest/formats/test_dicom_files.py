"""DICOM files as they come: without preamble, padded, with bits and values of every kind."""

import re

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.volume import outline, sections
from tests.support.series import NORMAL, dataset, noise

BARE = {
    "implicit": (ImplicitVRLittleEndian, True, True),
    "explicit": (ExplicitVRLittleEndian, False, True),
    "big endian": (ExplicitVRBigEndian, False, False),
}


def images(path):
    count = len(outline(path, "acquired").geometries)
    return np.stack([one.image for one in sections(path, "acquired", range(count))])


def save(path, made):
    path.parent.mkdir(exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def save_bare(path, made, syntax="implicit"):
    """Only the dataset: no preamble, no header of the file."""
    _, implicit, little = BARE[syntax]
    path.parent.mkdir(exist_ok=True)
    bare = Dataset(made)
    pydicom.dcmwrite(path, bare, implicit_vr=implicit, little_endian=little)
    assert path.read_bytes()[128:132] != b"DICM"
    return path


def placed(pixels, place, syntax=ExplicitVRLittleEndian, **changes):
    position = (np.array([-50, 20, 30]) + 4 * place * NORMAL).tolist()
    return dataset(pixels, syntax, ImagePositionPatient=position, **changes)


@pytest.mark.parametrize("name", ["a.dcm", "a"])
@pytest.mark.parametrize("syntax", BARE)
def test_a_file_without_preamble_is_read(tmp_path, name, syntax):
    pixels = noise()
    path = save_bare(tmp_path / name, dataset(pixels, BARE[syntax][0]), syntax)
    np.testing.assert_array_equal(images(path)[0], pixels)


def test_a_slice_without_preamble_keeps_its_place(tmp_path):
    volume = noise(4, 3, 4)
    for place, pixels in enumerate(volume):
        write = save_bare if place == 1 else save
        write(tmp_path / "s" / f"IM{place}", placed(pixels, place))
    np.testing.assert_array_equal(images(tmp_path / "s"), volume)
    assert outline(tmp_path / "s", "acquired").ignored == 0


def test_how_far_slices_lie_apart_is_known_beside_their_thickness(tmp_path):
    for place in (0, 1, 3):
        save(tmp_path / "s" / f"IM{place}", placed(noise(), place))
    geometries = outline(tmp_path / "s", "acquired").geometries
    assert [one.spacing_mm for one in geometries] == pytest.approx([4, 8, 8])
    assert [one.thickness_mm for one in geometries] == [3, 3, 3]
    (alone,) = outline(save(tmp_path / "a.dcm", placed(noise(), 0)), "acquired").geometries
    assert alone.spacing_mm is None


@pytest.mark.parametrize("content", [b"", b"lost in the copy" * 20, b"\0" * 500])
@pytest.mark.parametrize("name", ["IM{}", "1.2.840.{}", "{}", "image-{}.mr"])
def test_a_file_named_as_a_slice_that_is_none_is_not_dropped(tmp_path, name, content):
    for place, pixels in enumerate(noise(4, 3, 4)):
        save(tmp_path / "s" / name.format(place), placed(pixels, place))
    lost = tmp_path / "s" / name.format(2)
    lost.write_bytes(content)
    with pytest.raises(UnusableError, match="named as the DICOM slices beside it") as error:
        outline(tmp_path / "s", "acquired")
    assert str(lost) in str(error.value)


@pytest.mark.filterwarnings("ignore")  # of pydicom, which writes what no UID is
@pytest.mark.parametrize(
    ("what", "is_lost"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", False),  # a report
        ("1.3.12.2.1107.5.9.1", False),  # Siemens' own class of what is no image
        ("1.2.840.10008.5.1.4.1.1.99999", True),  # none of DICOM's
        ("not a UID", True),
        ("", True),
    ],
)
def test_a_file_without_pixels_named_as_a_slice_says_what_else_it_is_or_is_lost(
    tmp_path, what, is_lost
):
    """A slice that damage has made look as if it had no pixels is not dropped without a word."""
    volume = noise(4, 3, 4)
    for place, pixels in enumerate(volume):
        save(tmp_path / "s" / f"IM{place}", placed(pixels, place))
    other = Dataset()
    other.file_meta = placed(volume[0], 4).file_meta
    other.file_meta.MediaStorageSOPClassUID = what
    other.PatientID, other.preamble = "ann", b"\0" * 128
    pydicom.dcmwrite(tmp_path / "s" / "IM4", other)
    if is_lost:
        with pytest.raises(UnusableError, match="nor says what else it is"):
            outline(tmp_path / "s", "acquired")
        return
    assert outline(tmp_path / "s", "acquired").ignored == 1
    np.testing.assert_array_equal(images(tmp_path / "s"), volume)


def test_an_image_by_its_dataset_alone_that_has_no_pixels_is_no_other_file(tmp_path):
    for place, pixels in enumerate(noise(4, 3, 4)):
        save(tmp_path / "s" / f"IM{place}", placed(pixels, place))
    other = Dataset()
    other.file_meta, other.preamble = FileMetaDataset(), b"\0" * 128
    other.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    other.SOPClassUID, other.PatientID = MRImageStorage, "ann"
    pydicom.dcmwrite(tmp_path / "s" / "IM4", other)
    with pytest.raises(UnusableError, match="ends before its pixels"):
        outline(tmp_path / "s", "acquired")


def test_what_systems_leave_behind_is_ignored_and_counted(tmp_path):
    volume = noise(4, 3, 4)
    for place, pixels in enumerate(volume):
        save(tmp_path / "s" / f"IM{place}.dcm", placed(pixels, place))
    left = (".DS_Store", "._IM1.dcm", "Thumbs.db", "desktop.ini", "DICOMDIR", "report.pdf")
    for name in left:
        (tmp_path / "s" / name).write_bytes(b"\0\5\x16\7" * 40)
    assert outline(tmp_path / "s", "acquired").ignored == len(left)
    np.testing.assert_array_equal(images(tmp_path / "s"), volume)


def test_a_file_named_as_dicom_that_is_none_says_so_without_a_hint_for_programmers(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"hello" * 99)
    with pytest.raises(UnusableError, match="named as DICOM and is none") as error:
        outline(tmp_path / "a.dcm", "acquired")
    assert "force" not in str(error.value)


@pytest.mark.parametrize("bare", [True, False])
def test_a_file_without_transfer_syntax_whose_pixels_are_compressed(tmp_path, bare):
    made = dataset(noise())
    made.compress(RLELossless)
    path = save(tmp_path / "a.dcm", made)
    content = path.read_bytes()
    start = content.index(b"\x08\0\x16\0UI")  # where the dataset begins
    path.write_bytes(content[start:] if bare else content[:132] + content[start:])
    with pytest.raises(UnusableError, match="compressed, and the file does not say how"):
        outline(path, "acquired")


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_compressed_without_loss_is_the_same(tmp_path, dtype):
    pytest.importorskip("openjpeg")
    low = 0 if dtype == np.uint16 else -2000
    made = dataset(noise(48, 40, dtype=dtype, low=low))
    plain = images(save(tmp_path / "a", made))
    made.compress(JPEG2000Lossless)
    np.testing.assert_array_equal(images(save(tmp_path / "b", made)), plain)


def test_where_decoders_fail_that_are_not_all_the_extra_is_advised(tmp_path, monkeypatch):
    made = dataset(noise(48, 40), JPEG2000Lossless, PixelData=encapsulate([b"damaged" * 9]))
    made["PixelData"].is_undefined_length = True
    path = save(tmp_path / "a", made)
    decoder = pydicom.pixels.get_decoder(JPEG2000Lossless)
    monkeypatch.setattr(decoder, "_unavailable", {"pylibjpeg": ("pylibjpeg>=2.0",)})
    with pytest.raises(UnusableError, match=r"pip install 'mrisweep\[dicom\]'`, export it again"):
        images(path)
    monkeypatch.setattr(decoder, "_unavailable", {})
    with pytest.raises(UnusableError, match=r"; export it again or remove its rows"):
        images(path)


@pytest.mark.parametrize("excess", [2, 6, 22])
def test_padding_after_the_pixels_is_left_out_and_said(tmp_path, excess):
    pixels = noise()
    made = dataset(pixels)
    made.PixelData += b"\xff" * excess
    path = save(tmp_path / "a", made)
    np.testing.assert_array_equal(images(path)[0], pixels)
    assert any("padding" in remark for remark in outline(path, "acquired").remarks)


def test_room_for_another_frame_is_no_padding(tmp_path):
    made = dataset(noise(2, 3, 4), NumberOfFrames=1)
    with pytest.raises(UnusableError, match="24 bytes promised, 48 stated"):
        outline(save(tmp_path / "a", made), "acquired")


@pytest.mark.parametrize(
    ("dtype", "name"), [(np.float32, "FloatPixelData"), (np.float64, "DoubleFloatPixelData")]
)
def test_a_parametric_map_of_floats(tmp_path, dtype, name):
    pixels = np.random.default_rng(4).normal(size=(2, 3, 4)).astype(dtype)
    made = dataset(
        noise(2, 3, 4),
        **dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation")),
        **{name: pixels.tobytes()},
        BitsAllocated=8 * pixels.itemsize,
        RescaleSlope=2,
        RescaleIntercept=1,
    )
    expected = (2 * pixels.astype(np.float64) + 1).astype(np.float32)
    np.testing.assert_array_equal(images(save(tmp_path / "a", made)), expected)


def test_a_map_with_nan_is_refused(tmp_path):
    pixels = np.full((3, 4), np.nan, np.float32)
    made = dataset(
        noise(),
        **dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation")),
        FloatPixelData=pixels.tobytes(),
        BitsAllocated=32,
    )
    path = save(tmp_path / "a", made)
    with pytest.raises(UnusableError, match="not finite"):
        images(path)


@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
def test_integers_of_32_bits_are_read_as_far_as_floats_hold_them(tmp_path, dtype):
    pixels = noise(dtype=dtype, high=2**24)
    np.testing.assert_array_equal(images(save(tmp_path / "a", dataset(pixels)))[0], pixels)
    pixels[0, 0] = 2**24 + 1
    with pytest.raises(UnusableError, match="beyond those that 32-bit floats hold exactly"):
        images(save(tmp_path / "a", dataset(pixels)))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_overlays_in_unused_bits_are_left_out(tmp_path, dtype):
    low = 0 if dtype == np.uint16 else -2048
    pixels = noise(dtype=dtype, low=low, high=low + 4096)
    stored = (pixels.view(np.uint16) & 0x0FFF) | (noise(high=16) << 12)
    made = dataset(stored.view(dtype), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(images(save(tmp_path / "a", made))[0], pixels)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("high", [12, 15])
def test_pixels_that_end_at_a_higher_bit(tmp_path, dtype, high):
    low = 0 if dtype == np.uint16 else -2048
    pixels = noise(dtype=dtype, low=low, high=low + 4096)
    shift = high - 11
    stored = ((pixels.view(np.uint16) & 0x0FFF) << shift) | noise(high=2**shift)
    made = dataset(stored.astype(np.uint16).view(dtype), BitsStored=12, HighBit=high)
    np.testing.assert_array_equal(images(save(tmp_path / "a", made))[0], pixels)


def real_world():
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 9.0, 9.0
    return [mapping]


def philips(made):
    block = made.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", 0.004)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Modality": "CT"}, r"not MR \(Modality CT\)"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary captures"),
        ({"BurnedInAnnotation": "YES"}, "writing in the picture"),
        ({"RealWorldValueMappingSequence": real_world()}, "RealWorldValueMapping, .* not applied"),
    ],
)
def test_what_one_should_know_of_a_file_is_said(tmp_path, changes, said):
    pixels = noise()
    path = save(tmp_path / "a", dataset(pixels, RescaleSlope=2, **changes))
    (remark,) = outline(path, "acquired").remarks
    assert re.search(said, remark)
    np.testing.assert_array_equal(images(path)[0], 2.0 * pixels)


def test_the_private_scale_of_philips_is_said_and_not_applied(tmp_path):
    pixels = noise()
    made = dataset(pixels, RescaleSlope=2)
    philips(made)
    path = save(tmp_path / "a", made)
    (remark,) = outline(path, "acquired").remarks
    assert "2005,100E" in remark
    assert "RescaleSlope" in remark
    np.testing.assert_array_equal(images(path)[0], 2.0 * pixels)


def test_of_an_ordinary_file_nothing_is_said(tmp_path):
    path = save(tmp_path / "a", dataset(noise(), Modality="MR", BurnedInAnnotation="NO"))
    assert outline(path, "acquired").remarks == ()
