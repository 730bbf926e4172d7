import csv
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import scipy.fft
from PIL import Image
from sklearn.metrics import roc_auc_score

from sweep.core.errors import UserError
from sweep.ingest.fastmri.planning import plan_fastmri
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.phantom.folder import FULL_SCALE, make_phantom
from sweep.phantom.lesions import BONE, FINDINGS
from sweep.phantom.scan import Matrix, scan
from sweep.store.splits import SplitAssigner, equal_folds

pytestmark = pytest.mark.slow

SMALL = {"slices": 4, "rows": 112, "columns": 60, "size": 48}
MATRIX = Matrix(**SMALL)
DATASETS = ("kspace", "reconstruction_rss", "reconstruction_esc", "ismrmrd_header")


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom") / "p", patients=6, **SMALL).folder


def volume_paths(folder):
    return sorted((folder / "volumes").iterdir())


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reference_reconstruction(kspace, size):
    """Written apart: scipy, double precision, explicit crop about the middle."""
    image = scipy.fft.ifft2(scipy.fft.ifftshift(kspace.astype(complex), (1, 2)), norm="ortho")
    image = scipy.fft.fftshift(image, (1, 2))
    row, column = image.shape[1] // 2, image.shape[2] // 2
    half = size // 2
    return np.abs(image[:, row - half : row + half, column - half : column + half])


def test_volumes_have_the_layout_of_fastmri(phantom):
    for path in volume_paths(phantom):
        with h5py.File(path) as file:
            assert set(file) == set(DATASETS)
            assert file["kspace"].shape == (4, 112, 60)
            assert file["kspace"].dtype == np.complex64
            for name in ("reconstruction_rss", "reconstruction_esc"):
                assert file[name].shape == (4, 48, 48)
                assert file[name].dtype == np.float32
            image = file["reconstruction_esc"][...]
            assert file.attrs["acquisition"] in {"CORPD_FBK", "CORPDFS_FBK"}
            assert file.attrs["patient_id"] == path.stem
            assert file.attrs["max"] == pytest.approx(image.max())
            assert file.attrs["norm"] == pytest.approx(np.sqrt((image.astype(float) ** 2).sum()))


def test_the_header_states_the_matrix_of_the_kspace(phantom):
    with h5py.File(volume_paths(phantom)[0]) as file:
        root = ElementTree.fromstring(file["ismrmrd_header"][()])

    def number(path):
        tags = (f"{{http://www.ismrm.org/ISMRMRD}}{tag}" for tag in path.split("/"))
        return float(root.findtext("/".join(tags)))

    encoded, recon = "encoding/encodedSpace", "encoding/reconSpace"
    limits = "encoding/encodingLimits/kspace_encoding_step_1"
    assert (number(f"{encoded}/matrixSize/x"), number(f"{encoded}/matrixSize/y")) == (112, 60)
    assert (number(f"{recon}/matrixSize/x"), number(f"{recon}/matrixSize/y")) == (48, 48)
    assert (number(f"{limits}/maximum"), number(f"{limits}/center")) == (59, 30)
    for axis in "xy":
        pixels_mm = [
            number(f"{space}/fieldOfView_mm/{axis}") / number(f"{space}/matrixSize/{axis}")
            for space in (encoded, recon)
        ]
        assert pixels_mm[0] == pytest.approx(pixels_mm[1], rel=1e-4)


def test_the_kspace_reconstructs_to_the_stored_images(phantom):
    for path in volume_paths(phantom):
        with h5py.File(path) as file:
            image = file["reconstruction_rss"][...]
            reference = reference_reconstruction(file["kspace"][...], 48)
        np.testing.assert_allclose(image, reference, atol=1e-5 * image.max())


@pytest.fixture(scope="module")
def multicoil(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multicoil")
    return make_phantom(folder / "p", patients=2, coils=4, **SMALL).folder


def test_several_coils_have_fastmris_multi_coil_layout(multicoil):
    for path in volume_paths(multicoil):
        with h5py.File(path) as file:
            assert set(file) == set(DATASETS) - {"reconstruction_esc"}
            assert file["kspace"].shape == (4, 4, 112, 60)
            assert file["kspace"].dtype == np.complex64
            assert file["reconstruction_rss"].shape == (4, 48, 48)


def test_several_coils_add_as_the_root_of_their_squares(multicoil):
    for path in volume_paths(multicoil):
        with h5py.File(path) as file:
            image = file["reconstruction_rss"][...]
            coils = np.moveaxis(file["kspace"][...], 1, 0)
        squares = sum(reference_reconstruction(kspace, 48) ** 2 for kspace in coils)
        np.testing.assert_allclose(image, np.sqrt(squares), atol=1e-5 * image.max())


def test_each_of_several_coils_sees_its_own_side_and_has_its_own_noise():
    matrix = Matrix(12, 192, 108, 48, coils=2)  # one coil to the right, one to the left
    kspace = scan("p", 0, matrix, findings=(), fat_suppressed=False).kspace
    image = scipy.fft.ifft2(scipy.fft.ifftshift(kspace.astype(complex), (2, 3)), norm="ortho")
    image = scipy.fft.fftshift(image, (2, 3))
    right, left = np.abs(image[:, :, 72:120]).mean(axis=(0, 2)).reshape(2, 2, 54).mean(axis=2)
    assert right[1] > 1.5 * right[0]
    assert left[0] > 1.5 * left[1]
    noise = image[:, :, :24]
    assert abs(np.vdot(noise[:, 0], noise[:, 1])) < 0.05 * np.vdot(noise[:, 0], noise[:, 0]).real


def test_one_patient_has_the_same_boxes_whatever_the_coils():
    one, several = (
        scan("p", 0, Matrix(**SMALL, coils=coils), findings=[BONE], fat_suppressed=False)
        for coils in (1, 3)
    )
    assert one.boxes == several.boxes != {}


def test_volumes_without_reconstruction(tmp_path):
    folder = make_phantom(tmp_path / "p", 2, reconstruction=False, **SMALL).folder
    for path in volume_paths(folder):
        with h5py.File(path) as file:
            assert set(file) == {"kspace", "ismrmrd_header"}


def test_the_kspace_is_centred_and_its_phase_is_not_trivial(phantom):
    for path in volume_paths(phantom):
        with h5py.File(path) as file:
            kspace = file["kspace"][...]
        for plane in np.abs(kspace):
            row, column = np.unravel_index(plane.argmax(), plane.shape)
            assert abs(row - 56) <= 4
            assert abs(column - 30) <= 4
        mirrored = np.conj(kspace[:, :0:-1, :0:-1])
        assert np.abs(kspace[:, 1:, 1:] - mirrored).max() > 0.1 * np.abs(kspace).max()


def test_intensities_are_of_the_scale_of_fastmri(phantom):
    for path in volume_paths(phantom):
        with h5py.File(path) as file:
            assert 1e-4 < file.attrs["max"] < 1e-3


def test_noise_is_complex_gaussian_where_the_coil_sees_nothing():
    kspace = scan("p", 0, Matrix(12, 192, 108, 48), findings=(), fat_suppressed=False).kspace
    image = np.abs(np.fft.ifft2(np.fft.ifftshift(kspace, (1, 2)), norm="ortho"))
    air = np.fft.fftshift(image, (1, 2))[:, :24]
    rayleigh = np.sqrt(np.pi / 2) / np.sqrt(2 - np.pi / 2)
    assert air.mean() / air.std() == pytest.approx(rayleigh, rel=0.03)


def test_slices_go_on_through_a_volume_and_patients_differ():
    one, other = (scan(name, 0, MATRIX, findings=(), fat_suppressed=False).image for name in "ab")
    neighbours = np.corrcoef(one[1].ravel(), one[2].ravel())[0, 1]
    strangers = np.corrcoef(one[1].ravel(), other[1].ravel())[0, 1]
    assert neighbours > 0.8
    assert neighbours > strangers + 0.1


@pytest.mark.parametrize("fat_suppressed", [False, True])
def test_a_lesion_is_the_only_difference_to_the_healthy_twin(fat_suppressed):
    for patient in "abcdef":
        ill, healthy = (
            scan(
                patient, 0, MATRIX, findings=[BONE] if lesion else [], fat_suppressed=fat_suppressed
            )
            for lesion in (True, False)
        )
        assert healthy.boxes == {}
        difference = np.abs(ill.image - healthy.image) / healthy.image.max()
        for place in range(4):
            inside = np.zeros((48, 48), bool)
            if place in ill.boxes[BONE]:
                x, y, width, height = ill.boxes[BONE][place]
                inside[y : y + height, x : x + width] = True
                assert difference[place, inside].max() > 0.1
                inside[max(y - 4, 0) : y + height + 4, max(x - 4, 0) : x + width + 4] = True
            assert difference[place, ~inside].max() < 0.02


def test_boxes_lie_inside_the_image_and_rows_name_slices(phantom):
    rows = read_table(phantom / "labels.csv")
    columns = ["file", "slice", "study_level", "x", "y", "width", "height", "label"]
    assert list(rows[0]) == columns
    assert {row["file"] for row in rows} == {f"phantom-000{number}" for number in (1, 3, 5)}
    assert {row["study_level"] for row in rows} == {"No"}
    for row in rows:
        x, y, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x < x + width <= 48
        assert 0 <= y < y + height <= 48
        assert 0 <= int(row["slice"]) < 4


def test_the_file_list_names_every_volume(phantom):
    names = (phantom / "file_list.csv").read_text().splitlines()
    assert names == [path.stem for path in volume_paths(phantom)]


def test_manifest_and_labels_agree(phantom):
    boxed = {(row["file"], int(row["slice"])) for row in read_table(phantom / "labels.csv")}
    rows = read_table(phantom / "manifest.csv")
    assert len(rows) == 6 * 4
    for row in rows:
        patient, place = row["file"].removesuffix(".png").split("_")
        assert row["patient"] == patient
        assert row["label"] == ("lesion" if (patient, int(place)) in boxed else "")


def test_pictures_are_the_reconstructions_at_16_bits(phantom):
    step = FULL_SCALE / 65535
    for path in volume_paths(phantom):
        with h5py.File(path) as file:
            images = file["reconstruction_rss"][...]
        for place, image in enumerate(images):
            with Image.open(phantom / "images" / f"{path.stem}_{place:02d}.png") as picture:
                levels = np.asarray(picture)
            assert levels.dtype == np.uint16
            np.testing.assert_allclose(levels * step, image, atol=0.51 * step)


def test_the_pictures_ingest_as_they_are(phantom):
    assigner = SplitAssigner(equal_folds(3))
    plan = plan_images(phantom / "manifest.csv", phantom / "images", Making(assigner))
    assert (plan.shape, plan.label_names, plan.task) == ((48, 48), ("lesion",), "multilabel")
    assert (len(plan.slices), plan.skipped) == (24, ())
    patients = {(one.split, one.patient) for one in plan.slices}
    assert sorted(split for split, _ in patients) == ["1", "1", "2", "2", "3", "3"]


def test_pictures_and_volumes_ingest_with_the_same_findings(phantom):
    assigner = SplitAssigner(equal_folds(3))
    pictures = plan_images(phantom / "manifest.csv", phantom / "images", Making(assigner))
    volumes = plan_fastmri(
        [phantom / "volumes"],
        labels=phantom / "labels.csv",
        reviewed=phantom / "file_list.csv",
        assigner=assigner,
    )
    one, other = (
        [(found.patient, found.split, bool(found.labels)) for found in plan.slices]
        for plan in (pictures, volumes)
    )
    assert one == other


def test_every_kind_of_lesion_is_seen_in_its_box_and_leaves_the_others_as_they_are():
    def scanned(findings):
        return scan("p", 0, MATRIX, findings=findings, fat_suppressed=False)

    kinds = list(FINDINGS["four"].values())
    healthy, ill = scanned([]), scanned(kinds)
    assert list(ill.boxes) == kinds
    for finding, boxes in ill.boxes.items():
        alone = scanned([finding])
        assert alone.boxes == {finding: boxes}
        difference = np.abs(alone.image - healthy.image) / healthy.image.max()
        for place, (x, y, width, height) in boxes.items():
            assert difference[place, y : y + height, x : x + width].max() > 0.1


def test_four_kinds_of_findings_are_the_four_labels_of_the_study(tmp_path):
    folder = make_phantom(tmp_path / "p", 32, findings="four", **SMALL).folder

    def labels_by(rule):
        plan = plan_fastmri(
            [folder / "volumes"],
            labels=folder / "labels.csv",
            reviewed=folder / "file_list.csv",
            rule=rule,
            assigner=SplitAssigner(equal_folds(3)),
        )
        return plan.label_names, [found.labels for found in plan.slices]

    names, by_study = labels_by("madaan2023")
    assert labels_by(str(folder / "rule.yaml")) == (names, by_study)
    assert names == ("acl", "mtear", "cartilage", "abnormal")
    assert {len(labels) for labels in by_study} >= {0, 1, 2}
    pictures = [
        set(filter(None, row["label"].split("|"))) for row in read_table(folder / "manifest.csv")
    ]
    assert pictures == [set(labels) for labels in by_study]


def test_a_patient_is_the_same_whatever_the_number_of_patients(phantom, tmp_path):
    fewer = make_phantom(tmp_path / "p", patients=2, **SMALL).folder
    for path in volume_paths(fewer):
        with h5py.File(path) as one, h5py.File(phantom / "volumes" / path.name) as other:
            for name in DATASETS:
                assert np.array_equal(one[name][()], other[name][()])
            assert dict(one.attrs) == dict(other.attrs)


def test_another_seed_makes_other_patients():
    one, other = (scan("p", seed, MATRIX, findings=[BONE], fat_suppressed=True) for seed in (0, 1))
    assert not np.array_equal(one.kspace, other.kspace)


def test_neither_the_mean_nor_the_maximum_of_a_slice_gives_the_lesion_away():
    volumes = [
        scan(f"p{n}", 0, MATRIX, findings=[BONE] if n % 2 else [], fat_suppressed=n // 2 % 2 == 1)
        for n in range(40)
    ]
    ill = [place in volume.boxes.get(BONE, {}) for volume in volumes for place in range(4)]
    images = np.concatenate([volume.image for volume in volumes])
    for cue in (images.mean(axis=(1, 2)), images.max(axis=(1, 2)), images.std(axis=(1, 2))):
        assert 0.3 < roc_auc_score(ill, cue) < 0.7


def test_the_summary_counts_what_was_made(tmp_path):
    seen = []
    made = make_phantom(
        tmp_path / "p", 3, progress=lambda done, total: seen.append((done, total)), **SMALL
    )
    assert (made.patients, made.slices) == (3, 12)
    assert made.lesions == len(read_table(made.folder / "labels.csv")) > 0
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone():
    scan("p", 0, MATRIX, findings=[BONE], fat_suppressed=True)


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "p").mkdir()
    made = make_phantom(tmp_path / "p", 2, **SMALL)
    assert len(volume_paths(made.folder)) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match=r"neither new nor empty; received .*/p; remove"):
        make_phantom(tmp_path / "p", 2, **SMALL)
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["mine.txt"]


def test_a_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "p").write_text("keep")
    with pytest.raises(UserError, match="folder for the phantom is neither new nor empty"):
        make_phantom(tmp_path / "p", 2, **SMALL)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_phantom(tmp_path / "p", 2, progress=interrupt, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"findings": "two"}, "findings has an unknown name; received 'two'"),
        ({"patients": 1}, "fewer than 2 patients, of whom every second has a lesion; received 1"),
        ({"slices": 0}, r"would have no slice, .*received Matrix\(slices=0"),
        ({"coils": 0}, r"no coil, .*received Matrix\(.*coils=0"),
        ({"size": 40}, "image below 48 pixels.*size=40"),
        ({"size": 61}, "does not fit into its k-space.*size=61"),
    ],
)
def test_numbers_out_of_range(tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        make_phantom(tmp_path / "p", **{"patients": 2, **SMALL, **changed})
    assert list(tmp_path.iterdir()) == []
