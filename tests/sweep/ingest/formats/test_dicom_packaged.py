"""Every test file that pydicom brings is read as pydicom reads it, or refused with its reason."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.data import get_testdata_files
from pydicom.pixels import apply_rescale

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.volume import outline, sections

FILES = sorted(path for path in map(Path, get_testdata_files()) if path.is_file())
# Of the 176 of pydicom 3.0 with the decoders of mrisweep[dicom]; fewer, and some that were read
# are refused. Of the others 53 have no pixels, 33 are in colour and 27 are no image.
ACCEPTED = 54

pytestmark = pytest.mark.filterwarnings("ignore")  # many are odd, and pydicom says so


def ours(path: Path) -> NDArray[np.float32]:
    """(frame, row, column)."""
    count = len(outline(path, "acquired").geometries)
    return np.stack([one.image for one in sections(path, "acquired", range(count))])


def theirs(path: Path) -> NDArray[np.float32]:
    """The same by pydicom, with slope and intercept, and black as the least value."""
    file = pydicom.dcmread(path, force=True)
    stored = file.pixel_array
    if file.PhotometricInterpretation == "MONOCHROME1":
        stored = 2**file.BitsStored - 1 - stored.astype(np.int64)
    frames = apply_rescale(stored, file).astype(np.float32)
    return frames if frames.ndim == 3 else frames[None]


def test_each_is_read_or_refused() -> None:
    refused = {}
    for path in FILES:
        try:
            images = ours(path)
        except UnusableError as error:
            refused[path.name] = str(error)
        else:
            np.testing.assert_array_equal(images, theirs(path), err_msg=str(path))
    assert all(name in reason for name, reason in refused.items())
    assert len(FILES) - len(refused) >= ACCEPTED
