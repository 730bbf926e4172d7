import h5py
import ismrmrd
import numpy as np
import pytest

from sweep.core.errors import UnusableError
from sweep.ingest.fastmri.reader import FastmriReader
from sweep.ingest.fastmri.volume import read_kspace, read_volume
from sweep.ingest.plan import Item
from sweep.store.geometry import Sampling

ROWS, COLUMNS, COILS, SLICES = 20, 14, 3, 2  # of the image, which the readout oversamples twice
HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<subjectInformation><patientID>ann</patientID></subjectInformation>
<measurementInformation><protocolName>t2 tse</protocolName></measurementInformation>
<encoding>
<encodedSpace><matrixSize><x>40</x><y>14</y><z>1</z></matrixSize>
<fieldOfView_mm><x>80</x><y>42</y><z>5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>20</x><y>20</y><z>1</z></matrixSize>
<fieldOfView_mm><x>40</x><y>42</y><z>4</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>13</maximum>
<center>7</center></kspace_encoding_step_1></encodingLimits>
<trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


def images():
    """(slice, coil, row, column), without anything beyond the field of view of the image."""
    rng = np.random.default_rng(7)
    shape = (SLICES, COILS, ROWS, COLUMNS)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def kspace_of(image):
    """The textbook's: centred, orthonormal, over the last two axes."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes), norm="ortho"), axes)


def write(path, change=lambda acquisition: None, header=HEADER, skip=()):
    """Write raw data with the field's own package, lines in no order, a scan of noise first."""
    wide = np.pad(images(), ((0, 0), (0, 0), (ROWS // 2, ROWS // 2), (0, 0)))
    kspace = kspace_of(wide).astype(np.complex64)
    dataset = ismrmrd.Dataset(str(path), "dataset", create_if_needed=True)
    dataset.write_xml_header(header)
    noise = ismrmrd.Acquisition.from_array(np.ones((COILS, 9), np.complex64))
    noise.set_flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    dataset.append_acquisition(noise)
    lines = [(place, step) for place in range(SLICES) for step in range(COLUMNS)]
    for number in np.random.default_rng(3).permutation(len(lines)):
        place, step = lines[number]
        if (place, step) in skip:
            continue
        one = ismrmrd.Acquisition.from_array(np.ascontiguousarray(kspace[place, :, :, step]))
        one.center_sample = ROWS  # of 2 * ROWS
        one.idx.slice, one.idx.kspace_encode_step_1 = place, step
        change(one)
        dataset.append_acquisition(one)
    dataset.close()
    return path


def test_lines_are_sorted_and_oversampling_is_cropped(tmp_path):
    volume = read_volume(write(tmp_path / "meas.h5"))
    assert volume.slices == SLICES
    assert volume.sampling == Sampling(COILS, ROWS, COLUMNS, (0, COLUMNS))
    assert (volume.patient, volume.acquisition) == ("ann", "t2 tse")
    assert (volume.header.matrix, volume.header.pixel_mm) == ((ROWS, COLUMNS), (2, 3))
    np.testing.assert_allclose(list(read_kspace(volume)), kspace_of(images()), atol=1e-5)


def test_images_are_those_that_were_measured(tmp_path):
    path = write(tmp_path / "meas.h5")
    reader = FastmriReader("auto", kspace=True, size=None)
    planes = list(reader(Item("meas", (path,), (None,) * SLICES)))
    expected = np.sqrt((np.abs(images()) ** 2).sum(axis=1))
    np.testing.assert_allclose([plane.image for plane in planes], expected, atol=1e-5)
    np.testing.assert_allclose([plane.kspace for plane in planes], kspace_of(images()), atol=1e-5)


def test_lines_that_were_not_measured_at_one_end_are_zero(tmp_path):
    """Partial Fourier: the header counts from the first line that was measured."""
    header = HEADER.replace("<minimum>0", "<minimum>4")
    skipped = [(place, step) for place in range(SLICES) for step in range(4)]
    volume = read_volume(write(tmp_path / "meas.h5", header=header, skip=skipped))
    assert volume.sampling.acquired == (4, COLUMNS)
    expected = kspace_of(images())
    expected[..., :4] = 0
    np.testing.assert_allclose(list(read_kspace(volume)), expected, atol=1e-5)


def test_samples_to_discard_and_an_echo_off_the_middle(tmp_path):
    def change(one):
        one.discard_pre, one.discard_post = 2, 3

    volume = read_volume(write(tmp_path / "meas.h5", change))
    wide = kspace_of(np.pad(images(), ((0, 0), (0, 0), (ROWS // 2, ROWS // 2), (0, 0))))
    wide[:, :, :2], wide[:, :, -3:] = 0, 0
    axes = (-2, -1)
    image = np.fft.ifftshift(wide, axes)
    image = np.fft.fftshift(np.fft.ifft2(image, norm="ortho"), axes)[:, :, ROWS // 2 :][:, :, :ROWS]
    np.testing.assert_allclose(list(read_kspace(volume)), kspace_of(image), atol=1e-5)


def second(name):
    def change(one):
        setattr(one.idx, name, one.idx.kspace_encode_step_1 % 2)

    return change


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": HEADER.replace(">cartesian", ">radial")}, "trajectory that is radial"),
        ({"header": "<a/>"}, "trajectory that is not stated"),
        ({"change": second("average")}, "with several of average"),
        ({"change": second("contrast")}, "with several of contrast"),
        ({"change": second("kspace_encode_step_2")}, "with several of kspace_encode_step_2"),
        ({"skip": [(1, 3)]}, "undersampled"),
        ({"skip": [(0, step) for step in range(1, COLUMNS, 2)]}, "undersampled"),
        (
            {"change": lambda one: one.set_flag(ismrmrd.ACQ_IS_REVERSE)},
            "with lines read backwards",
        ),
        (
            {"change": lambda one: setattr(one, "center_sample", 3)},
            "of more samples or lines than the encoded matrix has",
        ),
        (
            {"change": lambda one: one.set_flag(ismrmrd.ACQ_IS_PHASECORR_DATA)},
            "without a readout of an image",
        ),
    ],
)
def test_other_raw_data_are_told_for_what_they_are(tmp_path, options, message):
    path = write(tmp_path / "meas.h5", **options)
    with pytest.raises(
        UnusableError,
        match=rf"is ISMRMRD raw data other than .* received .*meas\.h5, .*{message}.*; reconstruct",
    ):
        read_volume(path)


def test_a_damaged_row_costs_that_file_alone(tmp_path):
    path = write(tmp_path / "meas.h5")
    with h5py.File(path, "r+") as file:
        row = file["dataset/data"][5]
        row["data"] = row["data"][:-8]
        file["dataset/data"][5] = row
    with pytest.raises(UnusableError, match="not a readable HDF5 file"):
        list(read_kspace(read_volume(path)))
