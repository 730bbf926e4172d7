"""``ingest dataset``: a torch dataset of the user's."""

import argparse
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, counter
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.options import add_common, add_task, assigner_of

if TYPE_CHECKING:
    from sweep.ingest.plan import Plan


def add_dataset(kinds: Commands) -> None:
    """``ingest dataset``."""
    dataset = command(
        kinds,
        "dataset",
        ingesting(_plan_dataset),
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
    add_task(dataset)
    add_common(dataset)


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
        assigner=assigner_of(options),
        progress=counter("items looked at"),
    )
