"""The options by which a command shows scores by group, such as by site."""

import argparse
from typing import TYPE_CHECKING

from sweep.cli.base import refuse_alone

if TYPE_CHECKING:
    from sweep.stats.grouping import Grouping


def add_groups(parser: argparse.ArgumentParser) -> None:
    """``--groups``, ``--bands`` and ``--min-patients``."""
    parser.add_argument(
        "--groups",
        metavar="COLUMN",
        help="also by group: on the slices of each value of a column that the store keeps, such as "
        "site; split and sequence are there always",
    )
    parser.add_argument(
        "--bands",
        metavar="A,B",
        help="with --groups of numbers, such as age: where bands begin; 40,60 makes <40, 40 to <60 "
        "and >=60",
    )
    parser.add_argument(
        "--min-patients",
        type=int,
        metavar="N",
        help="with --groups: so many patients of a group have to show each label, and as many not, "
        "or it has no score; below 10 there are scores without intervals (default: 10)",
    )


def grouping_of(options: argparse.Namespace) -> "Grouping | None":
    """What the options ask for; None: no groups.

    Raises:
        UserError: One of the others without ``--groups``, or see ``Grouping.parse``.

    """
    from sweep.stats.grouping import Grouping, require_min

    if options.groups is None:
        what = "says how groups are made, and none are asked for"
        remedy = "name a column by --groups, or leave {} out"
        refuse_alone(options, ("bands", "min_patients"), what, remedy)
        return None
    require_min(options.min_patients)
    return Grouping.parse(options.groups, options.bands)
