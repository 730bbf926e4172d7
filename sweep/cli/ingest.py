"""``ingest``: stores from pictures, fastMRI, volumes, DICOM, and datasets of the user's."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from sweep.cli.base import Commands, add_seed, command, counter, say
from sweep.core.errors import UserError

if TYPE_CHECKING:
    from sweep.ingest.engine import Report
    from sweep.ingest.formats.manifest import Reading
    from sweep.ingest.formats.planes import Format
    from sweep.ingest.plan import Plan
    from sweep.store.splits import SplitAssigner

MANIFEST = (
    "The manifest is a table (CSV, Excel or Parquet) with the columns file, label, patient, and "
    "optionally fold or split. Several labels are separated by '|'; an empty label is no finding. "
    "Without fold or split, patients (never slices) are assigned to folds, stratified by label. "
    "`mrisweep manifest DIR` drafts one."
)
TREE = (
    "Folders say what files are: [train|validation|test]/CLASS/[PATIENT]/FILE. Whose a file is "
    "comes from --patient-pattern, else from the header of DICOM, else from a folder below that of "
    "the class, else from a word such as sub-01 in every path; what was taken is said."
)
VOLUMES = (
    " An optional column slice, counted from 0, names single slices of a file: then these are "
    "taken, otherwise all of them, with the labels of their file."
)
SEVERAL = (
    " A column volume, from 0, says which volume of a file with several, such as 4-D NIfTI, a row "
    "speaks of. The suffix says the format: NIfTI (.nii, .nii.gz, .hdr with .img), FreeSurfer's "
    ".mgh and .mgz, MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) with `pip install "
    "'mrisweep[formats]'`, NumPy's .npy and .npz as (slice, row, column), TIFF with a page for "
    "each slice."
)


def add_ingest(commands: Commands) -> None:
    """``mrisweep ingest``."""
    ingest = commands.add_parser(
        "ingest",
        help="make a store from labelled images",
        description="Make a store: the one HDF5 file that sweeps train and score on. Killed at any "
        "moment, the same command goes on where it stopped.",
    )
    kinds = ingest.add_subparsers(title="kinds", metavar="KIND", required=True)
    _add_images(kinds)
    _add_folder(kinds)
    _add_fastmri(kinds)
    _add_volume_files(kinds)
    _add_dicom(kinds)
    _add_dataset(kinds)


def _add_images(kinds: Commands) -> None:
    images = command(
        kinds,
        "images",
        _ingesting(_plan_images),
        "make a store from picture files (PNG, JPEG, TIFF, BMP; grey, 8 or 16 bit)",
        MANIFEST,
    )
    images.add_argument("manifest", type=Path, metavar="MANIFEST")
    images.add_argument("--images", type=Path, required=True, metavar="DIR", help="of the files")
    _add_reading(images)
    _add_task(images)
    _add_common(images)


def _plan_images(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.images import plan_images

    return plan_images(
        options.manifest,
        options.images,
        size=options.size,
        task=options.task,
        reading=_reading(options),
        assigner=_assigner(options),
        **looking(options, "pictures"),
    )


def _add_folder(kinds: Commands) -> None:
    folder = command(
        kinds,
        "folder",
        _ingesting(_plan_folder),
        "make a store from a folder of each class, without a manifest",
        TREE,
    )
    folder.add_argument("folder", type=Path, metavar="DIR")
    add_tree(folder)
    folder.add_argument(
        "--ignore-splits",
        action="store_true",
        help="pass over folders named train, validation and test, and assign patients anew",
    )
    _add_axis(folder)
    _add_take(folder)
    _add_choices(folder)
    _add_task(folder)
    _add_common(folder)


def add_tree(parser: argparse.ArgumentParser) -> None:
    """Options of what reads a tree of files without a manifest."""
    parser.add_argument(
        "--kind",
        choices=("images", "volumes", "dicom"),
        help="which files to take, where there are several kinds",
    )
    _add_patients(parser)


def _plan_folder(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.images import plan_pictures
    from sweep.ingest.tree import read_tree, with_patients
    from sweep.ingest.volumes import plan_scans

    reading = reading_of_tree(options)
    tree = read_tree(
        options.folder,
        reading=reading,
        kind=options.kind,
        splits=not options.ignore_splits,
        **looking(options, "files"),
    )
    if not any(row.labels for row in tree.collection.rows):
        raise UserError(
            "no folder names a class, so that no slice would have a label",
            options.folder,
            "put the files into a folder of each class, or draft a manifest with `mrisweep "
            f"manifest {options.folder}` and fill in its labels",
        )
    collection = with_patients(tree.collection, reading)
    assigner = _assigner(options)
    if tree.kind == "images":
        return plan_pictures(
            collection,
            size=options.size,
            task=options.task,
            assigner=assigner,
            **looking(options, "pictures"),
        )
    return plan_scans(
        collection,
        _format(tree.kind, options),
        axis=options.axis,
        size=options.size,
        task=options.task,
        assigner=assigner,
        unknown=reading.unknown_patients,
        **looking(options, "volumes"),
    )


def reading_of_tree(options: argparse.Namespace) -> "Reading":
    """What is said of patients where there is no manifest."""
    from sweep.ingest.formats.manifest import Reading

    return Reading(
        patient_pattern=options.patient_pattern, unknown_patients=options.unknown_patients
    )


def _format(kind: str, options: argparse.Namespace) -> "Format":
    return _dicom(options) if kind == "dicom" else _volume_files(options)


def _add_fastmri(kinds: Commands) -> None:
    fastmri = command(
        kinds,
        "fastmri",
        _ingesting(_plan_fastmri),
        "make a store from fastMRI volumes with fastMRI+ labels",
        "Takes every *.h5 and *.hdf5 file below the folders, single-coil or multi-coil, with "
        "reconstructions or with k-space alone. Without a column of splits, patients (never "
        "slices) are assigned to folds, stratified by label.",
    )
    fastmri.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    fastmri.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="knee.csv",
        help="fastMRI+ annotations, or the slice-level table of fastMRI prostate",
    )
    fastmri.add_argument(
        "--reviewed",
        metavar="LIST.csv",
        help="files that were reviewed, one name a line, or 'all': a slice of these without an "
        "annotation has no finding; without it, files without an annotation are left out",
    )
    fastmri.add_argument(
        "--rule",
        metavar="NAME|RULE.yaml",
        help="which annotation means which label: madaan2023 (knee), brain, prostate or a file; by "
        "default the one of these that knows what the label file names",
    )
    fastmri.add_argument(
        "--patients",
        type=Path,
        metavar="TABLE.csv",
        help="patient of each file, columns file (or fname) and patient (or patient_id); goes "
        "before the attribute patient_id of the file",
    )
    fastmri.add_argument(
        "--split-column", metavar="NAME", help="column of TABLE.csv with each file's split"
    )
    _add_columns(fastmri, "TABLE.csv")
    fastmri.add_argument(
        "--reconstruction",
        choices=("auto", "rss", "esc", "kspace", "b50", "b1000", "b1500", "adc"),
        default="auto",
        help="which image: reconstruction_rss, reconstruction_esc, that of a b-value, adc_map, or "
        "made of the k-space; auto: "
        "rss where the file has it, and with --kspace always made of the k-space that is kept",
    )
    fastmri.add_argument(
        "--kspace", action="store_true", help="keep the complex k-space, to simulate artifacts in"
    )
    fastmri.add_argument(
        "--max-columns", type=int, default=400, help="phase-encode lines of an ordinary volume"
    )
    fastmri.add_argument(
        "--wide",
        choices=("drop", "keep"),
        default="drop",
        help="what happens to volumes with more lines",
    )
    _add_common(fastmri)


def _plan_fastmri(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.fastmri.planning import plan_fastmri

    reviewed = options.reviewed
    return plan_fastmri(
        options.folders,
        labels=options.labels,
        reviewed=reviewed if reviewed in (None, "all") else Path(reviewed),
        patients=options.patients,
        split_column=options.split_column,
        columns=_columns(options),
        rule=options.rule,
        reconstruction=options.reconstruction,
        kspace=options.kspace,
        max_columns=options.max_columns,
        wide=options.wide,
        size=options.size,
        assigner=_assigner(options),
        **looking(options, "volumes"),
    )


def _add_volume_files(kinds: Commands) -> None:
    """``ingest volumes``, and by the name that it had first."""
    for name, summary in (
        ("volumes", "make a store from volumes (NIfTI, MGH, MHA, NRRD, NumPy, multi-page TIFF)"),
        ("nifti", "the same as volumes, by its first name"),
    ):
        added = command(
            kinds, name, _ingesting(_plan_volume_files), summary, MANIFEST + VOLUMES + SEVERAL
        )
        _add_volumes(added)
        _add_choices(added)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--array", metavar="NAME", help="which array of .npz files; by default their only one"
    )
    parser.add_argument(
        "--nan",
        choices=("refuse", "zero"),
        default="refuse",
        help="what becomes of a volume with voxels that are NaN or infinite: it is left "
        "out, or they are set to 0, as what lies outside the head, and counted",
    )


def _add_dicom(kinds: Commands) -> None:
    dicom = command(
        kinds,
        "dicom",
        _ingesting(_plan_dicom),
        "make a store from DICOM files, or folders of one series each",
        MANIFEST + VOLUMES + " Where the manifest names no patient, the file's PatientID is "
        "taken, and stands in the store.",
    )
    _add_volumes(dicom)
    _add_take(dicom)


def _add_take(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--take",
        nargs="+",
        default=[],
        metavar="KEYWORD=VALUE",
        help="of DICOM that is no single stack the slices where this holds, such as "
        "EchoTime=80 ImageType=M: keywords of DICOM, or tags such as 0043,102F; one keyword twice "
        "= either value; one part of a value is enough, and * stands for anything",
    )


def _add_volumes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("--volumes", type=Path, required=True, metavar="DIR", help="of the files")
    _add_axis(parser)
    _add_reading(parser)
    _add_task(parser)
    _add_common(parser)


def _plan_volume_files(options: argparse.Namespace) -> "Plan":
    return _plan_volumes(options, _volume_files(options))


def _volume_files(options: argparse.Namespace) -> "Format":
    from sweep.ingest.formats.volumes.reading import Choices, volume_format

    return volume_format(Choices(options.array, options.nan))


def _plan_dicom(options: argparse.Namespace) -> "Plan":
    return _plan_volumes(options, _dicom(options))


def _dicom(options: argparse.Namespace) -> "Format":
    from sweep.ingest.formats.dicom.choice import choice_of
    from sweep.ingest.formats.dicom.volume import dicom

    return dicom(choice_of(options.take))


def _plan_volumes(options: argparse.Namespace, form: "Format") -> "Plan":
    from sweep.ingest.volumes import plan_volumes

    return plan_volumes(
        options.manifest,
        options.volumes,
        form,
        axis=options.axis,
        size=options.size,
        task=options.task,
        reading=_reading(options),
        assigner=_assigner(options),
        **looking(options, "volumes"),
    )


def _add_dataset(kinds: Commands) -> None:
    dataset = command(
        kinds,
        "dataset",
        _ingesting(_plan_dataset),
        "make a store of a torch dataset of your own",
        "Item i of the dataset is a mapping with image, patient, key and labels, and optionally "
        "split, scan, number, pixel_mm and sequence; any other text is kept as a column. Without "
        "split, patients (never slices) are assigned to folds, stratified by label. Each of the "
        "workers gets a copy of the dataset.",
    )
    dataset.add_argument("dataset", metavar="PACKAGE.MODULE:CLASS")
    dataset.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a keyword of the class, such as root=/data; may be repeated",
    )
    _add_task(dataset)
    _add_common(dataset)


def _plan_dataset(options: argparse.Namespace) -> "Plan":
    from sweep.config.reading import override
    from sweep.ingest.dataset.contract import source_of
    from sweep.ingest.dataset.making import make_dataset
    from sweep.ingest.dataset.planning import plan_dataset

    given = override({}, options.set, remedy="give key=value, such as root=/data")
    source = source_of(options.dataset, given)
    return plan_dataset(
        make_dataset(options.dataset, given),
        source,
        size=options.size,
        task=options.task,
        assigner=_assigner(options),
        progress=counter("items looked at"),
    )


def _add_axis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--axis",
        choices=("acquired", "axial", "coronal", "sagittal"),
        default="acquired",
        help="which slices of volumes: as they were acquired, or along the axis nearest to an "
        "anatomical one",
    )


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--column",
        nargs="+",
        default=[],
        metavar="ROLE=NAME",
        help="columns of other names, such as file=image_path label=diagnosis patient=subject",
    )
    parser.add_argument(
        "--label-columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns that are a label each, with 1 or 0 in their cells, instead of label",
    )
    parser.add_argument(
        "--label-separator",
        metavar="MARK",
        help="what stands between the labels in a cell, instead of '|'",
    )
    _add_patients(parser)
    _add_columns(parser)


def _add_patients(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patient-pattern",
        metavar="REGEX",
        help="looked for in the path of each file; its first group, or all that it finds, is the "
        "patient, such as 'patient_([0-9]+)'",
    )
    parser.add_argument(
        "--unknown-patients",
        choices=("refuse", "each-file"),
        default="refuse",
        help="files of which nothing says whose they are: refuse them, or let each file be a "
        "patient, at the risk of flattered scores, of which every report will speak",
    )


def _reading(options: argparse.Namespace) -> "Reading":
    from sweep.ingest.formats.manifest import Reading

    return Reading(
        names=_pairs("--column", options.column, "file=image_path"),
        keep=_columns(options),
        label_columns=options.label_columns,
        label_separator=options.label_separator,
        patient_pattern=options.patient_pattern,
        unknown_patients=options.unknown_patients,
    )


def _pairs(option: str, texts: Sequence[str], example: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise UserError(
                f"{option} cannot be read", f"{text!r}", f"give NAME=VALUE, such as {example}"
            )
        pairs[name] = value
    return pairs


def _add_columns(parser: argparse.ArgumentParser, table: str = "the manifest") -> None:
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"other columns of {table} to keep in the store, such as site scanner sex",
    )


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task",
        choices=("multiclass", "multilabel"),
        help="multiclass: exactly one label a slice; by default as the labels are",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="STORE.h5", help="new store")
    parser.add_argument(
        "--size", type=int, metavar="N", help="pad to a square, resize to N x N pixels"
    )
    parser.add_argument(
        "--pixels",
        choices=("float32", "float16"),
        default="float32",
        help="type of the stored pixels; float16 halves the store and keeps 11 bits of each",
    )
    splits = parser.add_mutually_exclusive_group()
    splits.add_argument(
        "--folds", type=int, default=5, help="folds to assign patients to where no split is given"
    )
    splits.add_argument(
        "--shares",
        nargs="+",
        metavar="NAME=SHARE",
        help="splits to assign patients to instead, such as train=0.7 validation=0.15 test=0.15",
    )
    add_seed(parser, "of assigning patients to splits")
    parser.add_argument(
        "--split-by",
        metavar="COLUMN",
        help="a column, such as site, of which each value gets splits of its own: A-1, A-2, ...; "
        "with --folds 1 each value is a split",
    )
    add_workers(parser)
    parser.add_argument(
        "--strict", action="store_true", help="stop at what cannot be used, skip nothing"
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """``--workers``."""
    parser.add_argument("--workers", type=int, default=_cores(), help="processes that read")


class _Looking(TypedDict):
    workers: int
    progress: Callable[[int, int], None]
    waiting: Callable[[str, float], None]


def looking(options: argparse.Namespace, what: str) -> _Looking:
    """How headers are read, and what is said meanwhile."""
    return {
        "workers": options.workers,
        "progress": counter(f"{what} looked at"),
        "waiting": _still,
    }


def _still(name: str, seconds: float) -> None:
    say(f"still reading {name}: {seconds:.0f} s")


def _cores() -> int:
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _assigner(options: argparse.Namespace) -> "SplitAssigner":
    from sweep.store.splits import SplitAssigner, equal_folds

    by = options.split_by or ""
    least = 1 if by else 2
    shares = _shares(options.shares) if options.shares else equal_folds(options.folds, least)
    return SplitAssigner(shares, options.seed, by)


def _columns(options: argparse.Namespace) -> list[str]:
    """Those to keep: also the one that slices are split by."""
    by = [options.split_by] if options.split_by and options.split_by not in options.columns else []
    return [*options.columns, *by]


def _shares(texts: Sequence[str]) -> dict[str, float]:
    shares = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UserError(
                "--shares cannot be read",
                f"{text!r}",
                "give names with a number, such as train=0.7",
            ) from None
    return shares


def _ingesting(plan: Callable[[argparse.Namespace], "Plan"]) -> Callable[..., None]:
    """The command that carries out what ``plan`` makes of its options."""

    def ingest_kind(options: argparse.Namespace) -> None:
        from sweep.ingest.engine import ingest
        from sweep.store import refuse_existing

        refuse_existing(options.out)  # before headers are read for minutes
        planned = plan(options)
        try:
            report = ingest(
                planned,
                options.out,
                pixels=options.pixels,
                workers=options.workers,
                strict=options.strict,
                progress=counter("slices"),
                waiting=_still,
            )
        except KeyboardInterrupt:
            say("mrisweep: interrupted; the same command goes on where it stopped")
            raise
        _tell(report)

    return ingest_kind


def _tell(report: "Report") -> None:
    from sweep.inspect.duplicates import near_duplicates
    from sweep.inspect.summary import summarize

    print(summarize(report.store).text())
    print(near_duplicates(report.store).text())
    for remark in report.remarks():
        say(remark)
