"""What others read of the same file: Pillow, nibabel, SimpleITK, NumPy, pydicom, h5py, ismrmrd."""

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import h5py
import ismrmrd
import nibabel
import numpy as np
import pydicom
import SimpleITK as itk  # noqa: N813 (it is written so everywhere)
from PIL import Image, ImageOps
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ImplicitVRLittleEndian

from sweep.ingest.formats.dicom.volume import outline as outline_of_dicom
from sweep.ingest.formats.pixels import fit, fit_square
from sweep.ingest.formats.volumes.reading import outline as outline_of_volume
from tests.fuzz.samples import SIDE


class Question(NamedTuple):
    """What was taken of a damaged file, to be compared with what others read of it.

    Attributes:
        case: The name of the case.
        family: One of ``FAMILIES``.
        path: The file, or the folder of a series.
        images: (slice, row, column) as they are in the store.

    """

    case: str
    family: str
    path: Path
    images: np.ndarray


def compared(question: Question) -> str:
    """'' = what others read; else in which way it differs, or what they raise."""
    itk.ProcessObject.SetGlobalWarningDisplay(False)
    logging.disable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = READERS[question.family](question.path)
        except Exception as error:
            return f"the reference raises {type(error).__name__}: {error}"[:300]
        expected = fitted(question.family, question.path, np.asarray(read))
    found = question.images
    if expected.shape != found.shape:
        return f"{found.shape} and not {expected.shape}"
    if question.family == "fastmri":
        same = np.allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    else:
        same = np.array_equal(found, expected)
    if same:
        return ""
    return f"{np.count_nonzero(found != expected)} of {found.size} pixels differ"


def fitted(family: str, path: Path, read: np.ndarray) -> np.ndarray:
    """The same brought to the size of the store, as the spacing of the file says."""
    images = read.astype(np.float32)
    if family in ("images", "fastmri"):
        return np.stack([fit(one, SIDE) for one in images])
    outline = outline_of_dicom if family == "dicom" else outline_of_volume
    spacing = outline(path, "acquired").geometries[0].pixel_mm
    return np.stack([fit_square(one, spacing, SIDE) for one in images])


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return grey(opened)[None]


def grey(opened: Image.Image) -> np.ndarray:
    """Of a picture, or of the page that it stands at."""
    tags = dict(getattr(opened, "tag_v2", {}))
    opened.load()
    shown = opened if tags else ImageOps.exif_transpose(opened)
    if shown.mode in ("P", "RGB", "RGBA"):
        return np.asarray(shown.convert("RGB")).mean(axis=-1)
    values = np.asarray(shown)
    if shown.mode == "LA":
        return values[..., 0]
    signed = tags.get(339, (1,))[0] == 2
    if shown.mode == "L" and signed:
        return values.view(np.int8)
    if shown.mode == "I" and tags and not signed:
        return values.view(np.uint32)
    if shown.mode.startswith("I;16") and tags.get(262) == 0:
        return 65535 - values.astype(int)
    return values


def volume(path: Path) -> np.ndarray:
    name = path.name.lower()
    if name.endswith((".mha", ".mhd", ".nrrd", ".nhdr")):
        return itk.GetArrayFromImage(itk.ReadImage(str(path)))
    if name.endswith(".npy"):
        return stacked(np.load(path))
    if name.endswith(".npz"):
        with np.load(path) as arrays:
            (array,) = arrays.values()
            return stacked(array)
    if name.endswith(".tif"):
        with Image.open(path) as opened:
            pages = []
            for number in range(opened.n_frames):
                opened.seek(number)
                pages.append(grey(opened))
            return np.stack(pages)
    loaded = nibabel.load(path)
    values = loaded.get_fdata()
    values = values.reshape((*values.shape, 1, 1)[:3])
    axis = 2
    if hasattr(loaded.header, "get_dim_info"):
        axis = loaded.header.get_dim_info()[2]
        axis = 2 if axis is None else axis
    return np.moveaxis(values, axis, -1).T


def stacked(array: np.ndarray) -> np.ndarray:
    return array[None] if array.ndim == 2 else array.reshape(-1, *array.shape[-2:])


def dicom(path: Path) -> np.ndarray:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    frames: list[tuple[tuple, np.ndarray]] = []
    for number, file in enumerate(files):
        made = pydicom.dcmread(file, force=True)
        if "TransferSyntaxUID" not in made.file_meta:
            made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        if "MOSAIC" in made.get("ImageType", ()):
            return mosaic(made)
        frames.extend(frames_of(made, number))
    if len(files) > 1 and any(None in key for key, _ in frames):
        raise ValueError("places are not known")
    keys = [key for key, _ in frames]
    if not any(None in key for key in keys):
        frames.sort(key=lambda one: one[0][0])
    return np.stack([values for _, values in frames])


def mosaic(made: pydicom.Dataset) -> np.ndarray:
    from nibabel.nicom.dicomwrappers import wrapper_from_data

    return wrapper_from_data(made).get_data().transpose(2, 0, 1)


def frames_of(made: pydicom.Dataset, number: int) -> list[tuple[tuple, np.ndarray]]:
    """Of each frame what it is sorted by, and its values in units."""
    values = made.pixel_array
    if made.SamplesPerPixel == 3:
        values = values.mean(axis=-1)
    values = values.reshape(-1, *values.shape[-2:])
    if made.PhotometricInterpretation == "MONOCHROME1":
        values = 2.0**made.BitsStored - 1 - values
    groups = made.get("PerFrameFunctionalGroupsSequence")
    found = []
    for frame, one in enumerate(values):
        place = None
        if groups:
            group = groups[frame]
            shared = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
            along = shared.ImageOrientationPatient
            place = depth(group.PlanePositionSequence[0].ImagePositionPatient, along)
            scale = group.PixelValueTransformationSequence[0]
            one = one * float(scale.RescaleSlope) + float(scale.RescaleIntercept)
        else:
            one = apply_modality_lut(one, made).astype(np.float64)
            if len(values) == 1 and "ImagePositionPatient" in made:
                place = depth(made.ImagePositionPatient, made.ImageOrientationPatient)
        found.append(((place, number, frame), one))
    return found


def depth(position: list, orientation: list) -> float:
    normal = np.cross(orientation[:3], orientation[3:])
    return round(float(np.dot(normal, position)), 4)


def fastmri(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        if "dataset" not in file and "reconstruction_rss" in file:
            return file["reconstruction_rss"][...]
        if "dataset" not in file:
            return reconstructed(file["kspace"][...])
    return raw(path)


def reconstructed(kspace: np.ndarray) -> np.ndarray:
    """The textbook's, from (slice, [coil,] RO, PE) to the middle of 16 x 16."""
    coils = kspace if kspace.ndim == 4 else kspace[:, None]
    axes = (-2, -1)
    shifted = np.fft.ifftshift(coils.astype(complex), axes)
    image = np.fft.fftshift(np.fft.ifft2(shifted, norm="ortho"), axes)
    image = np.sqrt((np.abs(image) ** 2).sum(axis=1))
    shown = np.zeros((len(image), SIDE, SIDE))
    (rows, columns), (into_rows, into_columns) = zip(
        *(middles(length) for length in image.shape[1:]), strict=True
    )
    shown[:, into_rows, into_columns] = image[:, rows, columns]
    return shown


def middles(length: int) -> tuple[slice, slice]:
    """What is taken of so many pixels, and where it goes among 16; N // 2 lies at N // 2."""
    count = min(length, SIDE)
    first, into = (whole // 2 - count // 2 for whole in (length, SIDE))
    return slice(first, first + count), slice(into, into + count)


def raw(path: Path) -> np.ndarray:
    made = ismrmrd.Dataset(str(path), "dataset", create_if_needed=False)
    kspace = np.zeros((2, 2, 32, 16), complex)
    for number in range(made.number_of_acquisitions()):
        one = made.read_acquisition(number)
        kspace[one.idx.slice, :, :, one.idx.kspace_encode_step_1] = one.data
    made.close()
    return reconstructed(kspace)


READERS: Mapping[str, Callable[[Path], np.ndarray]] = {
    "images": picture,
    "volumes": volume,
    "dicom": dicom,
    "fastmri": fastmri,
}
