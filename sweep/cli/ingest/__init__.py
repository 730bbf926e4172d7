"""``ingest``: stores from pictures, fastMRI, volumes, DICOM, and datasets of the user's."""

from sweep.cli.base import Commands
from sweep.cli.ingest.dataset import add_dataset
from sweep.cli.ingest.dicom import add_dicom
from sweep.cli.ingest.fastmri import add_fastmri
from sweep.cli.ingest.folder import add_folder
from sweep.cli.ingest.images import add_images
from sweep.cli.ingest.presets import add_presets
from sweep.cli.ingest.volumes import add_volume_files


def add_ingest(commands: Commands) -> None:
    """``mrisweep ingest``."""
    ingest = commands.add_parser(
        "ingest",
        help="make a store from labelled images",
        description="Make a store: the one HDF5 file that sweeps train and score on. Killed at any "
        "moment, the same command goes on where it stopped.",
    )
    kinds = ingest.add_subparsers(title="kinds", metavar="KIND", required=True)
    add_images(kinds)
    add_folder(kinds)
    add_fastmri(kinds)
    add_volume_files(kinds)
    add_dicom(kinds)
    add_dataset(kinds)
    add_presets(kinds)
