"""``ingest fastmri``: fastMRI volumes with their tables."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.options import add_columns, add_common, assigner_of, columns_of, looking

if TYPE_CHECKING:
    from sweep.ingest.plan import Plan


def add_fastmri(kinds: Commands) -> None:
    """``ingest fastmri``."""
    fastmri = command(
        kinds,
        "fastmri",
        ingesting(_plan_fastmri),
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
    add_columns(fastmri, "TABLE.csv")
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
    add_common(fastmri)


def _plan_fastmri(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.fastmri.planning import plan_fastmri

    reviewed = options.reviewed
    return plan_fastmri(
        options.folders,
        labels=options.labels,
        reviewed=reviewed if reviewed in (None, "all") else Path(reviewed),
        patients=options.patients,
        split_column=options.split_column,
        columns=columns_of(options),
        rule=options.rule,
        reconstruction=options.reconstruction,
        kspace=options.kspace,
        max_columns=options.max_columns,
        wide=options.wide,
        size=options.size,
        assigner=assigner_of(options),
        **looking(options, "volumes"),
    )
