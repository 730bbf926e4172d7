"""A DICOM series on disk, a file for each slice."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage


def write_slice(path: Path, pixels: np.ndarray, patient: str, place: int) -> None:
    """One axial slice of 16 bits, the head's side at the greater places."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, f"1.2.{place}"
    made.SeriesInstanceUID, made.SeriesDescription = "1.2", "T1 post"
    made.PatientID = patient
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [0, 0, 4 * place]
    made.PixelSpacing, made.SliceThickness = [0.5, 1], 3
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW"
    made.save_as(path, enforce_file_format=True)
