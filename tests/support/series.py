"""DICOM images, and a series on disk with a file for each slice."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, MRImageStorage

ALONG, DOWN = (0.8, 0.6, 0.0), (0.0, 0.0, -1.0)
NORMAL = np.cross(ALONG, DOWN)


def noise(*shape, dtype=np.uint16, low=0, high=4000):
    return np.random.default_rng(8).integers(low, high, shape or (3, 4)).astype(dtype)


def dataset(pixels, syntax=ExplicitVRLittleEndian, **changes):
    """An MR image, or several frames of one; ``changes`` with None remove an attribute."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = MRImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3.4"
    made.SeriesInstanceUID, made.PatientID, made.SeriesDescription = "1.2.3", "ann", "T1 sag"
    made.Rows, made.Columns = pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.ImageOrientationPatient = [*ALONG, *DOWN]
    made.ImagePositionPatient = [-50, 20, 30]
    made.PixelSpacing, made.SliceThickness = [2, 0.5], 3
    big = pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")
    made.PixelData = pixels.astype(big).tobytes()
    made["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
    for name, value in changes.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)
    return made


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
