"""Whose a DICOM file is and which series it belongs to, without its pixels."""

import warnings
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmread

from sweep.core.errors import UnusableError, broken_is_unusable
from sweep.core.text import one_line
from sweep.ingest.formats.dicom.part10 import is_dicom

KEYWORDS = ["PatientID", "SeriesInstanceUID", "SOPInstanceUID", "Rows"]


class Identity(NamedTuple):
    """What tells files apart: the UID of the series, and the PatientID, which may be empty."""

    series: str
    patient: str


def identity_of(path: Path) -> Identity | None:
    """Read what tells a file apart; None = it is no image.

    Raises:
        UnusableError: It is no DICOM file, or a damaged one.

    """
    wrong, remedy = "the file is not a readable DICOM file", "repair or remove it"
    with broken_is_unusable(wrong, path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of sloppy files
        if not is_dicom(path):
            raise UnusableError(wrong, f"{path}, which does not begin as DICOM does", remedy)
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=KEYWORDS, force=True)
        if "Rows" not in dataset:
            return None
        series = str(dataset.get("SeriesInstanceUID", "") or dataset.get("SOPInstanceUID", ""))
        return Identity(series or str(path), one_line(dataset.get("PatientID", "") or ""))
