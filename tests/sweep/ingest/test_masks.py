"""Labels of slices from masks, against what NumPy counts on the planes themselves."""

import os
import re
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from sweep.core.errors import UserError
from sweep.ingest import engine
from sweep.ingest.formats.dicom.volume import DICOM
from sweep.ingest.formats.manifest import Reading
from sweep.ingest.formats.marks.area import area_of
from sweep.ingest.formats.marks.marking import AS_THEY_ARE, Marking, mask_names
from sweep.ingest.formats.planes import View
from sweep.ingest.formats.volumes.reading import Choices, volume_format
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.ingest.volumes import plan_volumes
from sweep.store.splits import SplitAssigner, equal_folds
from tests.support.series import write_slice

SHAPE = (7, 6, 5)  # i to the left and front, j to the front and right, k to the head
AFFINE = np.diag([0.5, 2.0, 3.0, 1.0])  # NIfTI's, RAS in mm
TURN = np.array([[0.96, -0.28, 0, 7], [0.28, 0.96, 0, -4], [0, 0, 1, 11], [0, 0, 0, 1.0]])
OBLIQUE = TURN @ AFFINE
AXES = ("acquired", "axial", "coronal", "sagittal")
NAMED = Marking(names=mask_names(["1=core", "2=edema", "1=tumour", "2=tumour"]))
DEALING = SplitAssigner(equal_folds(2))


def voxels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 900, SHAPE).astype(np.int16)


def marks(number: int) -> np.ndarray:
    """A mask with findings on some planes of each axis only."""
    made = np.zeros(SHAPE, np.uint8)
    made[2:4, 1:3, 1:4] = 1
    made[3 + number % 3, 4, 3] = 2
    return made


class Volumes:
    """Four volumes with a mask each, and a manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, folder / "m.csv"
        for number in range(4):
            image = nibabel.Nifti1Image(voxels(number), OBLIQUE)
            nibabel.save(image, folder / f"{number}.nii.gz")
            self.mask(number)
        self.describe()

    def mask(self, number: int, values: np.ndarray | None = None, affine=OBLIQUE) -> None:
        image = nibabel.Nifti1Image(marks(number) if values is None else values, affine)
        nibabel.save(image, self.folder / f"m{number}.nii.gz")

    def describe(self, suffix: str = "nii.gz", *, order=range(4), header="file,mask,patient"):
        rows = [f"{number}.nii.gz,m{number}.{suffix},p{number}" for number in order]
        self.manifest.write_text("\n".join([header, *rows]))

    def plan(self, marking=NAMED, axis="acquired", form=None, **options):
        return plan_volumes(
            self.manifest,
            self.folder,
            form or volume_format(),
            Making(DEALING, **options),
            axis=axis,
            reading=Reading(marking=marking),
        )


@pytest.fixture
def volumes(tmp_path):
    return Volumes(tmp_path)


def shown(plan):
    """The labels of each slice, by its key."""
    return {one.key: one.labels for one in plan.slices}


def planes(values: np.ndarray, axis: str) -> np.ndarray:
    """(slice, row, column) of what lies on OBLIQUE, by nibabel's own turning to an orientation."""
    if axis == "acquired":
        return values.transpose(2, 1, 0)
    image = nibabel.Nifti1Image(values.astype(np.uint8), OBLIQUE)
    # As radiologists look: columns to the left, or to the back; rows to the back, or to the feet.
    codes = {"axial": "LPS", "coronal": "LIP", "sagittal": "PIR"}[axis]
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(OBLIQUE), nibabel.orientations.axcodes2ornt(codes)
    )
    turned = image.as_reoriented(turn).get_fdata()
    return turned.transpose(2, 1, 0)


def expected(axis: str, least: int = 1) -> dict[str, frozenset[str]]:
    """By brute force: a pixel at a time."""
    found = {}
    for number in range(4):
        for place, plane in enumerate(planes(marks(number), axis)):
            counts = dict.fromkeys(("core", "edema", "tumour"), 0)
            for value in plane.ravel():
                counts["core"] += value == 1
                counts["edema"] += value == 2
                counts["tumour"] += value in (1, 2)
            key = f"p{number}/{number}.nii.gz/{place:03d}"
            found[key] = frozenset(name for name, count in counts.items() if count >= least)
    return found


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("least", [1, 2, 3, 5])
def test_slices_have_the_labels_of_their_own_planes(volumes, axis, least):
    marking = replace(NAMED, least=area_of(f"{least}px"))
    plan = volumes.plan(marking, axis)
    assert shown(plan) == expected(axis, least)
    assert plan.skipped == ()


def stored(values: np.ndarray, affine: np.ndarray, order, flipped) -> nibabel.Nifti1Image:
    """The same volume with its axes in another order and direction."""
    index = np.zeros((4, 4))
    index[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flipped, strict=True)):
        index[old, new] = -1 if flip else 1
        index[old, 3] = values.shape[old] - 1 if flip else 0
    return nibabel.Nifti1Image(View(order, flipped).array(values), affine @ index)


ORDERS = tuple(product(permutations(range(3)), product((False, True), repeat=3)))


@pytest.mark.parametrize("axis", ["acquired", "coronal"])
def test_in_which_order_a_mask_is_stored_does_not_matter(volumes, axis):
    before = shown(volumes.plan(axis=axis))
    for first in range(0, len(ORDERS), 4):  # each volume in another order
        for number, (order, flips) in enumerate(ORDERS[first : first + 4]):
            image = stored(marks(number), OBLIQUE, order, flips)
            nibabel.save(image, volumes.folder / f"m{number}.nii.gz")
        assert shown(volumes.plan(axis=axis)) == before == expected(axis)


def test_a_cube_is_turned_by_where_it_lies_and_not_by_its_shape(tmp_path):
    """All orders fit a cube; only one has the voxels where those of the image are."""
    generator = np.random.default_rng(2)
    image = generator.integers(0, 9, (5, 5, 5)).astype(np.int16)
    mask = np.zeros((5, 5, 5), np.uint8)
    mask[1, 2, 3] = 1
    rows = ["file,mask,patient,split"]
    for n, (order, flips) in enumerate(ORDERS):
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), tmp_path / f"a{n}.nii")
        nibabel.save(stored(mask, np.eye(4), order, flips), tmp_path / f"m{n}.nii")
        rows.append(f"a{n}.nii,m{n}.nii,p,a")
    (tmp_path / "m.csv").write_text("\n".join(rows))
    plan = plan_volumes(tmp_path / "m.csv", tmp_path, volume_format(), Making(DEALING))
    assert len(plan.items) == len(ORDERS)
    for item in plan.items:
        assert [bool(one.labels) for one in item.slices] == [n == 3 for n in range(5)]


def save_as(path: Path, values: np.ndarray) -> None:
    """In the format of the suffix, with OBLIQUE as its place where the format has one."""
    name = path.name
    if name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(values, OBLIQUE), path)
    elif name.endswith(".mgz"):
        nibabel.save(nibabel.MGHImage(values, OBLIQUE.astype(np.float32)), path)
    elif name.endswith(".npy"):
        np.save(path, values.transpose(2, 1, 0))
    elif name.endswith(".npz"):
        np.savez_compressed(path, values.transpose(2, 1, 0))
    elif name.endswith(".tif"):
        first, *rest = [Image.fromarray(plane) for plane in values.transpose(2, 1, 0)]
        first.save(path, save_all=True, append_images=rest)
    else:
        sitk = pytest.importorskip("SimpleITK")
        image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
        lps = np.diag([-1, -1, 1, 1.0]) @ OBLIQUE
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        image.SetOrigin(lps[:3, 3].tolist())
        sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("axis", ["acquired", "sagittal"])
@pytest.mark.parametrize("suffix", ["nii", "mgz", "mha", "nrrd", "npy", "npz", "tif"])
def test_the_format_of_a_mask_does_not_matter(volumes, suffix, axis):
    for number in range(4):
        save_as(volumes.folder / f"m{number}.{suffix}", marks(number))
    volumes.describe(suffix)
    plan = volumes.plan(axis=axis)
    assert shown(plan) == expected(axis)
    placeless = [note for note in plan.notes if "do not say how they lie" in note]
    assert len(placeless) == (suffix in ("npy", "npz", "tif"))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint8])
def test_how_whole_values_are_saved_does_not_matter(volumes, kind):
    for number in range(4):
        volumes.mask(number, marks(number).astype(kind))
    assert shown(volumes.plan()) == expected("acquired")


def test_truth_values_of_numpy_are_a_mask(volumes):
    for number in range(4):
        np.save(volumes.folder / f"m{number}.npy", marks(number).transpose(2, 1, 0) > 0)
    volumes.describe("npy")
    plan = volumes.plan(Marking())
    found = {key for key, its in expected("acquired").items() if its}
    assert {key for key, its in shown(plan).items() if its} == found
    assert plan.label_names == ("lesion",)


def test_a_mask_saved_with_the_affine_of_an_image_that_names_no_space(volumes):
    """The header says lengths alone; what nibabel makes of them stands in the mask as a place."""
    for number in range(4):
        image = nibabel.Nifti1Image(voxels(number), None)
        image.header.set_zooms((0.5, 2, 3))
        path = volumes.folder / f"{number}.nii.gz"
        nibabel.save(image, path)
        loaded = nibabel.load(path)
        assert (loaded.header["sform_code"], loaded.header["qform_code"]) == (0, 0)
        volumes.mask(number, affine=loaded.affine)
    assert shown(volumes.plan()) == expected("acquired")


def test_without_names_every_value_is_a_lesion_and_that_is_said(volumes):
    plan = volumes.plan(Marking())
    wanted = {
        key: frozenset({"lesion"} if its else ()) for key, its in expected("acquired").items()
    }
    assert shown(plan) == wanted
    assert any("label 'lesion': 1 in 4, 2 in 4; --mask-labels" in note for note in plan.notes)


def test_values_without_a_name_are_refused_or_ignored(volumes):
    one = Marking(names={1: ("core",)})
    for number in (0, 2, 3):
        volumes.mask(number, (marks(number) == 1).astype(np.uint8))
    ((name, reason),) = volumes.plan(one).skipped
    assert name == "1.nii.gz"
    assert "with 2; named are 1; name them, or pass them to --mask-ignore" in reason
    plan = volumes.plan(replace(one, ignored=frozenset({2})))
    wanted = {key: its & {"core"} for key, its in expected("acquired").items()}
    assert (shown(plan), plan.skipped) == (wanted, ())


@pytest.mark.parametrize("axis", AXES)
def test_an_area_counts_from_its_edge_on(volumes, axis):
    """In px and in mm2 of pixels that are not square, of each plane of each axis."""
    mm2 = {"acquired": 1.0, "axial": 1.0, "coronal": 1.5, "sagittal": 6.0}[axis]
    for count in {int(np.count_nonzero(plane)) for plane in planes(marks(0), axis)} - {0}:
        for more in (-0.5, 0, 0.5):
            wanted = expected(axis, int(np.ceil(count + more)))
            if not any(wanted.values()):
                continue
            for least in (f"{count + more}px", f"{(count + more) * mm2}mm2"):
                assert shown(volumes.plan(replace(NAMED, least=area_of(least)), axis)) == wanted


def test_what_is_below_is_counted_and_may_be_left_out(volumes):
    whole = expected("acquired")
    left = expected("acquired", 2)
    below = [key for key in whole if whole[key] != left[key]]
    marking = replace(NAMED, least=area_of("2px"))
    plan = volumes.plan(marking)
    (note,) = [note for note in plan.notes if "touches" in note]
    assert f"less than 2 px: {len(below)} (edema {len(below)}); they do not show" in note
    assert plan.source["below_least_area"] == {"edema": len(below)}
    plan = volumes.plan(replace(marking, below="drop"))
    assert shown(plan) == {key: its for key, its in left.items() if key not in below}
    assert plan.source["slices_left_out_below_least_area"] == len(below)
    assert [one.number for one in plan.items[0].slices] == [0, 1, 2, 4]


def test_labels_that_no_slice_shows_are_said(volumes):
    marking = replace(NAMED, names={**NAMED.names, 7: ("cyst",)}, least=area_of("2px"))
    plan = volumes.plan(marking)
    assert plan.label_names == ("core", "tumour")
    assert "Labels of masks or boxes that no slice shows: cyst, edema." in plan.notes


def test_a_volume_of_which_every_slice_is_left_out_is_not_in_the_store(volumes):
    speck = np.zeros(SHAPE, np.uint8)
    speck[0, 0, :] = 1
    volumes.mask(2, speck)
    plan = volumes.plan(replace(NAMED, least=area_of("2px"), below="drop"))
    assert [item.name for item in plan.items] == ["0.nii.gz", "1.nii.gz", "3.nii.gz"]
    assert plan.skipped == ()


def test_size_workers_and_order_of_rows_do_not_change_labels(volumes):
    marking = replace(NAMED, least=area_of("2mm2"))
    before = shown(volumes.plan(marking))
    volumes.describe(order=(2, 0, 3, 1))
    assert shown(volumes.plan(marking, size=3, workers=2)) == before


def test_rows_of_single_slices_have_the_labels_of_these(volumes):
    rows = [f"{n}.nii.gz,m{n}.nii.gz,p{n},{place}" for n in range(4) for place in (3, 1)]
    volumes.manifest.write_text("\n".join(["file,mask,patient,slice", *rows]))
    wanted = {key: its for key, its in expected("acquired").items() if key[-1] in "13"}
    assert shown(volumes.plan()) == wanted


def test_the_label_of_a_row_is_added_to_those_of_its_mask(volumes):
    rows = [f"{n}.nii.gz,m{n}.nii.gz,p{n},{'Core' if n else ''}" for n in range(4)]
    volumes.manifest.write_text("\n".join(["file,mask,patient,label", *rows]))
    plan = volumes.plan()
    found = {key: frozenset(map(str.lower, its)) for key, its in shown(plan).items()}
    wanted = {
        key: its if key.startswith("p0") else its | {"core"}
        for key, its in expected("acquired").items()
    }
    assert found == wanted
    assert len(plan.label_names) == 3  # core and Core are one


@pytest.mark.parametrize(
    ("values", "affine", "reason"),
    [
        (marks(1)[:-1], OBLIQUE, "not on the grid of its image.*of size 6 x 6 x 5"),
        (marks(1), OBLIQUE + np.eye(4, k=3), "corners lie up to 1 mm from its image's; resample"),
        (marks(1), AFFINE, "not on the grid of its image.*corners lie"),
        (marks(1) * np.float32(0.3), OBLIQUE, "no whole numbers, as of a probability.*with 0.3"),
        (np.where(marks(1), np.nan, np.float32(0)), OBLIQUE, "no whole numbers.*with nan"),
        (np.where(marks(1), np.inf, np.float32(0)), OBLIQUE, "no whole numbers.*with inf"),
        (np.stack([marks(1)] * 2, -1), OBLIQUE, "holds several volumes"),
    ],
)
def test_a_mask_that_cannot_be_used_costs_its_own_volume(volumes, values, affine, reason):
    whole = shown(volumes.plan())
    volumes.mask(1, values, affine)
    plan = volumes.plan(workers=2)
    ((name, said),) = plan.skipped
    assert name == "1.nii.gz"
    assert re.search(reason, said)
    assert shown(plan) == {key: its for key, its in whole.items() if not key.startswith("p1")}


@pytest.mark.parametrize("damage", ["cut", "noise", "absent", "folder", "dicom"])
def test_damage_to_a_mask_costs_its_own_volume(volumes, damage):
    path = volumes.folder / "m1.nii.gz"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "noise":
        path.write_bytes(bytes(range(256)) * 40)
    elif damage == "folder":
        path.mkdir()
    elif damage == "dicom":
        volumes.manifest.write_text(volumes.manifest.read_text().replace("m1.nii.gz", "m1.dcm"))
        write_slice(volumes.folder / "m1.dcm", np.zeros((4, 5), np.uint16), "x", 0)
    plan = volumes.plan()
    assert [one.name for one in plan.skipped] == ["1.nii.gz"]
    assert len(plan.items) == 3
    assert ("the mask is DICOM" in plan.skipped[0].reason) == (damage == "dicom")


def test_an_image_is_no_mask_of_itself(volumes):
    text = volumes.manifest.read_text().replace("m1.nii.gz", "./1.nii.gz")
    volumes.manifest.write_text(text)
    with pytest.raises(UserError, match=r"as the mask of itself.*row 3"):
        volumes.plan()


def test_that_no_slice_has_a_label_comes_with_the_masks_that_could_not_be_used(volumes):
    volumes.mask(0, np.zeros(SHAPE, np.uint8))
    with pytest.raises(UserError, match=r"no slice has a label.*that --mask-labels does not"):
        volumes.plan(replace(NAMED, names=mask_names(["7=core"])))


def test_a_row_without_a_mask_is_refused_unless_that_means_no_finding(volumes):
    text = volumes.manifest.read_text().replace("m1.nii.gz", "")
    volumes.manifest.write_text(text)
    with pytest.raises(UserError, match=r"name no mask.*row 3.*--no-mask negative"):
        volumes.plan()
    plan = volumes.plan(replace(NAMED, no_mask="negative"))
    assert {its for key, its in shown(plan).items() if key.startswith("p1")} == {frozenset()}
    assert len(plan.items) == 4


def test_a_volume_of_unknown_pixels_has_no_area_in_mm2(volumes):
    for number in range(4):
        np.save(volumes.folder / f"{number}.npy", voxels(number).transpose(2, 1, 0))
        np.save(volumes.folder / f"m{number}.npy", marks(number).transpose(2, 1, 0))
    rows = [f"{number}.npy,m{number}.npy,p{number}" for number in range(4)]
    volumes.manifest.write_text("\n".join(["file,mask,patient", *rows]))
    assert list(shown(volumes.plan()).values()) == list(expected("acquired").values())
    with pytest.raises(UserError, match=r"how large its pixels are.*--least-area in pixels"):
        volumes.plan(replace(NAMED, least=area_of("2mm2")))


def test_a_mask_that_lies_somewhere_is_no_mask_of_an_image_that_lies_nowhere(volumes):
    """NIfTI numbers voxels otherwise than other formats: a guess would be a wrong label."""
    np.save(volumes.folder / "1.npy", voxels(1).transpose(2, 1, 0))
    volumes.manifest.write_text(volumes.manifest.read_text().replace("1.nii.gz,m1", "1.npy,m1"))
    (skipped,) = volumes.plan().skipped
    assert "its image does not say it" in skipped.reason


@pytest.mark.parametrize("axis", AXES)
def test_masks_of_dicom_as_nifti_has_them(tmp_path, axis):
    """The mask is stored as converters do: column first, rows from the last on, slices last."""
    values = np.zeros((4, 5, 6), np.uint8)  # (slice, row, column)
    values[1, 2:4, 3] = 1
    values[2, 1, 1:3] = 1
    (tmp_path / "s").mkdir()
    for place in range(4):
        pixels = np.random.default_rng(place).integers(0, 900, (5, 6)).astype(np.uint16)
        write_slice(tmp_path / "s" / f"IM{9 - place}", pixels, "ann", place)
    # In LPS a column is 1 mm to the left, a row 0.5 mm to the back, a slice 4 mm to the head.
    lps = np.array([[1, 0, 0, 0], [0, -0.5, 0, 2], [0, 0, 4, 0], [0, 0, 0, 1]])
    flipped = np.ascontiguousarray(values.transpose(2, 1, 0)[:, ::-1])
    nibabel.save(nibabel.Nifti1Image(flipped, np.diag([-1, -1, 1, 1]) @ lps), tmp_path / "m.nii")
    np.save(tmp_path / "m.npy", values)
    seen = {
        "acquired": values,
        "axial": values,
        "coronal": values.transpose(1, 0, 2),
        "sagittal": values.transpose(2, 0, 1)[::-1],
    }[axis]
    for mask in ("m.nii", "m.npy"):
        (tmp_path / "m.csv").write_text(f"file,mask,patient,split\ns,{mask},p,a\n")
        making = Making(DEALING)
        plan = plan_volumes(tmp_path / "m.csv", tmp_path, DICOM, making, axis=axis)
        assert [bool(one.labels) for one in plan.slices] == [plane.any() for plane in seen]


def segmentation(path, frames, kind="BINARY", shift=(0.0, 0.0, 0.0)):
    """A SEG of frames (segment, slice, pixels) on the series that ``write_slice`` makes."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = SegmentationStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.9"
    made.Modality, made.SegmentationType, made.SeriesInstanceUID = "SEG", kind, "1.3"
    pixels = np.stack([plane for *_, plane in frames])
    made.NumberOfFrames, made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = made.PixelRepresentation = 0
    shared, measures, lies = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 1], 3
    lies.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [lies]
    made.SharedFunctionalGroupsSequence = [shared]
    made.PerFrameFunctionalGroupsSequence = []
    for number, place, _ in frames:
        group, where, which = Dataset(), Dataset(), Dataset()
        where.ImagePositionPatient = [shift[0], shift[1], 4 * place + shift[2]]
        which.ReferencedSegmentNumber = number
        group.PlanePositionSequence, group.SegmentIdentificationSequence = [where], [which]
        made.PerFrameFunctionalGroupsSequence.append(group)
    bits = np.packbits(pixels.ravel() != 0, bitorder="little").tobytes()
    made.PixelData = bits + bytes(len(bits) % 2)
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)


@pytest.fixture
def series(tmp_path):
    """A series of four slices, and two segments of it that overlap."""
    (tmp_path / "s").mkdir()
    for place in range(4):
        pixels = np.random.default_rng(place).integers(0, 900, (5, 6)).astype(np.uint16)
        write_slice(tmp_path / "s" / f"IM{9 - place}", pixels, "ann", place)
    (tmp_path / "m.csv").write_text("file,mask,patient,split\ns,m.dcm,p,a\n")
    first, second = np.zeros((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
    first[1, 1:4, 2:5] = first[2, 2, 2] = True
    second[1, 3, 3:6] = second[3, 0, 0] = True
    return tmp_path, {1: first, 2: second}


def planned(folder, axis="acquired", marking=NAMED):
    reading, making = Reading(marking=marking), Making(DEALING)
    return plan_volumes(folder / "m.csv", folder, DICOM, making, axis=axis, reading=reading)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("least", [1, 2, 3])
def test_segments_of_dicom(series, axis, least):
    """Frames are found by where they lie: in any order, none where there is no segment."""
    folder, segments = series
    frames = [
        (number, place, segments[number][place])
        for place in (3, 1, 2)
        for number in (2, 1)
        if segments[number][place].any()
    ]
    segmentation(folder / "m.dcm", frames)
    turn = {
        "acquired": lambda values: values,
        "axial": lambda values: values,
        "coronal": lambda values: values.transpose(1, 0, 2),
        "sagittal": lambda values: values.transpose(2, 0, 1)[::-1],
    }[axis]
    both = {"core": segments[1], "edema": segments[2], "tumour": segments[1] | segments[2]}
    plan = planned(folder, axis, replace(NAMED, least=area_of(f"{least}px")))
    assert plan.skipped == ()
    for one, *areas in zip(plan.slices, *map(turn, both.values()), strict=True):
        wanted = {name for name, its in zip(both, areas, strict=True) if its.sum() >= least}
        assert set(one.labels) == wanted


@pytest.mark.parametrize(
    ("kind", "shift", "reason"),
    [
        ("FRACTIONAL", (0, 0, 0), "no binary segmentation.*SEG FRACTIONAL.*convert it to NIfTI"),
        ("BINARY", (0, 0, 2), "not on the grid of its image.*segment 1 lies up to 2 mm"),
        ("BINARY", (0, 0, 40), "not on the grid of its image.*or outside"),
        ("BINARY", (0.5, 0, 0), "not on the grid of its image"),
    ],
)
def test_segments_that_cannot_be_used(series, kind, shift, reason):
    folder, segments = series
    segmentation(folder / "m.dcm", [(1, 1, segments[1][1])], kind, shift)
    with pytest.raises(UserError, match=reason):
        planned(folder)


def test_segments_without_a_name_are_refused(series):
    folder, segments = series
    segmentation(folder / "m.dcm", [(7, 1, segments[1][1])])
    with pytest.raises(UserError, match=r"--mask-labels does not name.*with 7"):
        planned(folder)
    assert planned(folder, marking=AS_THEY_ARE).label_names == ("lesion",)


# Pictures


def pictured(collection, *masks, marking=AS_THEY_ARE, **options):
    rows = [(f"{n}.png", mask, f"p{n // 2}") for n, mask in enumerate(masks)]
    collection.describe(*rows, header="file,mask,patient")
    making = Making(DEALING, **options)
    reading = Reading(marking=marking)
    return plan_images(collection.manifest, collection.images, making, reading=reading)


def speck(count, shape=(8, 8), value=255):
    made = np.zeros(shape, np.uint8)
    made.flat[:count] = value
    return made


def test_pictures_have_the_labels_of_their_masks(collection):
    names = [f"mask/{count}.png" for count in range(6)]
    for count, name in enumerate(names):
        collection.add(name, speck(count))
    for least in (1, 3, 5):
        plan = pictured(collection, *names, marking=Marking(least=area_of(f"{least}px")))
        assert [bool(one.labels) for one in plan.slices] == [n >= least for n in range(6)]
        assert plan.label_names == ("lesion",)
        assert plan.task == "multilabel"
    dropping = Marking(least=area_of("3px"), below="drop")
    plan = pictured(collection, *names, marking=dropping, size=4, workers=2)
    assert [item.name for item in plan.items] == ["0.png", "3.png", "4.png", "5.png"]


def test_kinds_of_pictures_that_only_masks_have(collection):
    flat = speck(3, value=1)
    palette = Image.fromarray(flat).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, *[0] * 762])
    grey = Image.fromarray(flat * 255).convert("P")
    collection.add("bit.png", Image.fromarray(flat * 255).convert("1"))
    collection.add("bit.tif", Image.fromarray(flat * 255).convert("1"))
    collection.add("palette.png", palette)
    collection.add("grey.png", grey)
    collection.add("same.png", np.stack([flat * 255] * 3, -1))
    collection.add("word.png", flat.astype(np.uint16) * 300)
    names = ("bit.png", "bit.tif", "palette.png", "grey.png", "same.png", "word.png")
    marking = Marking(names={1: ("one",), 255: ("white",), 300: ("word",)})
    plan = pictured(collection, *names, marking=marking)
    assert plan.skipped == ()
    found = [next(iter(one.labels)) for one in plan.slices]
    assert found == ["one", "one", "one", "white", "white", "word"]


def test_masks_of_pictures_that_cannot_be_used(collection):
    collection.add("good.png", speck(2))
    collection.add("other.png", speck(2, (8, 9)))
    collection.add("lossy.jpg", speck(2))
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[0, 0, 0] = 200
    collection.add("colour.png", colour)
    (collection.images / "text.png").write_text("no picture")
    names = ["good.png", "other.png", "lossy.jpg", "colour.png", "text.png", "nowhere.png"]
    plan = pictured(collection, *names)
    reasons = {one.name: one.reason for one in plan.skipped}
    assert list(reasons) == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert "not on the grid of its image" in reasons["1.png"]
    assert "is a JPEG" in reasons["2.png"]
    assert "in colour" in reasons["3.png"]
    assert "not a readable file" in reasons["4.png"]
    assert "cannot be found" in reasons["5.png"]


def test_no_picture_has_an_area_in_mm2(collection):
    collection.add("m.png", speck(2))
    marking = Marking(least=area_of("2mm2"))
    with pytest.raises(UserError, match=r"no picture can be used.*--least-area in pixels"):
        pictured(collection, *["m.png"] * 6, marking=marking)


def test_masks_that_show_nothing_are_said(collection):
    collection.add("m.png", speck(0))
    with pytest.raises(UserError, match="no slice has a label, neither by the manifest nor by a"):
        pictured(collection, *["m.png"] * 6)


def test_a_mask_outside_the_folder_is_refused(collection):
    with pytest.raises(UserError, match="outside the image folder"):
        pictured(collection, *["../m.png"] * 6)


@pytest.mark.parametrize(
    ("marking", "wrong"),
    [
        (Marking(names={1: ("a",)}), "no 'mask'"),
        (Marking(no_mask="negative"), "no 'mask'"),
        (Marking(least=area_of("2px")), "there is a least area, and nothing that has one"),
        (Marking(counted="instance"), "there is no table of boxes"),
    ],
)
def test_what_is_said_of_masks_that_are_not_there_is_refused(collection, marking, wrong):
    reading = Reading(marking=marking)
    with pytest.raises(UserError, match=wrong):
        plan_images(collection.manifest, collection.images, Making(DEALING), reading=reading)


def test_an_ingest_goes_on_unless_a_mask_gives_other_labels(collection):
    for count in range(6):
        collection.add(f"mask/{count}.png", speck(count))
    names = [f"mask/{count}.png" for count in range(6)]
    out = collection.folder / "s.h5"
    engine.ingest(pictured(collection, *names), out)
    whole = out.read_bytes()
    out.unlink()

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.ingest(pictured(collection, *names), out, progress=stop)
    os.utime(collection.images / "mask/3.png", (1, 1))
    collection.add("mask/4.png", speck(5))  # another mask, and the same labels
    report = engine.ingest(pictured(collection, *names), out)
    assert out.read_bytes() == whole
    assert report.found
    out.unlink()
    with pytest.raises(KeyboardInterrupt):
        engine.ingest(pictured(collection, *names), out, progress=stop)
    collection.add("mask/0.png", speck(1))
    with pytest.raises(UserError, match="begun with other settings, labels or files"):
        engine.ingest(pictured(collection, *names), out)


def test_masks_are_read_by_the_choices_of_masks_alone(volumes):
    """What is said of images, such as that NaN is 0, is not said of masks."""
    form = volume_format(Choices(nan="zero"))
    volumes.mask(1, np.where(marks(1), np.nan, np.float32(0)))
    assert [one.name for one in volumes.plan(form=form).skipped] == ["1.nii.gz"]
