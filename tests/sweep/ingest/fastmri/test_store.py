"""From files of fastMRI's layout to a store, through the command that a user gives."""

import random

import h5py
import numpy as np
import pytest

from sweep.cli import main
from sweep.store import Store

SLICES, ROWS, SIDE = 2, 640, 320
AXES = (-2, -1)
WIDTHS = (314, 320, 322, 368, 372, 386, 400, 416)  # 416 is above the study's limit
HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>640</x><y>{width}</y><z>1</z></matrixSize></encodedSpace>
<reconSpace><matrixSize><x>320</x><y>320</y><z>1</z></matrixSize>
<fieldOfView_mm><x>140</x><y>140</y><z>3</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum>
<center>{center}</center></kspace_encoding_step_1></encodingLimits></encoding></ismrmrdHeader>"""


def within_patients(store):
    return [key.partition("/")[2] for key in store.keys.tolist()]


def numpys_own(kspace):
    """The recipe of fastMRI, (slice, coil, RO, PE) to (slice, 320, 320), in double precision."""
    coils = np.fft.fftshift(
        np.fft.ifft2(np.fft.ifftshift(kspace.astype(complex), AXES), norm="ortho"), AXES
    )
    image = np.sqrt((np.abs(coils) ** 2).sum(axis=1))
    width = image.shape[-1]
    if width < SIDE:  # the field of view is smaller than the image
        image = np.pad(image, ((0, 0), (0, 0), ((SIDE - width) // 2, (SIDE - width) // 2)))
    top, left = (ROWS - SIDE) // 2, (image.shape[-1] - SIDE) // 2
    return image[:, top : top + SIDE, left : left + SIDE]


def write_volume(path, width, coils, *, stored, patient):
    """Noise around a bright middle, with the empty lines at both ends that scanners leave."""
    generator = np.random.default_rng(width + coils)
    shape = (SLICES, coils or 1, ROWS, width)
    kspace = generator.standard_normal((2, *shape), np.float32) * np.float32(1e-5)
    kspace = kspace[0] + 1j * kspace[1]
    kspace[..., ROWS // 2 - 9 : ROWS // 2 + 9, width // 2 - 9 : width // 2 + 9] *= 50
    edge = width // 16
    kspace[..., :edge] = kspace[..., width - edge + 1 :] = 0
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace if coils else kspace[:, 0]
        if stored:
            file["reconstruction_rss"] = numpys_own(kspace).astype(np.float32)
        file["ismrmrd_header"] = HEADER.format(
            width=width, last=width - 2 * edge, center=width // 2 - edge
        ).encode()
        file.attrs["acquisition"] = "CORPDFS_FBK"
        file.attrs["patient_id"] = patient
    return kspace


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Every width; single-coil and of three coils by turns, every second with a reconstruction."""
    folder = tmp_path_factory.mktemp("volumes")
    kspaces = {
        f"file{width}": write_volume(
            folder / f"file{width}.h5",
            width,
            coils=3 * (number % 2),
            stored=number // 2 % 2 == 0,
            patient=f"p{number // 2}",
        )
        for number, width in enumerate(WIDTHS)
    }
    (folder / "labels.csv").write_text(
        "file,slice,study_level,x,y,width,height,label\n"
        "file320,1,No,1,1,5,5,Meniscus Tear\nfile320,1,No,1,1,5,5,Meniscus Tear\n"
        "file372,0,No,1,1,5,5,Ligament - ACL High Grade Sprain\nfile400,0,Yes,,,,,artifact\n"
    )
    return folder, kspaces


def ingest(folder, out, *options):
    command = ["ingest", "fastmri", str(folder), "--labels", str(folder / "labels.csv")]
    common = ["--reviewed", "all", "--folds", "2", "--workers", "1", "--out", str(out)]
    return main([*command, *common, *options])


@pytest.mark.parametrize("wide", ["drop", "keep"])
def test_every_width_goes_through_and_equals_numpys_reconstruction(volumes, tmp_path, capsys, wide):
    folder, kspaces = volumes
    assert ingest(folder, tmp_path / "s.h5", "--wide", wide) == 0
    told = capsys.readouterr().err
    done = "dropped" if wide == "drop" else "kept"
    assert f"Volumes with more than 400 columns of k-space: 1; {done}: file416." in told
    store = Store.open(tmp_path / "s.h5")
    names = [f"file{width}" for width in WIDTHS if width <= 400 or wide == "keep"]
    assert within_patients(store) == [f"{name}/00{n}" for name in names for n in range(SLICES)]
    for row, key in enumerate(within_patients(store)):
        name, number = key.split("/")
        expected = numpys_own(kspaces[name])[int(number)]
        assert np.abs(store.images[row] - expected).max() <= 1e-5 * expected.max()
    shown = {key: store.labels[row].tolist() for row, key in enumerate(within_patients(store))}
    assert {key: labels for key, labels in shown.items() if any(labels)} == {
        "file320/001": [0, 1, 0, 0],
        "file372/000": [1, 0, 0, 0],
        "file400/000": [0, 0, 0, 1],
    }
    assert store.geometry(0).pixel_mm == pytest.approx((140 / 320, 140 / 320))
    assert set(store.sequences) == {"CORPDFS_FBK"}
    assert not store.has_kspace


def test_kspace_is_kept_sample_by_sample_in_one_frame(volumes, tmp_path):
    folder, kspaces = volumes
    assert ingest(folder, tmp_path / "s.h5", "--kspace") == 0
    store = Store.open(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["kspace"].shape == (len(store), 3, ROWS, 400)
        assert file["kspace"].chunks == (1, 3, ROWS, 400)
        assert file["kspace"][0, 0, ROWS // 2, 200] == kspaces["file314"][0, 0, ROWS // 2, 157]
    for row, key in enumerate(within_patients(store)):
        name, number = key.split("/")
        whole = kspaces[name][int(number)]
        np.testing.assert_array_equal(store.kspace(row), whole)
        sampling = store.geometry(row).sampling
        assert (sampling.coils, sampling.rows, sampling.columns) == whole.shape
        measured = np.flatnonzero(np.abs(whole).sum(axis=(0, 1)))
        assert sampling.acquired == (measured[0], measured[-1] + 1)


def spoil_with_nan(path, name):
    with h5py.File(path, "r+") as file:
        values = file[name]
        values[(1,) + (3,) * (values.ndim - 1)] = np.nan


def spoil_by_cutting(path, name):
    path.write_bytes(path.read_bytes()[:-100_000])


def spoil_type(path, name):
    with h5py.File(path, "r+") as file:
        shape = file[name].shape
        del file[name]
        file[name] = np.zeros(shape, "S3")


def spoil_by_emptying(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = np.zeros((0, 3, 3), np.complex64)


def spoil_by_a_link_loop(path, name):
    path.unlink()
    path.symlink_to(path)


def spoil_by_removing_all(path, name):
    with h5py.File(path, "r+") as file:
        for one in ("kspace", "reconstruction_rss"):
            file.pop(one, None)


SPOILS = [
    spoil_with_nan,
    spoil_by_cutting,
    spoil_type,
    spoil_by_emptying,
    spoil_by_a_link_loop,
    spoil_by_removing_all,
]


@pytest.fixture
def three(tmp_path):
    """Three small single-coil volumes with stored images."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    for number, width in enumerate((320, 322, 326)):
        write_volume(folder / f"file{width}.h5", width, 0, stored=True, patient=f"p{number}")
    (folder / "labels.csv").write_text(
        "file,slice,study_level,x,y,width,height,label\nfile326,1,No,1,1,5,5,Meniscus Tear\n"
    )
    return folder


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize(("kspace", "name"), [(True, "kspace"), (False, "reconstruction_rss")])
def test_a_spoiled_volume_is_named_skipped_and_counted(
    three, tmp_path, capsys, spoil, kspace, name
):
    spoil(three / "file322.h5", name)
    options = ["--kspace"] if kspace else []
    assert ingest(three, tmp_path / "out" / "s.h5", *options) == 0
    told = capsys.readouterr().err
    assert "left out, as they cannot be used: 1 file" in told
    assert "\n  file322: " in told
    store = Store.open(tmp_path / "out" / "s.h5")
    assert within_patients(store) == ["file320/000", "file320/001", "file326/000", "file326/001"]
    assert store.labels.sum(axis=0).tolist() == [0, 1, 0, 0]
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "s.h5"]
    assert [one["name"] for one in store.source["skipped"]] == ["file322"]


@pytest.mark.parametrize("spoil", SPOILS)
def test_strict_stops_with_one_message_and_nothing_half_written(three, tmp_path, capsys, spoil):
    spoil(three / "file320.h5", "kspace")
    assert ingest(three, tmp_path / "out" / "s.h5", "--kspace", "--strict") == 2
    told = capsys.readouterr()
    assert told.out == ""
    message = "mrisweep: files cannot be used, and --strict leaves no file out; received file320 ("
    assert told.err.startswith(message)
    assert told.err.count("\n") == 1
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("seed", range(25))
def test_damaged_bytes_never_give_a_traceback(three, tmp_path, capsys, seed):
    """Bytes of the structure and of the data are overwritten, or the file ends early."""
    generator, path = random.Random(seed), three / "file322.h5"
    content = bytearray(path.read_bytes())
    if seed % 5 == 0:
        content = content[: generator.randrange(len(content))]
    else:
        reach = 4096 if seed % 2 else len(content)
        for _ in range(8):
            content[generator.randrange(min(reach, len(content)))] = generator.randrange(256)
    path.write_bytes(content)
    status = ingest(three, tmp_path / "out" / "s.h5", "--workers", "2")
    told = capsys.readouterr()
    assert status in (0, 2)
    assert "Traceback" not in told.err + told.out
    assert (tmp_path / "out" / "s.h5").exists() == (status == 0)
    assert not list((tmp_path / "out").glob("*.partial"))
