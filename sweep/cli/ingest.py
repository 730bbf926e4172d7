"""Commands that make data: ``ingest`` and ``phantom``."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, command, counter


def add_ingest(commands: Commands) -> None:
    """``mrisweep ingest``."""
    ingest = commands.add_parser(
        "ingest",
        help="make a store from labelled images",
        description="Make a store: the one HDF5 file that sweeps train and score on.",
    )
    kinds = ingest.add_subparsers(title="kinds", metavar="KIND", required=True)
    images = command(
        kinds,
        "images",
        _do_ingest_images,
        "make a store from picture files (PNG, JPEG, TIFF, BMP; grey, 8 or 16 bit)",
        "The manifest is a CSV file with the columns file, label, patient, and optionally fold or "
        "split. Several labels of a slice are separated by '|'; an empty label is no finding. "
        "Without fold or split, patients (never slices) are dealt to folds, stratified by label.",
    )
    images.add_argument("manifest", type=Path, metavar="MANIFEST.csv")
    images.add_argument("--images", type=Path, required=True, metavar="DIR", help="of the files")
    images.add_argument("--out", type=Path, required=True, metavar="STORE.h5", help="new store")
    images.add_argument(
        "--size", type=int, metavar="N", help="pad to a square, resize to N x N pixels"
    )
    images.add_argument("--folds", type=int, default=5, help="folds where the manifest has none")
    images.add_argument("--seed", type=int, default=0, help="of dealing patients to folds")
    images.add_argument(
        "--task",
        choices=("multiclass", "multilabel"),
        help="multiclass: exactly one label a slice; by default as the labels are",
    )


def _do_ingest_images(options: argparse.Namespace) -> None:
    from sweep.data.ingest.images import ingest_images

    summary = ingest_images(
        options.manifest,
        options.images,
        options.out,
        size=options.size,
        folds=options.folds,
        seed=options.seed,
        task=options.task,
        progress=counter("slices"),
    )
    print(summary.text())


def add_phantom(commands: Commands) -> None:
    """``mrisweep phantom``."""
    phantom = command(
        commands,
        "phantom",
        _do_phantom,
        "make knee-like volumes of the fastMRI layout, with lesions as labels",
        "Writes volumes/*.h5 with complex k-space, a fastMRI+ style labels.csv, and the same "
        "slices as images/*.png with a manifest.csv for `mrisweep ingest images`.",
    )
    phantom.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    phantom.add_argument("--patients", type=int, default=40, help="volumes, one for each patient")
    phantom.add_argument("--slices", type=int, default=6, help="slices of a volume")
    phantom.add_argument("--seed", type=int, default=0, help="another seed, other patients")


def _do_phantom(options: argparse.Namespace) -> None:
    from sweep.data.phantom.folder import make_phantom

    made = make_phantom(
        options.out,
        options.patients,
        options.seed,
        slices=options.slices,
        progress=counter("patients"),
    )
    print(
        f"{made.folder}: {made.patients} patients, {made.slices} slices, "
        f"{made.lesions} with a lesion"
    )
    print(
        f"next: mrisweep ingest images {made.folder}/manifest.csv --images {made.folder}/images "
        f"--out knee.h5"
    )
