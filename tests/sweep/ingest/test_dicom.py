import pickle
from functools import partial

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from sweep.core.errors import UserError
from sweep.ingest.formats.dicom.choice import choice_of
from sweep.ingest.formats.dicom.volume import DICOM, dicom
from sweep.ingest.formats.manifest import USUALLY
from sweep.ingest.making import Making
from sweep.ingest.volumes import plan_volumes
from sweep.store.slices import check_slices
from sweep.store.splits import SplitAssigner, equal_folds
from tests.support.series import write_slice

DEALING = SplitAssigner(equal_folds(2))


def volume(number):
    return np.random.default_rng(number).integers(0, 900, (4, 5, 6)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path):
    """Three series, each in a folder of its own, written from the head down."""
    for number in range(3):
        (tmp_path / f"s{number}").mkdir()
        for place, pixels in enumerate(volume(number)):
            write_slice(tmp_path / f"s{number}" / f"IM{9 - place}", pixels, f"id-{number}", place)
    (tmp_path / "s1" / "README").write_text("by hand")
    (tmp_path / "manifest.csv").write_text("file,label\ns0,tear\ns1,cyst\ns2,tear\n")
    return tmp_path


def plan(folder, form=DICOM, axis="acquired", reading=USUALLY, **options):
    making = Making(DEALING, **options)
    return plan_volumes(folder / "manifest.csv", folder, form, making, axis=axis, reading=reading)


def read(planned):
    reader = pickle.loads(pickle.dumps(planned.reader))
    return [np.stack([plane.image for plane in reader(item)]) for item in planned.items]


def test_series_become_slices_from_feet_to_head(folder):
    planned = plan(folder)
    for number, images in enumerate(read(planned)):
        np.testing.assert_array_equal(images, volume(number))
    assert [one.key for one in planned.items[2].slices] == [f"id-2/s2/{n:03d}" for n in range(4)]
    assert {one.sequence for one in planned.slices} == {"T1 post"}
    assert planned.slices[0].geometry.pixel_mm == (0.5, 1.0)
    assert planned.slices[0].geometry.thickness_mm == 3
    assert planned.task == "multiclass"
    assert len(planned.items[0].paths) == 4
    check_slices(planned.slices, planned.label_names, planned.task)


def test_the_notes_say_what_was_ignored_and_whose_names_are_kept(folder):
    notes = plan(folder).notes
    assert "Files beside the volumes that are no image of them: 1; ignored." in notes
    assert any("PatientID of their file: 3;" in note and "identified" in note for note in notes)


def test_the_manifest_may_name_the_patients(folder):
    (folder / "manifest.csv").write_text("file,label,patient\ns0,x,a\ns1,y,b\ns2,x,b\n")
    planned = plan(folder)
    assert [item.slices[0].patient for item in planned.items] == ["a", "b", "b"]
    assert not any("PatientID" in note for note in planned.notes)


@pytest.mark.parametrize(
    ("axis", "seen", "pixel_mm"),
    [
        ("axial", lambda stack: stack, (0.5, 1.0)),
        ("coronal", lambda stack: stack[::-1].transpose(1, 0, 2), (4.0, 1.0)),
        ("sagittal", lambda stack: stack[::-1, :, ::-1].transpose(2, 0, 1), (4.0, 0.5)),
    ],
)
def test_planes_along_an_axis(folder, axis, seen, pixel_mm):
    planned = plan(folder, axis=axis)
    for number, images in enumerate(read(planned)):
        np.testing.assert_array_equal(images, seen(volume(number)))
    assert planned.slices[0].geometry.pixel_mm == pixel_mm


def test_single_files_are_items_of_their_own(folder):
    rows = [
        f"s{number}/IM{name},{'x' if number else 'y'}" for number in range(2) for name in (6, 9)
    ]
    (folder / "manifest.csv").write_text("\n".join(["file,label", *rows]))
    planned = plan(folder)
    assert [one.key for one in planned.slices][:2] == ["id-0/s0/IM6/000", "id-0/s0/IM9/000"]
    np.testing.assert_array_equal(read(planned)[0][0], volume(0)[3])


def test_a_damaged_slice_spoils_its_series_only(folder):
    path = folder / "s1" / "IM8"
    path.write_bytes(path.read_bytes()[:-9])
    planned = plan(folder)
    assert [item.name for item in planned.items] == ["s0", "s2"]
    assert [one.name for one in planned.skipped] == ["s1"]


def test_with_size_every_plane_has_it(folder):
    planned = plan(folder, axis="coronal", size=12)
    assert planned.slices[0].geometry.pixel_mm == pytest.approx((16 / 12, 16 / 12))
    assert {images.shape for images in read(planned)} == {(5, 12, 12)}


def digest_of(planned):
    """All that a store would hold of it: what is said of each slice, and every pixel."""
    return (
        [(one.key, one.labels, one.split, one.sequence, one.geometry) for one in planned.slices],
        [images.tobytes() for images in read(planned)],
    )


def rename_in_another_order(series):
    for number, path in enumerate(sorted(series.iterdir(), reverse=True)):
        path.rename(series / f"x{number}.dcm")


def add_a_stranger(series):
    (series / "notes.txt").write_text("no image")
    (series / "._IM6").write_bytes(b"\0\5\x16\7")


def save_again(series):
    for path in series.iterdir():
        pydicom.dcmread(path).save_as(path)


def save_otherwise(series, syntax):
    for path in series.iterdir():
        made = pydicom.dcmread(path)
        if syntax.is_encapsulated:
            made.compress(syntax, generate_instance_uid=False)
        else:
            made.file_meta.TransferSyntaxUID = syntax
        made.save_as(path)


def strip_the_preambles(series):
    for path in series.iterdir():
        bare = Dataset(pydicom.dcmread(path))
        pydicom.dcmwrite(path, bare, implicit_vr=True, little_endian=True)


@pytest.mark.parametrize(
    "change",
    [
        rename_in_another_order,
        add_a_stranger,
        save_again,
        partial(save_otherwise, syntax=ImplicitVRLittleEndian),
        partial(save_otherwise, syntax=DeflatedExplicitVRLittleEndian),
        partial(save_otherwise, syntax=RLELossless),
        strip_the_preambles,
    ],
)
def test_how_a_series_is_kept_does_not_change_the_store(folder, change):
    before = digest_of(plan(folder))
    for number in range(3):
        (folder / f"s{number}" / "README").unlink(missing_ok=True)
        change(folder / f"s{number}")
    assert digest_of(plan(folder)) == before


def test_a_choice_stands_in_the_store_and_goes_to_the_workers(folder):
    for number in range(3):
        for place, pixels in enumerate(volume(number)):
            path = folder / f"s{number}" / f"second{place}"
            write_slice(path, pixels + 1, f"id-{number}", place)
            made = pydicom.dcmread(path)
            made.EchoTime = 80
            made.save_as(path)
    with pytest.raises(UserError, match=r"no volume can be used.*s0 \(.*EchoTime=80.*s2 \("):
        plan(folder)
    planned = plan(folder, form=dicom(choice_of(["EchoTime=80"])))
    assert planned.source["take"] == "EchoTime=80"
    for number, images in enumerate(read(planned)):
        np.testing.assert_array_equal(images, volume(number) + 1)
    note = "Volumes with other slices, too, than --take EchoTime=80 asks for: 3."
    assert note in planned.notes


def test_volumes_that_are_no_mr_are_counted(folder):
    for number, modality in enumerate(("CT", "CT", "MR")):
        for path in (folder / f"s{number}").glob("IM*"):
            made = pydicom.dcmread(path)
            made.Modality = modality
            made.save_as(path)
    notes = plan(folder).notes
    assert "Volumes with images that are not MR (Modality CT): 2." in notes
    assert not any("Modality MR" in note for note in notes)


def test_reasons_are_told_where_too_few_volumes_are_left(folder):
    for name in ("s0", "s2"):
        path = folder / name / "IM8"
        path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="1 patient, which leave '2' of 2 splits empty") as error:
        plan(folder)
    assert "2 volumes: s0 (the pixels" in str(error.value)
    assert "; s2 (the pixels" in str(error.value)
