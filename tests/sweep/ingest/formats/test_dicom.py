import warnings

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.volume import outline, sections
from tests.support.series import ALONG, DOWN, NORMAL, dataset, noise

DICOMDIR = "1.2.840.10008.1.3.10"


@pytest.fixture
def save(tmp_path):
    def write(made, name="a.dcm"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def stack(save):
    """Write a volume (slice, row, column) as a folder of files, named in another order."""

    def write(volume, step=4 * NORMAL, **changes):
        for number, pixels in enumerate(volume):
            made = dataset(pixels, **changes)
            if "ImagePositionPatient" not in changes:
                made.ImagePositionPatient = (np.array([-50, 20, 30]) + number * step).tolist()
            made.InstanceNumber = 1 + (5 * number) % len(volume)
            name = f"series/IM{(3 * number) % len(volume)}"
            path = save(made, name)
        return path.parent

    return write


def planes(path, axis="acquired"):
    return list(sections(path, axis, range(len(outline(path, axis).geometries))))


def images(path, axis="acquired"):
    return np.stack([one.image for one in planes(path, axis)])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_stored_values_of_every_width_and_syntax(save, dtype, syntax):
    pixels = noise(dtype=dtype, high=np.iinfo(dtype).max, low=np.iinfo(dtype).min)
    if syntax == RLELossless:
        made = dataset(pixels)
        made.compress(RLELossless)
    else:
        made = dataset(pixels, syntax)
    read = images(save(made))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, pixels[None])


def test_the_header_says_what_a_slice_is(save):
    found = outline(save(dataset(noise())), "acquired")
    (geometry,) = found.geometries
    assert (found.patient, found.sequence, found.shape) == ("ann", "T1 sag", (3, 4))
    assert (geometry.pixel_mm, geometry.thickness_mm) == ((2.0, 0.5), 3.0)
    np.testing.assert_allclose(geometry.orientation, (ALONG, DOWN))


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"SeriesDescription": None, "ProtocolName": "t2"}, "sequence", "t2"),
        ({"SeriesDescription": None}, "sequence", ""),
        ({"PatientID": None}, "patient", ""),
        ({"PatientID": " bob "}, "patient", "bob"),
    ],
)
def test_what_a_header_may_leave_out(save, changes, attribute, value):
    assert getattr(outline(save(dataset(noise(), **changes)), "acquired"), attribute) == value


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ({"SliceThickness": None, "SpacingBetweenSlices": 5}, "thickness_mm", 5),
        ({"SliceThickness": None}, "thickness_mm", None),
        ({"SliceThickness": 0}, "thickness_mm", None),
        ({"PixelSpacing": None}, "pixel_mm", None),
        ({"PixelSpacing": ""}, "pixel_mm", None),
        ({"PixelSpacing": [0, 1]}, "pixel_mm", None),
        ({"ImageOrientationPatient": None}, "orientation", None),
        ({"ImageOrientationPatient": [0] * 6}, "orientation", None),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "orientation", None),
    ],
)
def test_geometry_that_is_missing_or_senseless_is_unknown(save, changes, attribute, value):
    (geometry,) = outline(save(dataset(noise(), **changes)), "acquired").geometries
    assert getattr(geometry, attribute) == value


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_slope_and_intercept_are_applied_as_pydicom_applies_them(save, dtype):
    made = dataset(noise(dtype=dtype), RescaleSlope=1.7, RescaleIntercept=-900)
    expected = apply_modality_lut(made.pixel_array, made)
    np.testing.assert_allclose(images(save(made))[0], expected, rtol=1e-6)


@pytest.mark.parametrize(("stored", "dtype"), [(12, np.uint16), (8, np.uint8), (12, np.int16)])
def test_monochrome1_is_turned_over_within_its_stored_bits(save, stored, dtype):
    least, greatest = (0, 2**stored - 1) if dtype != np.int16 else (-2048, 2047)
    pixels = np.array([[least, greatest, 1, 100]], dtype)
    path = save(
        dataset(
            pixels,
            PhotometricInterpretation="MONOCHROME1",
            BitsStored=stored,
            HighBit=stored - 1,
            RescaleSlope=2,
            RescaleIntercept=10,
        )
    )
    expected = 2.0 * (least + greatest - pixels.astype(float)) + 10
    np.testing.assert_array_equal(images(path)[0], expected)


def test_signed_values_in_fewer_bits_than_allocated(save):
    pixels = np.array([[-2048, -1, 0, 2047]], np.int16)
    made = dataset((pixels & 0x0FFF).astype(np.int16), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(images(save(made))[0], pixels)


def colour(pixels, kind="RGB"):
    channels = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": kind}
    data = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return dataset(pixels[..., 0], PixelData=data, **channels)


def test_three_equal_channels_are_grey(save):
    grey = noise(dtype=np.uint8, high=200)
    np.testing.assert_array_equal(images(save(colour(np.stack([grey] * 3, -1))))[0], grey)
    neutral = np.full_like(grey, 128)
    ybr = colour(np.stack([grey, neutral, neutral], -1), "YBR_FULL")
    np.testing.assert_array_equal(images(save(ybr))[0], grey)


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL"])
def test_colour_is_refused(save, kind):
    grey = noise(dtype=np.uint8, high=200)
    path = save(colour(np.stack([grey, grey // 2, grey], -1), kind))
    with pytest.raises(
        UnusableError, match=r"is in colour; received .*a\.dcm with channels that differ by up to"
    ):
        planes(path)


@pytest.mark.parametrize("blue", [1, 0.3])
def test_a_palette_passes_if_it_is_grey(save, blue):
    table = (np.arange(256) * 257).astype(np.uint16)
    tables = {
        **dict.fromkeys(["RedPalette", "GreenPalette"], table),
        "BluePalette": (table * blue).astype(np.uint16),
    }
    made = dataset(noise(dtype=np.uint8, high=256), PhotometricInterpretation="PALETTE COLOR")
    for name, values in tables.items():
        setattr(made, f"{name}ColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{name}ColorLookupTableData", values.tobytes())
    path = save(made)
    if blue == 1:
        np.testing.assert_array_equal(images(path)[0], made.pixel_array * 257.0)
    else:
        with pytest.raises(UnusableError, match="is in colour"):
            planes(path)


def groups(number, step):
    """Functional groups of a frame: where it is, and how its values become units."""
    place, value = Dataset(), Dataset()
    place.ImagePositionPatient = (np.array([-50, 20, 30]) + number * step).tolist()
    value.RescaleSlope, value.RescaleIntercept = 1 + number, -number
    group = Dataset()
    group.PlanePositionSequence, group.PixelValueTransformationSequence = [place], [value]
    return group


def enhanced(volume, order, step=4 * NORMAL):
    """An enhanced MR file whose frames are the slices of a volume in some order."""
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [2, 0.5], 3
    orientation.ImageOrientationPatient = [*ALONG, *DOWN]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    return dataset(
        volume[order],
        ImageOrientationPatient=None,
        ImagePositionPatient=None,
        PixelSpacing=None,
        SliceThickness=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[groups(number, step) for number in order],
    )


def test_frames_of_an_enhanced_file_are_sorted_and_scaled_each_by_its_own(save):
    volume = noise(5, 3, 4)
    path = save(enhanced(volume, [3, 0, 4, 2, 1]))
    number = np.arange(5)[:, None, None]
    np.testing.assert_array_equal(images(path), volume * (1.0 + number) - number)
    for geometry in outline(path, "acquired").geometries:
        assert (geometry.pixel_mm, geometry.thickness_mm) == ((2.0, 0.5), 3.0)
        np.testing.assert_allclose(geometry.orientation, (ALONG, DOWN))


def test_frames_without_places_stay_in_their_order(save):
    volume = noise(5, 3, 4)
    path = save(dataset(volume))  # the file's one position is none of a frame
    np.testing.assert_array_equal(images(path), volume)
    with pytest.raises(UnusableError, match="5 slices: 0 with a position"):
        outline(path, "axial")


def test_an_enhanced_file_describes_every_frame(save):
    made = enhanced(noise(5, 3, 4), list(range(5)))
    made.PerFrameFunctionalGroupsSequence = made.PerFrameFunctionalGroupsSequence[:3]
    with pytest.raises(UnusableError, match=r"a\.dcm with 5 frames and 3 descriptions"):
        outline(save(made), "acquired")


@pytest.mark.parametrize(
    ("removed", "order"),
    [
        ([], range(7)),
        (["ImagePositionPatient"], [5 * number % 7 for number in range(7)]),
        (["ImageOrientationPatient"], [5 * number % 7 for number in range(7)]),
        (["ImagePositionPatient", "InstanceNumber"], [3 * number % 7 for number in range(7)]),
    ],
    ids=["by place", "by number without a place", "by number without a normal", "by name"],
)
def test_slices_are_sorted(save, stack, removed, order):
    volume = noise(7, 3, 4)
    folder = stack(volume)
    for path in folder.iterdir():
        made = pydicom.dcmread(path)
        for name in removed:
            delattr(made, name)
        made.save_as(path)
    np.testing.assert_array_equal(images(folder), volume[np.argsort(order)])


def test_files_of_several_frames_follow_one_another(save):
    volume = noise(6, 3, 4)
    for number in (0, 1):
        made = dataset(volume[3 * number :][:3], ImagePositionPatient=None, InstanceNumber=number)
        path = save(made, f"series/{1 - number}")
    np.testing.assert_array_equal(images(path.parent), volume)


def test_names_are_sorted_by_their_numbers(save):
    for number in (2, 10, 1):
        pixels = np.full((2, 2), number, np.uint16)
        path = save(dataset(pixels, ImagePositionPatient=None), f"series/IM{number}.dcm")
    assert images(path.parent)[:, 0, 0].tolist() == [1, 2, 10]


def test_other_files_in_the_folder_are_ignored_and_counted(save, stack):
    volume = noise(4, 3, 4)
    folder = stack(volume)
    (folder / "README.txt").write_text("exported by hand")
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "subfolder").mkdir()
    directory = dataset(noise(), PixelData=None, Rows=None, SOPClassUID=DICOMDIR)
    save(directory, "series/DICOMDIR")
    found = outline(folder, "acquired")
    assert found.ignored == 3
    assert {path.name for path in found.paths} == {f"IM{number}" for number in range(4)}
    np.testing.assert_array_equal(images(folder), volume)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"SeriesInstanceUID": "9.9"},
            r"with 2 series: '1\.2\.3', '9\.9', which .* `--take SeriesInstanceUID=1\.2\.3`",
        ),
        ({"PatientID": "bob"}, "with 2 patients: 'ann', 'bob'"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, r"2 image orientations: '0\.800.*'1\.00"),
    ],
)
def test_a_folder_of_several_volumes_is_unusable(save, stack, changes, message):
    folder = stack(noise(4, 3, 4))
    save(dataset(noise(), **changes), "series/other")
    with pytest.raises(UnusableError, match=message):
        outline(folder, "acquired")


def test_a_series_has_one_matrix(save, stack):
    folder = stack(noise(4, 3, 4))
    save(dataset(noise(5, 6)), "series/other")
    with pytest.raises(UnusableError, match="2 matrix sizes: '3 x 4', '5 x 6'"):
        outline(folder, "acquired")


def test_a_localizer_in_one_file_is_several_orientations(save):
    made = enhanced(noise(2, 3, 4), [0, 1])
    other = Dataset()
    other.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PerFrameFunctionalGroupsSequence[1].PlaneOrientationSequence = [other]
    with pytest.raises(UnusableError, match="2 image orientations"):
        outline(save(made), "acquired")


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("kind", ["files", "frames"])
def test_a_marker_of_a_stack_shows_at_its_place(save, stack, axis, kind):
    volume = np.zeros((5, 3, 4), np.uint16)
    volume[3, 1, 2] = 700
    path = stack(volume) if kind == "files" else save(enhanced(volume, [4, 2, 0, 1, 3]))
    start = np.array([-50, 20, 30])
    marker = start + 3 * 4 * NORMAL + 1 * 2 * np.array(DOWN) + 2 * 0.5 * np.array(ALONG)
    (geometry, *_) = outline(path, axis).geometries
    read = images(path, axis)
    number, row, column = np.unravel_index(read.argmax(), read.shape)
    (height, width), (along, down) = geometry.pixel_mm, map(np.array, geometry.orientation)
    across = np.cross(along, down)
    step = geometry.thickness_mm * across
    # The corner of the display is where the marker's steps back lead, and no voxel is beyond it.
    corner = marker - number * step - row * height * down - column * width * along
    corners = [
        start + n * 4 * NORMAL + r * 2 * np.array(DOWN) + c * 0.5 * np.array(ALONG)
        for n in (0, 4)
        for r in (0, 2)
        for c in (0, 3)
    ]
    for direction in (across, down, along):
        lowest = min(point @ direction for point in corners)
        assert corner @ direction == pytest.approx(lowest, abs=1e-6)
    expected = {
        "axial": ((1, 0, 0), (0, 1, 0)),
        "coronal": ((1, 0, 0), (0, 0, -1)),
        "sagittal": ((0, 1, 0), (0, 0, -1)),
    }
    for direction, ideal in zip((along, down), expected[axis], strict=True):
        assert direction @ np.array(ideal) > 0.7


def test_the_outline_of_a_stack_foretells_its_sections(stack):
    folder = stack(noise(5, 3, 4))
    for axis in ("acquired", "axial", "coronal", "sagittal"):
        foretold, read = outline(folder, axis), planes(folder, axis)
        assert {one.image.shape for one in read} == {foretold.shape}
        assert tuple(one.geometry for one in read) == foretold.geometries


def test_only_the_numbered_planes_come_in_their_order(stack):
    volume = noise(5, 3, 4)
    folder = stack(volume)
    for numbers in ((), (3,), (4, 0, 4)):
        read = [one.image for one in sections(folder, "acquired", numbers)]
        np.testing.assert_array_equal(np.array(read).reshape(-1, 3, 4), volume[list(numbers)])


@pytest.mark.parametrize("off", [0.009, 0.011])
@pytest.mark.parametrize("direction", [NORMAL, np.array(ALONG)], ids=["along", "aside"])
def test_a_stack_is_regular_within_one_percent(stack, off, direction):
    folder = stack(noise(5, 3, 4))
    path = folder / f"IM{3 * 2 % 5}"  # the middle slice: one step grows, the other shrinks
    made = pydicom.dcmread(path)
    moved = np.array(made.ImagePositionPatient, float) + off * 4 * direction
    made.ImagePositionPatient = moved.round(6).tolist()
    made.save_as(path)
    assert len(planes(folder)) == 5
    if off < 0.01:
        assert planes(folder, "axial")
    else:
        with pytest.raises(
            UnusableError, match=r"to 1 %, equal steps along a line, .*series with steps"
        ):
            outline(folder, "axial")


@pytest.mark.parametrize(
    "changes",
    [{"ImagePositionPatient": ""}, {"PixelSpacing": ""}, {"ImageOrientationPatient": ""}],
    ids=["no place", "no spacing", "no orientation"],
)
def test_other_planes_need_a_stack(stack, changes):
    folder = stack(noise(4, 3, 4), **changes)
    assert len(planes(folder)) == 4
    with pytest.raises(
        UnusableError, match=r"planes other than the acquired ones need; received .*series"
    ):
        outline(folder, "coronal")


def test_a_single_slice_has_no_other_planes(save):
    with pytest.raises(UnusableError, match="with 1 slice: "):
        outline(save(dataset(noise())), "axial")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Rows": None}, r"lacks attributes .*a\.dcm without Rows; export"),
        (
            {"Rows": None, "BitsStored": None},
            r"lacks attributes .*a\.dcm without Rows, BitsStored;",
        ),
        ({"Rows": 0}, r"no pixels; received .*a\.dcm with 0 x 4 pixels in 1 frames"),
        ({"Rows": 4}, r"a\.dcm with 32 bytes promised, 24 stated and 24 in the file"),
        ({"Columns": 2}, r"a\.dcm with 12 bytes promised, 24 stated"),
        ({"NumberOfFrames": 2}, r"a\.dcm with 48 bytes promised"),
        ({"PhotometricInterpretation": "HSV"}, r"a\.dcm with HSV, 1 samples of 16 bits"),
        ({"PhotometricInterpretation": "RGB"}, r"a\.dcm with RGB, 1 samples"),
        ({"BitsAllocated": 64}, r"a\.dcm with .*of 64 bits"),
        ({"BitsAllocated": 32}, r"a\.dcm with 48 bytes promised"),
        ({"BitsStored": 12, "HighBit": 17}, r"BitsAllocated 16, BitsStored 12, HighBit 17"),
        ({"ModalityLUTSequence": [Dataset()]}, r"by a table.*a\.dcm with a ModalityLUTSequence"),
        ({"PixelData": None}, r"ends before its pixels; received .*a\.dcm;"),
        ({"PixelData": None, "Rows": None}, r"ends before its pixels; received .*a\.dcm;"),
    ],
)
def test_a_header_that_contradicts_the_pixels(save, changes, message):
    with pytest.raises(UnusableError, match=message):
        outline(save(dataset(noise(), **changes)), "acquired")


@pytest.mark.filterwarnings("ignore")  # of pydicom, which writes what no number is
@pytest.mark.parametrize("value", ["nan", "inf", ["1", "2"]])
@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept"])
def test_units_that_are_no_number_are_not_taken_for_none(save, name, value):
    path = save(dataset(noise(), **{name: value}))
    with pytest.raises(UnusableError, match=f"units of the values .*{name}"):
        planes(path)


def test_units_beyond_float32(save):
    path = save(dataset(noise(), RescaleSlope="1e38"))
    with pytest.raises(
        UnusableError, match=r"not finite as 32-bit floats.* received .*a\.dcm with slope 1e"
    ):
        planes(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["a.dcm", "series/a"])
def test_a_file_cut_anywhere_is_unusable_or_reads_the_same(save, compressed, name):
    pixels = noise(9, 11)
    made = dataset(pixels)
    if compressed:
        made.compress(RLELossless)
    path = save(made, name)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        try:
            read = images(path if name == "a.dcm" else path.parent)
        except UnusableError:
            continue
        assert length > len(whole) - 20
        np.testing.assert_array_equal(read[0], pixels)


@pytest.mark.parametrize(
    ("syntax", "plugins"), [(JPEGLSLossless, ()), (JPEGExtended12Bit, ("pillow",))]
)
def test_a_missing_decoder_is_named_before_a_pixel_is_read(save, monkeypatch, syntax, plugins):
    made = dataset(noise(), syntax, PixelData=encapsulate([b"\xff\xd8\xff\xd9"]))
    made["PixelData"].is_undefined_length = True
    decoder = pydicom.pixels.get_decoder(syntax)
    monkeypatch.setattr(decoder, "_available", dict.fromkeys(plugins))
    with pytest.raises(
        UnusableError, match=r"no decoder .*a\.dcm with JPEG.*pip install 'mrisweep\[dicom\]'"
    ):
        outline(save(made), "acquired")


def test_a_syntax_that_nothing_decodes(save):
    made = dataset(noise())
    path = save(made)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))
    with pytest.raises(UnusableError, match=r"nothing here can decode; received .*a\.dcm with 1"):
        outline(path, "acquired")


@pytest.mark.parametrize("content", [b"", b"notes", b"\0" * 128 + b"DICM", b"\0" * 400])
@pytest.mark.parametrize("name", ["a.dcm", "notes"])
def test_files_of_another_kind(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableError, match=name):
        outline(tmp_path / name, "acquired")


def test_a_folder_without_images(tmp_path):
    (tmp_path / "README").write_text("nothing here")
    with pytest.raises(UnusableError, match="name the file or folder of one series"):
        outline(tmp_path, "acquired")


def test_a_damaged_dicom_file_spoils_its_folder(save, stack):
    folder = stack(noise(4, 3, 4))
    (folder / "IM9.dcm").write_bytes(b"lost in the copy")
    with pytest.raises(UnusableError, match=r"IM9\.dcm"):
        outline(folder, "acquired")


def test_sloppy_files_are_read_without_noise(save, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = dataset(noise())
        made.SeriesInstanceUID = "1.02.x"
        made.SpecificCharacterSet = "ISO_IR 999"
        made.SliceThickness = "3.00000000000000000000"
        path = save(made)
    assert outline(path, "acquired").geometries[0].thickness_mm == 3
    assert len(planes(path)) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compressed", [False, True])
def test_no_damage_makes_any_other_error(save, compressed):
    made = dataset(noise())
    if compressed:
        made.compress(RLELossless)
    path = save(made)
    whole = path.read_bytes()
    generator = np.random.default_rng(6)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in generator.integers(128, len(whole), 3):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            read = planes(path)
        except UnusableError:
            continue
        assert all(np.isfinite(one.image).all() for one in read)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_a_header_of_two_thousand_million_frames_is_refused_at_once(save, syntax):
    pixels = noise(2, 3, 4, dtype=np.uint8, high=200)
    made = dataset(pixels)
    if syntax == RLELossless:
        made.compress(RLELossless)
    made.NumberOfFrames = 2_000_000_000
    with pytest.raises(
        UnusableError, match=r"more than 100000 frames; received .* with 20{9}; exp"
    ):
        outline(save(made), "acquired")


@pytest.mark.parametrize("axis", ["acquired", "axial"])
def test_instance_numbers_are_those_of_the_slices_as_acquired(axis, tmp_path):
    for place, number in enumerate((7, 3, 5)):
        made = dataset(
            noise(6, 6),
            InstanceNumber=number,
            SOPInstanceUID=f"1.2.{number}",
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, 4 * place],
        )
        made.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    found = outline(tmp_path, axis).instances
    assert found == ((7, 3, 5) if axis == "acquired" else ())
