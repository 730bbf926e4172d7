"""How the manifest of an ingest is to be understood: its options."""

import argparse
from typing import TYPE_CHECKING

from sweep.cli.ingest.marks import MARKS, add_marks, boxes_of, marking_of
from sweep.cli.ingest.options import add_columns, add_patients, columns_of
from sweep.cli.ingest.pairs import pairs

if TYPE_CHECKING:
    from sweep.ingest.formats.manifest import Reading


MANIFEST = (
    "The manifest is a table (CSV, Excel or Parquet) with the columns file, label, patient, and "
    "optionally fold or split. Several labels are separated by '|'; an empty label is no finding. "
    "Without fold or split, patients (never slices) are assigned to folds, stratified by label. "
    "`mrisweep manifest DIR` drafts one." + MARKS
)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Options that say how a manifest is to be understood."""
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
    add_marks(parser)
    add_patients(parser)
    add_columns(parser)


def reading_of(options: argparse.Namespace) -> "Reading":
    """What these options say."""
    from sweep.ingest.formats.manifest import Reading

    return Reading(
        names=pairs("--column", options.column, "file=image_path"),
        keep=columns_of(options),
        label_columns=options.label_columns,
        label_separator=options.label_separator,
        patient_pattern=options.patient_pattern,
        unknown_patients=options.unknown_patients,
        marking=marking_of(options),
        boxes=boxes_of(options),
    )
