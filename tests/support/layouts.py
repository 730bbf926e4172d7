"""Tiny made-up trees, each laid out as a data set in public use is, and what they say by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import nibabel
import numpy as np
from nibabel.analyze import AnalyzeImage
from PIL import Image

from tests.support.series import dataset

SIZE = 16
FINDINGS = "file,slice,study_level,x,y,width,height,label"


@dataclass(frozen=True)
class Laid:
    """What a tree says.

    Attributes:
        slices: For each slice, by the patient and a sign of its own, its labels.
        splits: The split of each patient; empty = none is published.
        columns: The values of each column that is kept.
        options: What the command has to be told besides.
        tables: Files that have to be there, one of which a test takes away.

    """

    slices: Mapping[tuple[str, int], frozenset[str]]
    splits: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    options: Sequence[str] = ()
    tables: Sequence[str] = ()


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Whole numbers of 8 bits that differ from slice to slice and from seed to seed."""
    return np.random.default_rng([seed, len(shape)]).integers(1, 256, shape, dtype=np.uint8)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def array(path: Path, slices: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels(slices, SIZE, SIZE, seed=seed))


def nifti(path: Path, values: np.ndarray) -> None:
    """A volume (slice, row, column), stored as NIfTI does: (column, row, slice)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)), path)


def picture(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def series(folder: Path, instances: Sequence[int], patient: str, name: str, seed: int) -> None:
    """A DICOM series; its slices lie the other way round than their numbers rise."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in instances:
        made = dataset(
            pixels(SIZE, SIZE, seed=100 * seed + number).astype(np.uint16),
            InstanceNumber=number,
            SOPInstanceUID=f"1.2.{seed}.{number}",
            SeriesInstanceUID=f"1.3.{seed}",
            PatientID=patient,
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0, 0, -4 * number],
        )
        made.save_as(folder / name.format(number), enforce_file_format=True)


def shows(*labels: str) -> frozenset[str]:
    return frozenset(labels)


def all_slices(count: int, of: Mapping[str, frozenset[str]]) -> dict[tuple[str, int], frozenset]:
    return {(patient, n): labels for patient, labels in of.items() for n in range(count)}


def mrnet(root: Path) -> Laid:
    says = {
        ("train", "0000"): (1, 1, 0),
        ("train", "0001"): (1, 0, 1),
        ("train", "0002"): (0, 0, 0),
        ("valid", "1130"): (1, 1, 1),
    }
    for seed, (split, exam) in enumerate(says):
        for place, plane in enumerate(("axial", "coronal", "sagittal")):
            array(root / split / plane / f"{exam}.npy", 3 + place, seed)
    for place, label in enumerate(("abnormal", "acl", "meniscus")):
        for split in ("train", "valid"):
            lines = [f"{e},{marks[place]}" for (s, e), marks in says.items() if s == split]
            write(root / f"{split}-{label}.csv", "\n".join(lines) + "\n")
    labels = {
        "0000": shows("abnormal", "acl"),
        "0001": shows("abnormal", "meniscus"),
        "0002": shows(),
        "1130": shows("abnormal", "acl", "meniscus"),
    }
    return Laid(
        all_slices(5, labels),
        {"0000": "train", "0001": "train", "0002": "train", "1130": "validation"},
        {"plane": shows("sagittal")},
        tables=("train-acl.csv",),
    )


def rsna_miccai(root: Path) -> Laid:
    for seed, case in enumerate(("00000", "00002", "00003")):
        for place, sequence in enumerate(("FLAIR", "T1w", "T1wCE", "T2w")):
            folder = root / "train" / case / sequence
            series(folder, range(1, 3), case, "Image-{}.dcm", 10 * seed + place)
    write(root / "train_labels.csv", "BraTS21ID,MGMT_value\n00003,1\n00002,0\n0,1\n")
    labels = {"00000": shows("mgmt"), "00002": shows("unmethylated"), "00003": shows("mgmt")}
    return Laid(all_slices(2, labels), tables=("train_labels.csv",), options=["--folds", "2"])


def rsna_lumbar(root: Path) -> Laid:
    for seed, (study, name) in enumerate((("4003253", "702807833"), ("4646740", "3666319702"))):
        series(root / "train_images" / study / name, range(1, 6), study, "{}.dcm", seed)
        series(root / "train_images" / study / f"9{seed}", range(1, 4), study, "{}.dcm", 5 + seed)
    write(
        root / "train.csv",
        "study_id,spinal_canal_stenosis_l1_l2,spinal_canal_stenosis_l4_l5,"
        "left_neural_foraminal_narrowing_l1_l2\n"
        "4003253,Normal/Mild,Severe,Moderate\n4646740,Moderate,,Severe\n",
    )
    write(
        root / "train_series_descriptions.csv",
        "study_id,series_id,series_description\n4003253,702807833,Sagittal T2/STIR\n"
        "4003253,90,Sagittal T1\n4646740,3666319702,Sagittal T2/STIR\n4646740,91,Sagittal T1\n",
    )
    write(
        root / "train_label_coordinates.csv",
        "study_id,series_id,instance_number,condition,level,x,y\n"
        "4003253,702807833,4,Spinal Canal Stenosis,L1/L2,1.5,2\n"
        "4003253,702807833,4,Spinal Canal Stenosis,L4/L5,1.5,2\n"
        "4003253,702807833,2,Spinal Canal Stenosis,L1/L2,1.5,2\n"
        "4003253,90,1,Left Neural Foraminal Narrowing,L1/L2,1.5,2\n"
        "4646740,3666319702,5,Spinal Canal Stenosis,L1/L2,1.5,2\n"
        "4646740,3666319702,1,Spinal Canal Stenosis,L4/L5,1.5,2\n",
    )
    # Slices lie the other way round than their numbers: of 1 to 5, InstanceNumber n is place 5 - n.
    return Laid(
        {
            ("4003253", 1): shows("spinal_canal_stenosis_l4_l5"),
            ("4003253", 3): shows(),
            ("4646740", 0): shows("spinal_canal_stenosis_l1_l2"),
        },
        columns={"series_description": shows("Sagittal T2/STIR")},
        options=["--folds", "2"],
        tables=("train.csv", "train_label_coordinates.csv"),
    )


def oasis1(root: Path) -> Laid:
    rows = {
        "0001": ("F", 74, "0"),
        "0002": ("M", 55, "0.5"),
        "0003": ("F", 21, ""),
        "0004": ("M", 80, "1"),
    }
    lines = ["ID,M/F,Hand,Age,Educ,SES,MMSE,CDR,eTIV,nWBV,ASF,Delay"]
    for seed, (number, (sex, age, cdr)) in enumerate(rows.items()):
        session = f"OAS1_{number}_MR1"
        folder = root / "disc1" / session / "PROCESSED" / "MPRAGE" / "T88_111"
        folder.mkdir(parents=True)
        for place, image in enumerate(("gfc", "masked_gfc")):
            values = pixels(4, SIZE, SIZE, seed=10 * seed + place).astype(np.int16)
            made = AnalyzeImage(values.transpose(2, 1, 0)[..., None], np.eye(4))
            made.to_filename(folder / f"{session}_mpr_n4_anon_111_t88_{image}.hdr")
        picture(folder / f"{session}_mpr_n4_anon_111_t88_gfc_sag_95.gif", pixels(SIZE, SIZE))
        lines.append(f"{session},{sex},R,{age},2,3,29,{cdr},1344,0.743,1.306,N/A")
    write(root / "oasis_cross-sectional.csv", "\n".join(lines) + "\n")
    labels = {
        "OAS1_0001_MR1": shows("nondemented"),
        "OAS1_0002_MR1": shows("dementia"),
        "OAS1_0004_MR1": shows("dementia"),
    }
    return Laid(
        all_slices(4, labels),
        columns={"sex": shows("F", "M"), "age": shows("74", "55", "80")},
        options=["--folds", "2"],
        tables=("oasis_cross-sectional.csv",),
    )


def bids(root: Path) -> Laid:
    write(root / "dataset_description.json", '{"Name": "made up", "BIDSVersion": "1.9.0"}')
    write(
        root / "participants.tsv",
        "participant_id\tsex\tage\tgroup\nsub-01\tF\t71\tcontrol\nsub-02\tn/a\t65\tpatient\n"
        "sub-03\tM\t60\tn/a\nsub-04\tM\t66\tcontrol\n",
    )
    nifti(root / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", pixels(2, SIZE, SIZE, seed=1))
    nifti(root / "sub-01/ses-2/anat/sub-01_ses-2_run-1_T1w.nii.gz", pixels(3, SIZE, SIZE, seed=2))
    nifti(root / "sub-02/anat/sub-02_acq-mprage_T1w.nii", pixels(2, SIZE, SIZE, seed=3))
    nifti(root / "sub-02/anat/sub-02_FLAIR.nii.gz", pixels(2, SIZE, SIZE, seed=4))
    nifti(root / "sub-03/anat/sub-03_T1w.nii.gz", pixels(2, SIZE, SIZE, seed=5))
    nifti(root / "sub-04/anat/sub-04_T1w.nii.gz", pixels(2, SIZE, SIZE, seed=7))
    nifti(root / "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz", pixels(2, SIZE, SIZE, seed=6))
    nifti(root / "sourcedata/sub-02/anat/sub-02_T1w.nii.gz", pixels(2, SIZE, SIZE, seed=8))
    return Laid(
        {
            **{("sub-01", number): shows("control") for number in (0, 1, 100, 101, 102)},
            **{("sub-02", number): shows("patient") for number in (0, 1)},
            **{("sub-04", number): shows("control") for number in (0, 1)},
        },
        columns={
            "sex": shows("F", "M", ""),
            "age": shows("71", "65", "66"),
            "session": shows("1", "2", ""),
        },
        options=["--choose", "label=group", "--folds", "2"],
        tables=("participants.tsv",),
    )


def brain_tumour_folders(root: Path) -> Laid:
    slices = {}
    for seed, (split, name) in enumerate(
        (split, name)
        for split in ("Training", "Testing")
        for name in ("glioma", "meningioma", "notumor", "pituitary")
    ):
        file = f"{split}/{name}/{split[:2]}-{name[:2]}_0010.jpg"
        picture(root / file, pixels(SIZE, SIZE, seed=seed))
        slices[f"unknown ({file})", 0] = shows(name)
    return Laid(
        slices,
        {patient: "train" if "(Training" in patient else "test" for patient, _ in slices},
        options=["--unknown-patients", "each-file"],
    )


def tcga_lgg(root: Path) -> Laid:
    slices = {}
    cases = ("TCGA_CS_4941_19960909", "TCGA_DU_5849_19950405", "TCGA_HT_7473_19970826")
    for seed, case in enumerate(cases):
        for number in (1, 2):
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[4:8, 4:8] = 255 * (number == 2)
            folder = root / "kaggle_3m" / case
            picture(folder / f"{case}_{number}.tif", pixels(SIZE, SIZE, 3, seed=10 * seed + number))
            picture(folder / f"{case}_{number}_mask.tif", mask)
            slices[case[:12], number] = shows("lesion") if number == 2 else shows()
    write(root / "kaggle_3m" / "data.csv", "Patient,death01\nTCGA_CS_4941,1\n")
    return Laid(slices, columns={"site": shows("CS", "DU", "HT")}, options=["--folds", "3"])


def _brats(root: Path, cases: Sequence[str], mark: str, names: Sequence[str], top: int) -> None:
    for seed, case in enumerate(cases):
        folder = root / "TrainingData" / case
        for place, name in enumerate(names):
            values = pixels(4, SIZE, SIZE, seed=10 * seed + place).astype(np.int16)
            nifti(folder / f"{case}{mark}{name}.nii.gz", values)
        mask = np.zeros((4, SIZE, SIZE), np.uint8)
        mask[1, 2:5], mask[2, 6:9], mask[2, 10] = 1, 2, top
        nifti(folder / f"{case}{mark}seg.nii.gz", mask)
    bare = root / "ValidationData" / f"{cases[0][:-1]}9"
    nifti(bare / f"{bare.name}{mark}{names[0]}.nii.gz", pixels(4, SIZE, SIZE).astype(np.int16))


BY_PLANE = {0: shows(), 1: shows("necrosis"), 2: shows("edema", "enhancing"), 3: shows()}


def brats(root: Path) -> Laid:
    cases = ("BraTS2021_00000", "BraTS2021_00002")
    _brats(root, cases, "_", ("flair", "t1", "t1ce", "t2"), 4)
    return Laid({(c, n): BY_PLANE[n] for c in cases for n in range(4)}, options=["--folds", "2"])


def brats2023(root: Path) -> Laid:
    cases = ("BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-GLI-00002-000")
    _brats(root, cases, "-", ("t2f", "t1n", "t1c", "t2w"), 3)
    of_one = {("BraTS-GLI-00000", n): BY_PLANE[n % 100] for n in (*range(4), *range(100, 104))}
    of_other = {("BraTS-GLI-00002", n): BY_PLANE[n] for n in range(4)}
    return Laid({**of_one, **of_other}, options=["--folds", "2"])


def _volume(path: Path, seed: int, **images: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in images.items():
            file[name] = values
        file.attrs["acquisition"] = "made up"
        file.attrs["patient_id"] = f"person {seed}"


def _rss(seed: int) -> np.ndarray:
    return pixels(3, SIZE, SIZE, seed=seed).astype(np.float32)


def fastmri_knee(root: Path) -> Laid:
    for seed in (1, 2, 3):
        path = root / "singlecoil_train" / f"file100000{seed}.h5"
        _volume(path, seed, reconstruction_rss=_rss(seed))
    write(
        root / "Annotations" / "knee.csv",
        f"{FINDINGS}\nfile1000001,1,No,1,2,3,4,Meniscus Tear\n"
        "file1000002,0,No,1,2,3,4,Ligament - ACL High Grade Sprain\n",
    )
    write(root / "Annotations" / "knee_file_list.csv", "file1000001\nfile1000002\n")
    none = {("person 1", 0), ("person 1", 2), ("person 2", 1), ("person 2", 2)}
    return Laid(
        {
            **dict.fromkeys(none, shows()),
            ("person 1", 1): shows("mtear"),
            ("person 2", 0): shows("acl"),
        },
        options=["--folds", "2"],
        tables=("Annotations/knee.csv",),
    )


def fastmri_brain(root: Path) -> Laid:
    for seed in (1, 2):
        path = root / "multicoil_train" / f"file_brain_AXT2_200_200000{seed}.h5"
        _volume(path, seed, reconstruction_rss=_rss(seed))
    write(
        root / "Annotations" / "brain.csv",
        f"{FINDINGS}\nfile_brain_AXT2_200_2000001,2,No,1,2,3,4,Nonspecific white matter lesion\n"
        "file_brain_AXT2_200_2000002,0,No,1,2,3,4,Mass\n",
    )
    names = [f"file_brain_AXT2_200_200000{seed}" for seed in (1, 2)]
    write(root / "Annotations" / "brain_file_list.csv", "\n".join(names) + "\n")
    none = {("person 1", 0), ("person 1", 1), ("person 2", 1), ("person 2", 2)}
    return Laid(
        {
            **dict.fromkeys(none, shows()),
            ("person 1", 2): shows("white_matter"),
            ("person 2", 0): shows("mass"),
        },
        options=["--folds", "2"],
        tables=("Annotations/brain_file_list.csv",),
    )


def _prostate(root: Path, word: str, table: str, **names: int) -> Laid:
    lines = ["fastmri_pt_id,slice,fastmri_rawfile,PIRADS,data_split"]
    for seed, split in ((1, "training"), (2, "test")):
        file = f"file_prostate_AX{word}_00{seed}.h5"
        images = {name: _rss(seed + 10 * number) for name, number in names.items()}
        _volume(root / f"{word}_IDS" / file, seed, **images)
        lines += [f"{seed},{n},{file},{1 + 3 * (n == 2)},{split}" for n in (1, 2, 3)]
    write(root / table, "\n".join(lines) + "\n")
    labels = {(p, n): shows("significant") if n == 1 else shows() for p in "12" for n in range(3)}
    return Laid(labels, {"1": "training", "2": "test"}, tables=(table,))


def fastmri_prostate_t2(root: Path) -> Laid:
    return _prostate(root, "T2", "t2_slice_level_labels.csv", reconstruction_rss=0)


def fastmri_prostate_dwi(root: Path) -> Laid:
    return _prostate(root, "DIFF", "dwi_slice_level_labels.csv", b50=0, b1500=1, adc_map=2)


LAYOUTS: Mapping[str, Callable[[Path], Laid]] = {
    "bids": bids,
    "brain-tumour-folders": brain_tumour_folders,
    "brats": brats,
    "brats2023": brats2023,
    "fastmri-brain": fastmri_brain,
    "fastmri-knee": fastmri_knee,
    "fastmri-prostate-dwi": fastmri_prostate_dwi,
    "fastmri-prostate-t2": fastmri_prostate_t2,
    "mrnet": mrnet,
    "oasis1": oasis1,
    "rsna-lumbar": rsna_lumbar,
    "rsna-miccai": rsna_miccai,
    "tcga-lgg": tcga_lgg,
}
