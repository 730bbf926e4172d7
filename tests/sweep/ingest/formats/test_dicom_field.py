"""The test files of pydicom: each is read exactly as pydicom and ITK read it, or refused."""

from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, pixel_array
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.volume import outline, sections

LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000)
SWAPPED_BY_ITK = ("rtdose_expb.dcm", "rtdose_expb_1frame.dcm")  # 32 bits, big endian
ROOT = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".py")

pytestmark = [
    pytest.mark.skipif(not FILES, reason="pydicom comes without its test files"),
    pytest.mark.filterwarnings("ignore"),
]


def images(path):
    count = len(outline(path, "acquired").geometries)
    return np.stack([one.image for one in sections(path, "acquired", range(count))])


def reading_of_pydicom(path):
    """(frame, row, column) in units; grey of three channels as their mean."""
    made = pydicom.dcmread(path, force=True)
    values = pixel_array(made) if made.file_meta.get("TransferSyntaxUID") else made.pixel_array
    if made.SamplesPerPixel == 3:
        values = values.mean(axis=-1)
    if made.PhotometricInterpretation == "MONOCHROME1":
        values = 2**made.BitsStored - 1 - values
    values = apply_modality_lut(values, made).astype(np.float64)
    return values.reshape(-1, *values.shape[-2:]).astype(np.float32)


def reading_of_itk(path):
    """The same, or None where ITK does not read the file."""
    itk = pytest.importorskip("SimpleITK")
    itk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        made = itk.GetArrayFromImage(itk.ReadImage(str(path))).astype(np.float64)
    except RuntimeError:
        return None
    if made.ndim == 4 or pydicom.dcmread(path, force=True).get("SamplesPerPixel") == 3:
        return None
    return made.reshape(-1, *made.shape[-2:]).astype(np.float32)


def test_every_file_is_read_exactly_or_refused_with_a_reason():
    counts = Counter()
    for path in FILES:
        try:
            read = images(path)
        except UnusableError as error:
            wrong, received, remedy = error.args
            assert all((wrong, path.name in received, remedy)), path
            counts["refused"] += 1
            continue
        counts["accepted"] += 1
        np.testing.assert_array_equal(read, reading_of_pydicom(path), err_msg=path.name)
    assert sum(counts.values()) == len(FILES)
    assert counts["accepted"] >= 40, counts


def test_itk_reads_the_same():
    seen = 0
    for path in FILES:
        try:
            read = images(path)
        except UnusableError:
            continue
        other = reading_of_itk(path)
        if other is None or other.shape != read.shape or path.name in SWAPPED_BY_ITK:
            continue
        seen += 1
        syntax = pydicom.dcmread(path, force=True).file_meta.get("TransferSyntaxUID")
        lossy = 1 if syntax in LOSSY else 0  # two decoders may round otherwise
        np.testing.assert_allclose(read, other, rtol=0, atol=lossy, err_msg=path.name)
    assert seen >= 30, seen
