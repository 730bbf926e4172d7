"""From DICOM volumes with a manifest to the plan of a store."""

from pathlib import Path

from sweep.data.formats import dicom_volume
from sweep.data.formats.planes import Axis
from sweep.data.ingest.plan import Plan, Progress
from sweep.data.ingest.volumes import plan_volumes
from sweep.data.ingest.volumes_reader import Format
from sweep.data.slices import Task
from sweep.data.splits import Dealing

FORMAT = Format("dicom", dicom_volume.outline, dicom_volume.sections, names_patients=True)


def plan_dicom(
    manifest: Path,
    folder: Path,
    *,
    axis: Axis = "acquired",
    size: int | None = None,
    task: Task | None = None,
    dealing: Dealing,
    progress: Progress | None = None,
) -> Plan:
    """Plan a store of the planes of DICOM volumes, see ``plan_volumes``.

    A file of the manifest is a file, of one frame or several, or the folder of one series. Where
    the manifest names no patient, the file's PatientID is taken.
    """
    return plan_volumes(
        manifest,
        folder,
        FORMAT,
        axis=axis,
        size=size,
        task=task,
        dealing=dealing,
        progress=progress,
    )
