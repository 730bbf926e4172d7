"""``ingest folder``: a folder of each class, without a manifest."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.dicom import add_take, dicom_files
from sweep.cli.ingest.images import add_channel, channel_of
from sweep.cli.ingest.options import add_common, add_patients, add_task, looking, making_of
from sweep.cli.ingest.reading import add_label_table, label_table_of
from sweep.cli.ingest.volumes import add_axis, add_choices, volume_files
from sweep.core.errors import UserError, refuse

if TYPE_CHECKING:
    from sweep.ingest.formats.manifest import Reading
    from sweep.ingest.formats.planes import Format
    from sweep.ingest.plan import Plan


TREE = (
    "Folders say what files are: [train|validation|test]/CLASS/[PATIENT]/FILE. Whose a file is "
    "comes from --patient-pattern, else from the header of DICOM, else from a folder below that of "
    "the class, else from a word such as sub-01 in every path; what was taken is said."
)


def add_folder(kinds: Commands) -> None:
    """``ingest folder``."""
    folder = command(
        kinds,
        "folder",
        ingesting(_plan_folder),
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
    folder.add_argument(
        "--label-columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help="the columns of the --label-table that are a label each, by name or by a glob",
    )
    folder.add_argument(
        "--label-values",
        nargs="+",
        default=[],
        metavar="CELL",
        help="their cells that say that the label is shown; by default 1",
    )
    add_label_table(folder)
    add_channel(folder)
    add_axis(folder)
    add_take(folder)
    add_choices(folder)
    add_task(folder)
    add_common(folder)


def add_tree(parser: argparse.ArgumentParser) -> None:
    """Options of what reads a tree of files without a manifest."""
    parser.add_argument(
        "--kind",
        choices=("images", "volumes", "dicom"),
        help="which files to take, where there are several kinds",
    )
    add_patients(parser)


def _plan_folder(options: argparse.Namespace) -> "Plan":
    from sweep.ingest.formats.manifest import labelled_rows
    from sweep.ingest.images import plan_pictures
    from sweep.ingest.tree import read_tree, with_patients
    from sweep.ingest.volumes import plan_scans

    reading = reading_of_tree(options)
    table = label_table_of(options)
    tree = read_tree(
        options.folder,
        reading=reading,
        classes=table is None,
        kind=options.kind,
        splits=not options.ignore_splits,
        **looking(options, "files"),
    )
    if table is not None:
        rows, notes = labelled_rows(tree.collection.rows, table)
        source = {**tree.collection.source, "label_table": table.to_plain()}
        notes = (*tree.collection.notes, *notes)
        tree = replace(
            tree, collection=replace(tree.collection, rows=rows, source=source, notes=notes)
        )
    if not any(row.labels for row in tree.collection.rows):
        raise UserError(
            "no folder names a class, so that no slice would have a label",
            options.folder,
            "put the files into a folder of each class, or name a --label-table, or draft a "
            f"manifest with `mrisweep manifest {options.folder}` and fill in its labels",
        )
    collection = with_patients(tree.collection, reading)
    lost = {"--middle": options.middle} if tree.kind == "images" else {"--channel": options.channel}
    refuse(
        f"an option means nothing for {tree.kind}",
        [option for option, value in lost.items() if value is not None],
        "leave it out",
    )
    if tree.kind == "images":
        making = making_of(options, "pictures")
        return plan_pictures(collection, making, channel=channel_of(options))
    return plan_scans(
        collection,
        _format(tree.kind, options),
        making_of(options, "volumes"),
        axis=options.axis,
        middle=options.middle,
        unknown=reading.unknown_patients,
    )


def reading_of_tree(options: argparse.Namespace) -> "Reading":
    """What is said of patients where there is no manifest."""
    from sweep.ingest.formats.manifest import Reading

    return Reading(
        patient_pattern=options.patient_pattern, unknown_patients=options.unknown_patients
    )


def _format(kind: str, options: argparse.Namespace) -> "Format":
    return dicom_files(options) if kind == "dicom" else volume_files(options)
