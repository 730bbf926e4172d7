"""Small valid files of every format that ``ingest`` reads, the same bytes in every process."""

import gzip
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import ismrmrd
import nibabel
import numpy as np
import pydicom
import SimpleITK as itk  # noqa: N813 (it is written so everywhere)
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.support.series import NORMAL, dataset

SIDE, SLICES = 16, 3
FAMILIES = ("images", "volumes", "dicom", "fastmri")


@dataclass(frozen=True)
class Sample:
    """One thing that ingest takes: a picture, a volume, a series.

    Attributes:
        kind: The name of its format.
        name: What a manifest names, in the folder of the sample; '' = the folder.
        files: Content of each file by name.
        hit: The files that may be damaged.

    """

    kind: str
    name: str
    files: Mapping[str, bytes]
    hit: tuple[str, ...]


def one_file(kind: str, name: str, content: bytes) -> Sample:
    """A sample of a single file."""
    return Sample(kind, name, {name: content}, (name,))


def pixels(dtype: type[np.generic], *shape: int, key: int = 1, top: int = 250) -> np.ndarray:
    """Values from 0 to ``top``."""
    values = np.random.default_rng(key).integers(0, top, shape or (SIDE, SIDE))
    return values.astype(dtype)


def saved(write: Callable[[Path], object], name: str) -> bytes:
    """What is written to a path of this name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def pictures() -> Iterator[Sample]:
    """Of every kind that is taken; some that are refused as long as they are whole."""
    grey, deep = pixels(np.uint8), pixels(np.uint16, top=60000)
    real = pixels(np.float32) / np.float32(3)
    turned = Image.Exif()
    turned[274] = 6
    of_grey = Image.fromarray(grey)
    opaque = np.full_like(grey, 255)
    kinds: list[tuple[str, str, Image.Image, dict]] = [
        ("PNG 8", "a.png", of_grey, {}),
        ("PNG 16", "a.png", Image.fromarray(deep), {}),
        ("PNG palette", "a.png", of_grey.convert("P"), {}),
        ("PNG grey alpha", "a.png", Image.merge("LA", (of_grey, Image.fromarray(opaque))), {}),
        ("PNG RGBA", "a.png", Image.merge("RGBA", (*[of_grey] * 3, Image.fromarray(opaque))), {}),
        ("PNG EXIF", "a.png", of_grey, {"exif": turned}),
        ("JPEG", "a.jpg", of_grey, {"quality": 95}),
        ("JPEG RGB", "a.jpg", of_grey.convert("RGB"), {"quality": 95}),
        ("JPEG EXIF", "a.jpg", of_grey, {"quality": 95, "exif": turned}),
        ("JPEG progressive", "a.jpg", of_grey, {"quality": 95, "progressive": True}),
        ("BMP 8", "a.bmp", of_grey, {}),
        ("BMP RGB", "a.bmp", of_grey.convert("RGB"), {}),
        ("TIFF 8", "a.tif", of_grey, {}),
        ("TIFF 16", "a.tif", Image.fromarray(deep), {}),
        ("TIFF float", "a.tiff", Image.fromarray(real), {}),
        ("TIFF 32", "a.tif", Image.fromarray(pixels(np.int32, top=90000)), {}),
        ("TIFF turned", "a.tif", of_grey, {"tiffinfo": {274: 8}}),
        ("TIFF LZW", "a.tif", Image.fromarray(deep), {"compression": "tiff_lzw"}),
        ("TIFF deflate", "a.tif", of_grey, {"compression": "tiff_deflate"}),
        ("TIFF pages", "a.tif", of_grey, {"save_all": True, "append_images": [of_grey]}),
    ]
    for kind, name, picture, options in kinds:
        yield one_file(kind, name, saved(partial(picture.save, **options), name))


def volumes() -> Iterator[Sample]:
    """Of every suffix."""
    values = pixels(np.int16, SIDE, SIDE, SLICES)
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])
    whole = nibabel.Nifti1Image(values, affine)
    whole.header.set_slope_inter(0.5, 3)
    plain = saved(lambda path: nibabel.save(whole, path), "a.nii")
    yield one_file("NIfTI", "a.nii", plain)
    yield one_file("NIfTI gz", "a.nii.gz", gzip.compress(plain, mtime=0))
    second = nibabel.Nifti2Image(values.astype(np.float32), affine)
    yield one_file("NIfTI 2", "a.nii", saved(lambda path: nibabel.save(second, path), "a.nii"))
    with tempfile.TemporaryDirectory() as folder:
        nibabel.save(nibabel.Nifti1Pair(values, affine), Path(folder) / "a.img")
        files = {name: (Path(folder) / name).read_bytes() for name in ("a.hdr", "a.img")}
    yield Sample("NIfTI pair", "a.hdr", files, ("a.hdr", "a.img"))
    mgh = nibabel.MGHImage(values.astype(np.float32), affine)
    plain = saved(lambda path: nibabel.save(mgh, path), "a.mgh")
    yield one_file("MGH", "a.mgh", plain)
    yield one_file("MGZ", "a.mgz", gzip.compress(plain, mtime=0))
    yield from itk_volumes(values)
    turned = np.ascontiguousarray(values.T)
    yield one_file("npy", "a.npy", saved(lambda path: np.save(path, turned), "a.npy"))
    yield one_file("npz", "a.npz", saved(lambda path: np.savez(path, voxels=turned), "a.npz"))
    packed = saved(lambda path: np.savez_compressed(path, voxels=turned), "a.npz")
    yield one_file("npz packed", "a.npz", packed)
    for kind, of_type in (("TIFF stack 8", np.uint8), ("TIFF stack 16", np.uint16)):
        pages = [Image.fromarray(one) for one in turned.astype(of_type)]
        options = {"save_all": True, "append_images": pages[1:]}
        content = saved(partial(pages[0].save, **options), "a.tif")
        yield one_file(kind, "a.tif", content)
    said = "ImageJ=1.54f\nimages=3\nslices=3\nunit=mm\nspacing=4\n"
    options = {**options, "tiffinfo": {270: said, 282: 2.0, 283: 2.0, 296: 1}}
    content = saved(partial(pages[0].save, **options), "a.tif")
    yield one_file("TIFF ImageJ", "a.tif", content)


def itk_volumes(values: np.ndarray) -> Iterator[Sample]:
    """MetaImage and NRRD, with their voxels and beside them, packed and not."""
    volume = itk.GetImageFromArray(np.ascontiguousarray(values.T))
    volume.SetSpacing((2, 2, 5))
    for kind, name, packed in (
        ("MHA", "a.mha", False),
        ("MHA packed", "a.mha", True),
        ("MHD", "a.mhd", False),
        ("NRRD", "a.nrrd", False),
        ("NRRD packed", "a.nrrd", True),
        ("NHDR", "a.nhdr", False),
    ):
        with tempfile.TemporaryDirectory() as folder:
            itk.WriteImage(volume, str(Path(folder) / name), packed)
            files = {one.name: one.read_bytes() for one in sorted(Path(folder).iterdir())}
        yield Sample(kind, name, files, tuple(files))


def dicom_bytes(made: Dataset) -> bytes:
    """With preamble and header of the file."""
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicoms() -> Iterator[Sample]:
    """Files of every common transfer syntax, an enhanced one, a mosaic, series."""
    values = pixels(np.uint16, top=4000)
    plain = dataset(values, PixelSpacing=[2, 2], RescaleSlope="2", RescaleIntercept="-7")
    yield one_file("DICOM", "a.dcm", dicom_bytes(plain))
    for kind, syntax in (
        ("DICOM implicit", ImplicitVRLittleEndian),
        ("DICOM big-endian", ExplicitVRBigEndian),
    ):
        yield one_file(kind, "a.dcm", dicom_bytes(dataset(values, syntax, PixelSpacing=[2, 2])))
    stream = io.BytesIO()
    bare = Dataset(dataset(values, ImplicitVRLittleEndian, PixelSpacing=[2, 2]))
    pydicom.dcmwrite(stream, bare, implicit_vr=True, little_endian=True)
    yield one_file("DICOM bare", "a", stream.getvalue())
    for kind, syntax in (("DICOM RLE", RLELossless), ("DICOM JPEG 2000", JPEG2000Lossless)):
        wide = pixels(np.uint16, 48, 48, top=4000)  # OpenJPEG takes no 16 x 16
        packed = dataset(wide, PixelSpacing=[2, 2])
        packed.compress(syntax, generate_instance_uid=False)
        yield one_file(kind, "a.dcm", dicom_bytes(packed))
    few = pixels(np.uint8)
    lossy = dataset(few, JPEGBaseline8Bit, PixelSpacing=[2, 2])
    lossy.PixelData = encapsulate([saved(Image.fromarray(few).save, "a.jpg")])
    lossy["PixelData"].VR, lossy["PixelData"].is_undefined_length = "OB", True
    yield one_file("DICOM JPEG", "a.dcm", dicom_bytes(lossy))
    yield one_file("DICOM enhanced", "a.dcm", dicom_bytes(enhanced()))
    frames = dataset(pixels(np.uint16, SLICES, SIDE, SIDE, top=4000), PixelSpacing=[2, 2])
    yield one_file("DICOM frames", "a.dcm", dicom_bytes(frames))
    yield one_file("DICOM mosaic", "a.dcm", dicom_bytes(mosaic()))
    for kind, name in (("DICOM series", "IM{}"), ("DICOM series .dcm", "IM{}.dcm")):
        files = {
            name.format(number): dicom_bytes(
                dataset(
                    pixels(np.uint16, key=number + 1, top=4000),
                    ImagePositionPatient=(np.array([-50, 20, 30]) + 4 * number * NORMAL).tolist(),
                    PixelSpacing=[2, 2],
                    InstanceNumber=number + 1,
                    SOPInstanceUID=f"1.2.3.4.{number + 1}",
                )
            )
            for number in range(4)
        }
        yield Sample(kind, "", files, tuple(files))


def enhanced() -> Dataset:
    """Frames that are sorted by place, each with a slope of its own."""
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [2, 2], 3
    orientation.ImageOrientationPatient = [0.8, 0.6, 0.0, 0.0, 0.0, -1.0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    return dataset(
        pixels(np.uint16, SLICES, SIDE, SIDE, top=4000),
        ImageOrientationPatient=None,
        ImagePositionPatient=None,
        PixelSpacing=None,
        SliceThickness=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[group_of(number) for number in (1, 0, 2)],
    )


def group_of(number: int) -> Dataset:
    """Functional groups of a frame."""
    place, value, group = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = (np.array([-50, 20, 30]) + 4 * number * NORMAL).tolist()
    value.RescaleSlope, value.RescaleIntercept = 1 + number, -number
    group.PlanePositionSequence, group.PixelValueTransformationSequence = [place], [value]
    return group


def mosaic() -> Dataset:
    """Three tiles of 16 x 16 in a square of 32 x 32, with Siemens' private header."""
    tiles = np.zeros((2 * SIDE, 2 * SIDE), np.uint16)
    for number, tile in enumerate(pixels(np.uint16, SLICES, SIDE, SIDE, top=4000)):
        row, column = divmod(number, 2)
        tiles[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = tile
    made = dataset(
        tiles, PixelSpacing=[2, 2], ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    )
    made.Manufacturer, made.Modality = "SIEMENS", "MR"
    made.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    normal = [f"{value:.8f}" for value in NORMAL]
    csa = csa_header(
        {
            "NumberOfImagesInMosaic": ["3"],
            "SliceNormalVector": normal,
            "AcquisitionMatrixText": ["16p*16"],
        }
    )
    made.add_new(0x00291010, "OB", csa)
    made.add_new(0x00291020, "OB", csa_header({"MrPhoenixProtocol": ["sSliceArray.lSize = 3"]}))
    return made


def csa_header(tags: Mapping[str, list[str]]) -> bytes:
    """Siemens' CSA header of type 2, as https://nipy.org/nibabel/dicom/siemens_csa.html has it."""
    made = b"SV10\4\3\2\1" + np.array([len(tags), 77], "<u4").tobytes()
    for name, values in tags.items():
        kind = {"S": b"FD", "N": b"IS", "A": b"SH", "M": b"UN"}[name[0]]
        head = np.array([len(values)], "<i4").tobytes() + kind + b"\0\0"
        made += name.encode().ljust(64, b"\0") + head
        made += np.array([6, len(values), 77], "<i4").tobytes()
        for value in values:
            text = value.encode() + b"\0"
            made += np.array([len(text), len(text), 77, len(text)], "<i4").tobytes()
            made += text + bytes(-len(text) % 4)
    return made


RAW_HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<subjectInformation><patientID>ann</patientID></subjectInformation>
<encoding>
<encodedSpace><matrixSize><x>32</x><y>16</y><z>1</z></matrixSize>
<fieldOfView_mm><x>64</x><y>32</y><z>5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>16</x><y>16</y><z>1</z></matrixSize>
<fieldOfView_mm><x>32</x><y>32</y><z>4</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>15</maximum>
<center>8</center></kspace_encoding_step_1></encodingLimits>
<trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


def complex_noise(*shape: int) -> np.ndarray:
    """Of a middle that is brighter."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    values[..., shape[-2] // 2, shape[-1] // 2] *= 20
    return values.astype(np.complex64)


def fastmris() -> Iterator[Sample]:
    """Single-coil, multi-coil, images alone, prostate, and raw data."""
    images = np.abs(complex_noise(SLICES, SIDE, SIDE)) * np.float32(1e-4)
    single, coils = complex_noise(SLICES, 32, 20), complex_noise(SLICES, 2, 32, 20)
    header = np.bytes_(RAW_HEADER.encode())
    attributes = {"acquisition": "CORPD_FBK", "max": 1.0, "norm": 2.0, "patient_id": "ann"}
    kinds: Mapping[str, dict] = {
        "fastMRI single-coil": {
            "kspace": single,
            "reconstruction_rss": images,
            "reconstruction_esc": images * 2,
            "ismrmrd_header": header,
        },
        "fastMRI multi-coil": {
            "kspace": coils,
            "reconstruction_rss": images,
            "ismrmrd_header": header,
        },
        "fastMRI k-space": {"kspace": coils, "ismrmrd_header": header},
        "fastMRI images": {"reconstruction_rss": images, "ismrmrd_header": header},
        "fastMRI prostate": {
            "kspace": complex_noise(2, SLICES, 2, 32, 20),
            "reconstruction_rss": images,
            "ismrmrd_header": header,
        },
    }
    for kind, parts in kinds.items():
        yield one_file(
            kind, "a.h5", saved(partial(write_h5, parts=parts, attributes=attributes), "a.h5")
        )
    texts = {"reconstruction_rss": images, "kspace": single}

    def with_text(path: Path) -> None:
        write_h5(path, texts, attributes)
        with h5py.File(path, "r+") as file:  # text of any length, which lies in a heap
            file.create_dataset("ismrmrd_header", data=RAW_HEADER, dtype=h5py.string_dtype())

    yield one_file("fastMRI heap", "a.h5", saved(with_text, "a.h5"))
    yield one_file("ISMRMRD", "a.h5", saved(write_raw, "a.h5"))


def write_h5(path: Path, parts: Mapping[str, object], attributes: Mapping[str, object]) -> None:
    """Datasets and attributes of a file."""
    with h5py.File(path, "w") as file:
        for name, values in parts.items():
            file[name] = values
        file.attrs.update(attributes)


def write_raw(path: Path) -> None:
    """Readouts as they were measured, oversampled twice, two slices, two coils."""
    kspace = complex_noise(2, 2, 32, 16)
    made = ismrmrd.Dataset(str(path), "dataset", create_if_needed=True)
    made.write_xml_header(RAW_HEADER)
    for place in range(2):
        for step in range(16):
            readout = np.ascontiguousarray(kspace[place, :, :, step])
            one = ismrmrd.Acquisition.from_array(readout)
            one.center_sample = 16
            one.idx.slice, one.idx.kspace_encode_step_1 = place, step
            made.append_acquisition(one)
    made.close()


def all_samples() -> dict[str, tuple[Sample, ...]]:
    """Every sample by family."""
    made = (pictures(), volumes(), dicoms(), fastmris())
    return dict(zip(FAMILIES, map(tuple, made), strict=True))


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """A ZIP file without the time at which it was made."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """The entries of a ZIP file."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}
