"""Options of masks and boxes, which say where in images findings lie."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.ingest.pairs import pairs

if TYPE_CHECKING:
    from sweep.ingest.formats.marks.boxes import BoxTable
    from sweep.ingest.formats.marks.marking import Marking

MARKS = (
    " An optional column mask names a segmentation on the grid of each file: a slice has the "
    "labels that its own plane of the mask shows. --boxes does the same for a table of boxes. "
    "Either adds to the column label, which may then be left out."
)


def add_marks(parser: argparse.ArgumentParser) -> None:
    """Options of a column of masks and of a table of boxes."""
    parser.add_argument(
        "--mask-labels",
        nargs="+",
        default=[],
        metavar="VALUE=NAME",
        help="what the values of masks mean, such as 1=necrosis 2=edema 4=enhancing 1=core 4=core; "
        "by default each other than 0 is the label lesion",
    )
    parser.add_argument(
        "--mask-ignore",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="values of masks that count as background, such as 255 for what is not certain",
    )
    parser.add_argument(
        "--no-mask",
        choices=("refuse", "negative"),
        default="refuse",
        help="rows without a mask where there is a column of masks: refuse them, or take it that "
        "a mask would be empty",
    )
    parser.add_argument(
        "--boxes",
        type=Path,
        metavar="TABLE",
        help="boxes around findings (CSV, Excel or Parquet): columns file, slice (of volumes), "
        "x, y, width, height (or x2, y2, or neither: points), label; slices it does not name have "
        "no finding",
    )
    parser.add_argument(
        "--box-column",
        nargs="+",
        default=[],
        metavar="ROLE=NAME",
        help="columns of the boxes of other names, such as x=x_min y=y_min x2=x_max y2=y_max",
    )
    parser.add_argument(
        "--box-slices",
        choices=("index", "instance"),
        default="index",
        help="what slices of boxes are: numbers from 0, as the manifest's, or the InstanceNumber "
        "of DICOM",
    )
    add_least(parser)


def add_least(parser: argparse.ArgumentParser) -> None:
    """From which area on a finding counts."""
    parser.add_argument(
        "--least-area",
        metavar="AREA",
        help="a slice has the label of a mask or box from this area on it on, such as 25mm2 or "
        "10px (pixels of the file, before --size); by default any",
    )
    parser.add_argument(
        "--below",
        choices=("negative", "drop"),
        default="negative",
        help="slices that a finding touches with less: they do not have its label, or are left out",
    )


def marking_of(options: argparse.Namespace) -> "Marking":
    """How masks and boxes become labels."""
    from sweep.ingest.formats.marks.area import area_of
    from sweep.ingest.formats.marks.marking import Marking, mask_names, mask_value

    return Marking(
        names=mask_names(options.mask_labels),
        ignored=frozenset(mask_value(text, "--mask-ignore") for text in options.mask_ignore),
        least=area_of(options.least_area) if options.least_area is not None else None,
        below=options.below,
        no_mask=options.no_mask,
        counted=options.box_slices,
    )


def boxes_of(options: argparse.Namespace) -> "BoxTable | None":
    """The table of boxes, if there is one."""
    from sweep.core.errors import UserError
    from sweep.ingest.formats.marks.boxes import BoxTable

    names = pairs("--box-column", options.box_column, "x=x_min")
    if options.boxes is None:
        if names:
            raise UserError(
                "columns of boxes are named, and there is no table of boxes",
                f"--box-column {' '.join(options.box_column)}",
                "give the table by --boxes",
            )
        return None
    return BoxTable(options.boxes, names)
