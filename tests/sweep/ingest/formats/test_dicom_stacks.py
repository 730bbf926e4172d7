"""Folders and files of DICOM that are no single stack: never taken silently, one by choice."""

import gzip
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from sweep.core.errors import UnusableError, UserError
from sweep.ingest.formats.dicom.choice import ALL, choice_of, is_value
from sweep.ingest.formats.dicom.series import read_series
from sweep.ingest.formats.dicom.volume import outline, sections
from tests.support.series import ALONG, DOWN, NORMAL, dataset, noise

SLICES = 4


def images(path, choice=ALL, axis="acquired"):
    count = len(outline(path, axis, choice).geometries)
    return np.stack([one.image for one in sections(path, axis, range(count), choice)])


def write_slice(path, pixels, place, **changes):
    made = dataset(pixels, **changes)
    if "ImagePositionPatient" not in changes:
        made.ImagePositionPatient = (np.array([-50, 20, 30]) + 4 * place * NORMAL).tolist()
    path.parent.mkdir(exist_ok=True)
    made.save_as(path, enforce_file_format=True)


def write_stacks(folder, stacks, *, interleaved=True):
    """Write stacks of the same places into one folder; each with what its header says."""
    for part, (volume, changes) in enumerate(stacks):
        for place, pixels in enumerate(volume):
            number = len(stacks) * place + part if interleaved else part * len(volume) + place
            own = {"InstanceNumber": number, "SOPInstanceUID": f"1.2.{number}", **changes}
            write_slice(folder / f"IM{number}", pixels, place, **own)
    return folder


KINDS = {
    "two echoes": ({"EchoTime": "30.0"}, {"EchoTime": "80.00"}, "EchoTime=30", "EchoTime 30, 80"),
    "magnitude and phase": (
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
        "ImageType=M",
        r"ImageType ORIGINAL\PRIMARY\M\ND, ORIGINAL\PRIMARY\P\ND",
    ),
    "time points": (
        {"AcquisitionTime": "101500", "AcquisitionNumber": 1},
        {"AcquisitionTime": "101620", "AcquisitionNumber": 2},
        "AcquisitionNumber=1",
        "AcquisitionNumber 1, 2; AcquisitionTime 101500, 101620",
    ),
    "two series": (
        {"SeriesInstanceUID": "1.2.8", "SeriesDescription": "t1 post", "SeriesNumber": 7},
        {"SeriesInstanceUID": "1.2.9", "SeriesDescription": "t2", "SeriesNumber": 8},
        "SeriesNumber=7",
        "SeriesNumber 7, 8; SeriesDescription t1 post, t2",
    ),
    "two series with a name alone": (
        {"SeriesInstanceUID": "1.2.8", "SeriesDescription": "t1 post"},
        {"SeriesInstanceUID": "1.2.9", "SeriesDescription": "t2"},
        "'SeriesDescription=t1 post'",
        "SeriesDescription t1 post, t2",
    ),
    "two diffusion weightings": (
        {"DiffusionBValue": 0.0},
        {"DiffusionBValue": 1000.0},
        "DiffusionBValue=0",
        "DiffusionBValue 0, 1000",
    ),
}


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_differs_is_said_and_what_is_advised_takes_one(tmp_path, kind, interleaved):
    first, second, advice, said = KINDS[kind]
    wanted, other = noise(SLICES, 3, 4), noise(SLICES, 3, 4)[::-1]
    folder = write_stacks(
        tmp_path / "s", [(wanted, first), (other, second)], interleaved=interleaved
    )
    with pytest.raises(UnusableError) as error:
        outline(folder, "acquired")
    assert said in str(error.value)
    advised = re.search(r"`--take (.*?)`", str(error.value))[1]
    assert advised == advice
    choice = choice_of(shlex.split(advised))
    np.testing.assert_array_equal(images(folder, choice), wanted)
    assert len(outline(folder, "acquired", choice).paths) == SLICES
    assert any("other slices" in one for one in outline(folder, "acquired", choice).remarks)


def test_slices_of_one_place_are_counted(tmp_path):
    volumes = [(noise(SLICES, 3, 4), {"EchoTime": echo}) for echo in (10, 20, 30)]
    folder = write_stacks(tmp_path / "s", volumes)
    with pytest.raises(UnusableError, match="with 12 slices at 4 places; 3 lie at one") as error:
        outline(folder, "acquired")
    assert "EchoTime 10, 20, 30" in str(error.value)


def test_two_echoes_of_magnitude_and_phase_take_two_keywords(tmp_path):
    volumes = [
        (noise(SLICES, 3, 4) + 100 * echo, {"EchoTime": echo, "ImageType": ["ORIGINAL", part]})
        for echo in (10, 20)
        for part in ("M", "P")
    ]
    folder = write_stacks(tmp_path / "s", volumes)
    with pytest.raises(UnusableError, match="--take ImageType=M EchoTime=10`"):
        outline(folder, "acquired")
    choice = choice_of(["EchoTime=20", "ImageType=M"])
    np.testing.assert_array_equal(images(folder, choice), volumes[2][0])


def test_a_screenshot_among_the_slices_is_said(tmp_path):
    volume = noise(SLICES, 3, 4)
    folder = write_stacks(tmp_path / "s", [(volume, {"ImageType": ["ORIGINAL", "PRIMARY"]})])
    shot = {"ImageType": ["DERIVED", "SECONDARY"], "ImagePositionPatient": ""}
    write_slice(folder / "shot", volume[0], 0, **shot)
    with pytest.raises(UnusableError, match=r"2 kinds of slices: 'with a.*--take ImageType=ORIG"):
        outline(folder, "acquired")
    np.testing.assert_array_equal(images(folder, choice_of(["ImageType=ORIGINAL"])), volume)


def test_a_copy_of_a_slice_is_said(tmp_path):
    volume = noise(SLICES, 3, 4)
    folder = write_stacks(tmp_path / "s", [(volume, {})])
    (folder / "IM2 (1)").write_bytes((folder / "IM2").read_bytes())
    with pytest.raises(
        UnusableError,
        match=r"2 lie at one \(IM2, IM2 \(1\)\), and nothing tells them apart.*folder of its own",
    ):
        outline(folder, "acquired")


def test_without_places_two_slices_of_one_number_are_said(tmp_path):
    volumes = [(noise(SLICES, 3, 4), {"EchoTime": echo}) for echo in (10, 20)]
    folder = write_stacks(tmp_path / "s", volumes, interleaved=False)
    for path in folder.iterdir():
        made = pydicom.dcmread(path)
        made.InstanceNumber, made.ImagePositionPatient = made.InstanceNumber % SLICES, ""
        made.save_as(path)
    with pytest.raises(UnusableError, match="--take EchoTime=10`"):
        outline(folder, "acquired")


def test_of_localizers_one_orientation_is_taken(tmp_path):
    planes = ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1])
    folder = tmp_path / "s"
    volume = noise(9, 3, 4)
    for number, pixels in enumerate(volume):
        along, down = np.reshape(planes[number // 3], (2, 3))
        place = (4 * (number % 3) * np.cross(along, down)).tolist()
        changes = {"ImageOrientationPatient": planes[number // 3], "ImagePositionPatient": place}
        write_slice(folder / f"IM{number}", pixels, 0, **changes)
    with pytest.raises(UnusableError, match="3 image orientations") as error:
        outline(folder, "acquired")
    advised = re.search(r"`--take (.*?)`", str(error.value))[1]
    assert len(images(folder, choice_of(shlex.split(advised)))) == 3
    choice = choice_of([r"ImageOrientationPatient=1\0\0\0\0\-1"])
    np.testing.assert_array_equal(images(folder, choice), volume[3:6])


def test_what_is_not_taken_need_not_be_readable(tmp_path):
    volume = noise(SLICES, 3, 4)
    folder = write_stacks(tmp_path / "s", [(volume, {"Modality": "MR"})])
    write_slice(folder / "shot", noise(9, 9), 0, Modality="SC", PhotometricInterpretation="HSV")
    with pytest.raises(UnusableError, match="HSV"):
        outline(folder, "acquired")
    choice = choice_of(["Modality=MR"])
    np.testing.assert_array_equal(images(folder, choice), volume)
    assert outline(folder, "acquired", choice).ignored == 0


def test_nothing_that_is_taken_says_what_there_is(tmp_path):
    folder = write_stacks(tmp_path / "s", [(noise(SLICES, 3, 4), {"EchoTime": 30})])
    with pytest.raises(UnusableError, match=r"--take asks for; .*EchoTime=80.*have EchoTime 30;"):
        outline(folder, "acquired", choice_of(["EchoTime=80"]))


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        ("80", "80.0", True),
        ("80", "8", False),
        (r"ORIGINAL\PRIMARY\M\ND", "m", True),
        (r"ORIGINAL\PRIMARY\M\ND", r"ORIGINAL\PRIMARY\M\ND", True),
        (r"ORIGINAL\PRIMARY\M\ND", r"ORIGINAL\PRIMARY\P\ND", False),
        (r"ORIGINAL\PRIMARY\M", r"ORIGINAL\PRIMARY\M\ND", False),
        ("t2_flair_tra", "*FLAIR*", True),
        ("t2 [tra]", "t2 [tra]", True),
        ("", "*", False),
        (r"1\0\0\0\0.999986\-0.00523", r"1\0\0\0\0.99999\-0.00523", True),
    ],
)
def test_a_value_is_meant_as_a_user_writes_it(value, wanted, same):
    assert is_value(value, wanted) == same


def test_one_keyword_twice_is_either(tmp_path):
    folder = write_stacks(tmp_path / "s", [(noise(SLICES, 3, 4), {"EchoTime": 82})])
    assert len(images(folder, choice_of(["EchoTime=80", "EchoTime=82"]))) == SLICES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EchoTime", "cannot be read; received 'EchoTime'; give a keyword"),
        ("EchoTime=", "cannot be read"),
        ("=80", "cannot be read"),
        ("EkoTime=80", "no keyword of DICOM; received 'EkoTime'; did you mean 'EchoTime'"),
        ("qqqq=80", "give one such as EchoTime"),
    ],
)
def test_a_choice_that_cannot_be_meant(text, message):
    with pytest.raises(UserError, match=message):
        choice_of([text])


def test_a_tag_stands_for_a_private_element(tmp_path):
    folder = tmp_path / "s"
    volume = noise(2 * SLICES, 3, 4)
    for number, pixels in enumerate(volume):
        made = dataset(pixels, InstanceNumber=number)
        made.ImagePositionPatient = (4.0 * (number % SLICES) * NORMAL).tolist()
        block = made.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x2F, "SS", number // SLICES)
        folder.mkdir(exist_ok=True)
        made.save_as(folder / f"IM{number}", enforce_file_format=True)
    with pytest.raises(UnusableError, match=r"differ in 0043,102F 0, 1; .*--take 0043,102F=0`"):
        outline(folder, "acquired")
    np.testing.assert_array_equal(images(folder, choice_of(["0043,102f=1"])), volume[SLICES:])


def enhanced(volumes, macro, name):
    """One enhanced file with a stack for each value of an attribute, frame by frame."""
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [2, 0.5], 3
    orientation.ImageOrientationPatient = [*ALONG, *DOWN]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    frames, groups = [], []
    for place in range(SLICES):
        for value, volume in volumes.items():
            where, what, units, group = Dataset(), Dataset(), Dataset(), Dataset()
            where.ImagePositionPatient = (4 * place * NORMAL).tolist()
            setattr(what, name, value)
            units.RescaleSlope, units.RescaleIntercept = len(groups) + 1, 5
            group.PlanePositionSequence, group.PixelValueTransformationSequence = [where], [units]
            setattr(group, macro, [what])
            groups.append(group)
            frames.append(volume[place])
    return dataset(
        np.stack(frames),
        **dict.fromkeys(("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
    )


@pytest.mark.parametrize(
    ("macro", "name", "values"),
    [
        ("MREchoSequence", "EffectiveEchoTime", (30.0, 80.0)),
        ("FrameContentSequence", "StackID", ("1", "2")),
        ("FrameContentSequence", "TemporalPositionIndex", (1, 2)),
        ("MRImageFrameTypeSequence", "ComplexImageComponent", ("MAGNITUDE", "PHASE")),
        ("MRDiffusionSequence", "DiffusionBValue", (0.0, 1000.0)),
    ],
)
def test_an_enhanced_file_of_two_stacks(tmp_path, macro, name, values):
    volumes = dict(zip(values, (noise(SLICES, 3, 4), noise(SLICES, 3, 4) // 2), strict=True))
    path = tmp_path / "a.dcm"
    enhanced(volumes, macro, name).save_as(path, enforce_file_format=True)
    with pytest.raises(UnusableError, match=f"8 slices at 4 places.*{name}=.*or split the file"):
        outline(path, "acquired")
    slopes = 2 * np.arange(SLICES)[:, None, None] + 2
    taken = images(path, choice_of([f"{name}={values[1]}"]))
    np.testing.assert_array_equal(taken, volumes[values[1]] * slopes + 5.0)


@pytest.fixture
def mosaics(tmp_path):
    """Two mosaics of nibabel's tests: one volume of 48 slices each, at two diffusion weightings."""
    nibabel = pytest.importorskip("nibabel")
    source = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"
    if not source.is_dir():
        pytest.skip("nibabel comes without its test data")
    folder = tmp_path / "dwi"
    folder.mkdir()
    for name in ("siemens_dwi_0.dcm", "siemens_dwi_1000.dcm"):
        (folder / name).write_bytes(gzip.decompress((source / f"{name}.gz").read_bytes()))
    (tmp_path / "resized.dcm").write_bytes((source / "0.dcm").read_bytes())
    return folder


def reading_of_nibabel(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_data

        return wrapper_from_data(pydicom.dcmread(path))


@pytest.mark.parametrize("name", ["siemens_dwi_0.dcm", "siemens_dwi_1000.dcm"])
def test_a_mosaic_is_unpacked_as_nibabel_reads_it(mosaics, name):
    path = mosaics / name
    expected = reading_of_nibabel(path)
    assert expected.is_mosaic
    np.testing.assert_array_equal(images(path), expected.get_data().transpose(2, 0, 1))
    affine = expected.affine
    for number, one in enumerate(read_series(path, ALL).slices):
        place = affine[:3, 3] + number * affine[:3, 2]
        np.testing.assert_allclose(one.frame.position, place, atol=1e-6)
    assert outline(path, "acquired").remarks == ("Volumes unpacked from Siemens mosaics",)
    assert outline(path, "axial").shape == (128, 128)


def test_mosaics_of_one_folder_are_time_points(mosaics):
    with pytest.raises(UnusableError, match="with 96 slices at 48 places; 2 lie at one") as error:
        outline(mosaics, "acquired")
    advised = re.search(r"`--take (.*?)`", str(error.value))[1]
    assert len(images(mosaics, choice_of(shlex.split(advised)))) == 48


def test_a_mosaic_that_lost_its_private_header_is_refused(mosaics):
    path = mosaics / "siemens_dwi_0.dcm"
    made = pydicom.dcmread(path)
    made.remove_private_tags()
    made.save_as(path)
    with pytest.raises(UnusableError, match=r"a Siemens mosaic.*does not say.*dcm2niix"):
        outline(path, "acquired")


def test_a_mosaic_that_was_resized_is_refused(mosaics):
    with pytest.raises(UnusableError, match="no whole number of pixels"):
        outline(mosaics.parent / "resized.dcm", "acquired")
