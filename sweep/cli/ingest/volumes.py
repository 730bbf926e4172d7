"""``ingest volumes``: files of volumes other than DICOM, with a manifest."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command
from sweep.cli.ingest.carrying_out import ingesting
from sweep.cli.ingest.options import add_common, add_task, making_of
from sweep.cli.ingest.reading import MANIFEST, add_reading, reading_of

if TYPE_CHECKING:
    from sweep.ingest.formats.planes import Format
    from sweep.ingest.plan import Plan


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


def add_volume_files(kinds: Commands) -> None:
    """``ingest volumes``, and by the name that it had first."""
    for name, summary in (
        ("volumes", "make a store from volumes (NIfTI, MGH, MHA, NRRD, NumPy, multi-page TIFF)"),
        ("nifti", "the same as volumes, by its first name"),
    ):
        added = command(
            kinds, name, ingesting(_plan_volume_files), summary, MANIFEST + VOLUMES + SEVERAL
        )
        add_volumes(added)
        add_choices(added)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Options of files of volumes other than DICOM."""
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


def add_volumes(parser: argparse.ArgumentParser) -> None:
    """Options of volumes with a manifest."""
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("--volumes", type=Path, required=True, metavar="DIR", help="of the files")
    add_axis(parser)
    add_reading(parser)
    add_task(parser)
    add_common(parser)


def add_axis(parser: argparse.ArgumentParser) -> None:
    """``--axis`` and ``--middle``."""
    parser.add_argument(
        "--axis",
        choices=("acquired", "axial", "coronal", "sagittal"),
        default="acquired",
        help="which slices of volumes: as they were acquired, or along the axis nearest to an "
        "anatomical one",
    )
    parser.add_argument(
        "--middle",
        type=int,
        metavar="N",
        help="take the N slices in the middle of each volume, where none is named",
    )


def _plan_volume_files(options: argparse.Namespace) -> "Plan":
    return planned_volumes(options, volume_files(options))


def volume_files(options: argparse.Namespace) -> "Format":
    """Files of volumes, read as the options say."""
    from sweep.ingest.formats.volumes.reading import Choices, volume_format

    return volume_format(Choices(options.array, options.nan))


def planned_volumes(options: argparse.Namespace, form: "Format") -> "Plan":
    """The plan of the volumes of a manifest, in files of a form."""
    from sweep.ingest.volumes import plan_volumes

    return plan_volumes(
        options.manifest,
        options.volumes,
        form,
        making_of(options, "volumes"),
        axis=options.axis,
        middle=options.middle,
        reading=reading_of(options),
    )
