"""``ingest dicom``: DICOM files and folders of series, with a manifest."""

import argparse
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.reading import MANIFEST
from sweep.cli.ingest.volumes import VOLUMES, add_volumes, planned_volumes

if TYPE_CHECKING:
    from sweep.ingest.formats.planes import Format
    from sweep.ingest.plan import Plan


def add_dicom(kinds: Commands) -> None:
    """``ingest dicom``."""
    dicom = command(
        kinds,
        "dicom",
        ingesting(_plan_dicom),
        "make a store from DICOM files, or folders of one series each",
        MANIFEST + VOLUMES + " Where the manifest names no patient, the file's PatientID is "
        "taken, and stands in the store.",
    )
    add_volumes(dicom)
    add_take(dicom)


def add_take(parser: argparse.ArgumentParser) -> None:
    """``--take``."""
    parser.add_argument(
        "--take",
        nargs="+",
        default=[],
        metavar="KEYWORD=VALUE",
        help="of DICOM that is no single stack the slices where this holds, such as "
        "EchoTime=80 ImageType=M: keywords of DICOM, or tags such as 0043,102F; one keyword twice "
        "= either value; one part of a value is enough, and * stands for anything",
    )


def _plan_dicom(options: argparse.Namespace) -> "Plan":
    return planned_volumes(options, dicom_files(options))


def dicom_files(options: argparse.Namespace) -> "Format":
    """DICOM, read as the options say."""
    from sweep.ingest.formats.dicom.choice import choice_of
    from sweep.ingest.formats.dicom.volume import dicom

    return dicom(choice_of(options.take))
