"""How the manifest of an ingest is to be understood: its options."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import refuse_alone
from sweep.cli.ingest.marks import MARKS, add_marks, boxes_of, marking_of
from sweep.cli.ingest.options import add_columns, add_patients, columns_of
from sweep.cli.ingest.pairs import pairs
from sweep.core.errors import UserError

if TYPE_CHECKING:
    from sweep.ingest.formats.joining import LabelTable, Meaning
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
        help="columns that are a label each, with 1 or 0 in their cells, instead of label; of a "
        "--label-table also a glob such as 'spinal*'",
    )
    parser.add_argument(
        "--label-values",
        nargs="+",
        default=[],
        metavar="CELL",
        help="cells of these columns that say that the label is shown, such as Moderate Severe; "
        "any other says that it is not",
    )
    parser.add_argument(
        "--label-separator",
        metavar="MARK",
        help="what stands between the labels in a cell, instead of '|'",
    )
    parser.add_argument(
        "--header",
        metavar="NAME,NAME,...",
        help="the names of the columns, where the manifest has no header, such as file,label",
    )
    parser.add_argument(
        "--ignore-splits",
        action="store_true",
        help="pass over the columns fold and split, and assign patients anew",
    )
    add_label_table(parser)
    add_marks(parser)
    add_patients(parser)
    add_columns(parser)


def add_label_table(parser: argparse.ArgumentParser) -> None:
    """``--label-table``, ``--key`` and ``--table-header``."""
    parser.add_argument(
        "--label-table",
        type=Path,
        metavar="TABLE",
        help="take the labels from a table with a row for each study, exam or person",
    )
    parser.add_argument(
        "--key",
        metavar="NAME",
        help="the column of the --label-table that names the study; a file is of the study that is "
        "a folder or the name in its path, or that its own column of this name says, if kept",
    )
    parser.add_argument(
        "--table-header",
        metavar="NAME,NAME,...",
        help="the names of the columns of the --label-table, where it has no header, such as "
        "exam,acl",
    )


def label_table_of(options: argparse.Namespace) -> "LabelTable | None":
    """The table of labels, and how its columns are to be understood."""
    from sweep.ingest.formats.joining import LabelTable

    if options.label_table is None:
        what = "is of a table of labels, and none is given"
        refuse_alone(options, ("key", "table_header"), what, "pass --label-table")
        return None
    if options.key is None:
        raise UserError(
            "nothing says which column of the table of labels names the study",
            options.label_table,
            "pass --key, such as --key study_id",
        )
    if not options.label_columns:
        raise UserError(
            "nothing says which columns of the table are labels",
            options.label_table,
            "pass --label-columns, such as --label-columns acl tear",
        )
    return LabelTable(
        options.label_table,
        options.key,
        tuple(options.label_columns),
        label_meaning_of(options),
        tuple(options.table_header.split(",")) if options.table_header else (),
    )


def label_meaning_of(options: argparse.Namespace) -> "Meaning":
    """What the cells of columns of labels say."""
    from sweep.ingest.formats.joining import YES_OR_NO, meaning_of

    return meaning_of(options.label_values) if options.label_values else YES_OR_NO


def reading_of(options: argparse.Namespace) -> "Reading":
    """What these options say."""
    from sweep.ingest.formats.manifest import Reading

    table = label_table_of(options)
    return Reading(
        names=pairs("--column", options.column, "file=image_path"),
        keep=columns_of(options),
        label_columns=[] if table else options.label_columns,
        label_meaning=label_meaning_of(options),
        label_table=table,
        header=tuple(options.header.split(",")) if options.header else (),
        label_separator=options.label_separator,
        patient_pattern=options.patient_pattern,
        ignore_splits=options.ignore_splits,
        unknown_patients=options.unknown_patients,
        marking=marking_of(options),
        boxes=boxes_of(options),
    )
