import os

import h5py
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.fastmri.reader import FastmriReader
from sweep.ingest.fastmri.volume import read_kspace, read_stored, read_volume
from sweep.store.geometry import Sampling

HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<reconSpace><matrixSize><x>6</x><y>6</y><z>1</z></matrixSize>
<fieldOfView_mm><x>12</x><y>12</y><z>3</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>5</maximum><center>3</center>
</kspace_encoding_step_1></encodingLimits></encoding></ismrmrdHeader>"""


def noise(*shape):
    rng = np.random.default_rng(len(shape))
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


KSPACE = noise(3, 12, 8)
IMAGES = np.abs(KSPACE[:, 3:9, 1:7])


@pytest.fixture
def path(tmp_path):
    """A single-coil volume of three slices."""
    path = tmp_path / "file1000001.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = KSPACE
        file["reconstruction_rss"] = 2 * IMAGES
        file["reconstruction_esc"] = IMAGES
        file["ismrmrd_header"] = HEADER.encode()
        file.attrs["acquisition"] = "CORPD_FBK"
        file.attrs["patient_id"] = "ann"
    return path


def replace(path, name, value):
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def read_all(path):
    volume = read_volume(path)
    images = [list(read_stored(volume, which)) for which in volume.stored]
    return volume, list(read_kspace(volume)), images


def test_a_single_coil_volume(path):
    volume, kspace, (rss, esc) = read_all(path)
    assert (volume.slices, volume.sampling) == (3, Sampling(1, 12, 8, (1, 7)))
    assert volume.stored == {"rss": (6, 6), "esc": (6, 6)}
    assert (volume.acquisition, volume.patient) == ("CORPD_FBK", "ann")
    assert volume.header.pixel_mm == (2, 2)
    assert not volume.undersampled
    np.testing.assert_array_equal(np.stack(kspace), KSPACE[:, None])
    np.testing.assert_array_equal(np.stack(rss), 2 * IMAGES)
    np.testing.assert_array_equal(np.stack(esc), IMAGES)


def test_a_multi_coil_volume(path):
    several = noise(3, 4, 12, 8)
    replace(path, "kspace", several)
    replace(path, "reconstruction_esc", None)
    volume, kspace, _ = read_all(path)
    assert volume.sampling == Sampling(4, 12, 8, (1, 7))
    assert list(volume.stored) == ["rss"]
    np.testing.assert_array_equal(np.stack(kspace), several)


@pytest.mark.parametrize("dtype", ["<c16", ">c8", ">c16"])
def test_other_precision_and_byte_order_of_the_kspace(path, dtype):
    replace(path, "kspace", KSPACE.astype(dtype))
    planes = list(read_kspace(read_volume(path)))
    assert {plane.dtype for plane in planes} == {np.dtype(np.complex64)}
    np.testing.assert_array_equal(np.stack(planes), KSPACE[:, None])


@pytest.mark.parametrize("dtype", [">f4", "<f8", "<f2", "<u2"])
def test_other_kinds_of_real_images(path, dtype):
    images = np.arange(3 * 36).reshape(3, 6, 6).astype(dtype)
    replace(path, "reconstruction_rss", images)
    planes = list(read_stored(read_volume(path), "rss"))
    assert {plane.dtype for plane in planes} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.stack(planes), images)


@pytest.mark.parametrize("header", [None, b"no xml", 7.5, np.zeros(0), "<a/>", [b"<a/>"]])
def test_without_a_usable_header_all_lines_are_taken_for_measured(path, header):
    replace(path, "ismrmrd_header", header)
    volume = read_volume(path)
    assert volume.sampling.acquired == (0, 8)
    assert volume.header.pixel_mm is None


@pytest.mark.parametrize("as_stored", [str, str.encode, np.bytes_, lambda text: [text.encode()]])
def test_a_header_is_text_of_any_kind(path, as_stored):
    replace(path, "ismrmrd_header", as_stored(HEADER))
    assert read_volume(path).sampling.acquired == (1, 7)


@pytest.mark.parametrize(
    ("value", "patient"),
    [
        (b"ann", "ann"),
        (17, "17"),
        (" ann ", "ann"),
        (b"a\x1b[2J\xffn", "a?[2J?n"),
        (h5py.Empty("S1"), ""),
        (None, ""),
    ],
)
def test_attributes_are_text_of_any_kind_or_absent(path, value, patient):
    with h5py.File(path, "r+") as file:
        del file.attrs["patient_id"], file.attrs["acquisition"]
        if value is not None:
            file.attrs["patient_id"] = value
    volume = read_volume(path)
    assert (volume.patient, volume.acquisition) == (patient, "")


def test_a_mask_is_seen(path):
    with h5py.File(path, "r+") as file:
        file["mask"] = np.ones(8)
    assert read_volume(path).undersampled


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kspace", IMAGES, "kspace is not an array of complex numbers; received float32 in "),
        ("kspace", b"text", "kspace is not an array of complex numbers; "),
        ("kspace", h5py.Empty("c8"), "does not have 3 or 4 axes, or one of them is empty"),
        ("kspace", KSPACE[0], r"kspace does not have 3 or 4 axes, .*; received \(12, 8\) in "),
        ("kspace", KSPACE.reshape(3, *[1] * 5, 12, 8), "does not have 3 or 4 axes"),
        ("kspace", KSPACE[:0], r"one of them is empty; received \(0, 12, 8\) in "),
        ("kspace", KSPACE[:, :, :0], "axes, or one of them is empty; received "),
        ("kspace", KSPACE[:2], "equally many slices; .* with 2 in kspace, 3 in rss, 3 in esc"),
        ("reconstruction_rss", KSPACE, "not an array of real numbers; received complex64 in "),
        ("reconstruction_rss", IMAGES > 0, "not an array of real numbers; received bool in "),
        (
            "reconstruction_esc",
            IMAGES[0],
            r"does not have 3 axes, or one .* empty; received \(6, 6\) in ",
        ),
        ("reconstruction_esc", IMAGES[:, :0], "axes, or one of them is empty; received "),
        ("reconstruction_esc", IMAGES[:2], "with 3 in kspace, 3 in rss, 2 in esc"),
    ],
)
def test_a_layout_that_cannot_be_used(path, name, value, message):
    replace(path, name, value)
    with pytest.raises(UnusableError, match=f"{message}.*; fetch the file again or remove it"):
        read_volume(path)


def test_a_group_in_the_place_of_an_array(path):
    replace(path, "kspace", None)
    with h5py.File(path, "r+") as file:
        file.create_group("kspace")
    with pytest.raises(
        UnusableError, match="not an array of complex numbers; received a group in "
    ):
        read_volume(path)


def test_a_file_without_any_data(path):
    for name in ("kspace", "reconstruction_rss", "reconstruction_esc"):
        replace(path, name, None)
    message = r"has neither a dataset 'kspace' nor 'reconstruction_rss'; received .*\.h5; "
    with pytest.raises(UnusableError, match=message):
        read_volume(path)


def test_a_file_whose_user_kept_the_images_alone(path):
    replace(path, "kspace", None)
    volume = read_volume(path)
    assert (volume.slices, volume.sampling) == (3, None)
    np.testing.assert_array_equal(list(read_stored(volume, "esc")), IMAGES)


@pytest.mark.parametrize("name", ["kspace", "reconstruction_rss"])
def test_values_beyond_single_precision_become_infinite_without_a_warning(path, name):
    replace(path, name, np.full((3, 6, 6), 1e300, "c16" if name == "kspace" else "f8"))
    volume = read_volume(path)
    planes = read_kspace(volume) if name == "kspace" else read_stored(volume, "rss")
    assert not np.isfinite(list(planes)).any()


@pytest.mark.parametrize("share", np.linspace(0, 0.999, 20))
def test_a_truncated_file_is_refused_wherever_it_ends(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        UnusableError, match=r"not a readable HDF5 file; .*file1000001\.h5 \(OSError: "
    ):
        read_all(path)


def test_a_chunk_that_cannot_be_unpacked_is_met_in_the_middle(path):
    replace(path, "kspace", None)
    with h5py.File(path, "r+") as file:
        file.create_dataset("kspace", data=KSPACE, chunks=(1, 12, 8), compression="gzip")
        chunk = file["kspace"].id.get_chunk_info(1)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\0" * chunk.size)
    planes = read_kspace(read_volume(path))
    np.testing.assert_array_equal(next(planes), KSPACE[:1])
    with pytest.raises(UnusableError, match="the volume is not a readable HDF5 file; received "):
        next(planes)


def test_a_file_that_vanishes_or_changes_before_its_pixels_are_read(path):
    volume = read_volume(path)
    replace(path, "kspace", KSPACE[:2])
    with pytest.raises(UnusableError, match="the volume is not a readable HDF5 file; received "):
        list(read_kspace(volume))
    replace(path, "kspace", None)
    with pytest.raises(UnusableError, match="the volume is not a readable HDF5 file; received "):
        list(read_kspace(volume))
    path.unlink()
    with pytest.raises(
        UnusableError, match=r"the volume is not a file, or is a broken link; received .*\.h5; "
    ):
        list(read_kspace(volume))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_what_is_not_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(UnusableError, match=r"not a readable HDF5 file; .*a\.h5 \(OSError: "):
        read_volume(path)


def test_links_to_nowhere_and_things_that_are_no_file_are_refused(tmp_path):
    (tmp_path / "loop.h5").symlink_to(tmp_path / "loop.h5")
    (tmp_path / "gone.h5").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.h5").mkdir()
    os.mkfifo(tmp_path / "pipe.h5")
    for path in tmp_path.iterdir():
        with pytest.raises(
            UnusableError, match=r"the volume is not a file, or is a broken link; received .*\.h5; "
        ):
            read_volume(path)


def test_a_loop_of_links_inside_the_file_is_refused(path):
    replace(path, "kspace", h5py.SoftLink("/kspace"))
    with pytest.raises(UnusableError):
        read_volume(path)


def test_what_lies_in_another_file_is_refused(path, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other, h5py.File(path) as file:
        other["kspace"] = file["kspace"][...]
    replace(path, "kspace", h5py.ExternalLink(str(tmp_path / "other.h5"), "/kspace"))
    with pytest.raises(UnusableError, match="'kspace' is a link to elsewhere"):
        read_volume(path)


AVERAGES = noise(2, 3, 4, 12, 8)  # (average, slice, coil, RO, PE), as fastMRI prostate has them


def reader(reconstruction="auto", kspace=False):
    return FastmriReader(reconstruction, kspace, None)


@pytest.mark.parametrize("kspace", [AVERAGES, AVERAGES.swapaxes(0, 1), AVERAGES[None]])
@pytest.mark.parametrize("reconstruction", ["auto", "rss", "esc"])
def test_a_kspace_of_more_axes_is_not_asked_for_where_images_are_taken(
    path, kspace, reconstruction
):
    replace(path, "kspace", kspace)
    volume = read_volume(path)
    assert (volume.slices, volume.sampling, volume.unread) == (3, None, kspace.shape)
    source = reader(reconstruction).source(volume)
    expected = IMAGES if source == "esc" else 2 * IMAGES
    np.testing.assert_array_equal(list(read_stored(volume, source)), expected)


@pytest.mark.parametrize("asked", [reader("kspace"), reader(kspace=True)])
def test_a_kspace_of_more_axes_that_is_asked_for_says_its_axes_and_what_to_do(path, asked):
    replace(path, "kspace", AVERAGES)
    message = (
        r"has 5 axes, where \(slice, coil, RO, PE\) .* averages, echoes or repetitions; received "
        r"\(2, 3, 4, 12, 8\) in .*; pass --reconstruction rss or esc, without --kspace, for"
    )
    with pytest.raises(UnusableError, match=message):
        asked.source(read_volume(path))


def test_a_kspace_of_more_axes_alone_is_refused(path):
    replace(path, "kspace", AVERAGES)
    for name in ("reconstruction_rss", "reconstruction_esc"):
        replace(path, name, None)
    with pytest.raises(UnusableError, match=r"has 5 axes.*\.h5; take one of them, or .* anew"):
        read_volume(path)


def test_diffusion_files_of_fastmri_prostate(path):
    """Images by b-value beside a k-space of averages: which one is taken is for the user to say."""
    replace(path, "kspace", AVERAGES)
    for name in ("reconstruction_rss", "reconstruction_esc"):
        replace(path, name, None)
    images = {name: number * IMAGES for number, name in enumerate(("b50", "b1500", "adc_map"))}
    with h5py.File(path, "r+") as file:
        for name, planes in images.items():
            file[name] = planes
    volume = read_volume(path)
    assert list(volume.stored) == ["b50", "b1500", "adc"]
    assert reader("adc").shape(volume) == (6, 6)
    np.testing.assert_array_equal(list(read_stored(volume, "adc")), images["adc_map"])
    with pytest.raises(UnusableError, match="pass --reconstruction b50 or b1500 or adc, without"):
        reader().source(volume)
    with pytest.raises(UnusableError, match=r"no b1000; .*; pass --reconstruction b50 or b1500"):
        reader("b1000").source(volume)
    replace(path, "kspace", None)
    with pytest.raises(
        UnusableError, match=r"neither reconstruction_rss nor k-space .*adc_map; pa"
    ):
        reader().source(read_volume(path))
