"""From NIfTI volumes with a manifest to the plan of a store."""

from pathlib import Path

from sweep.data.formats import nifti
from sweep.data.formats.planes import Axis
from sweep.data.ingest.plan import Plan, Progress
from sweep.data.ingest.volumes import plan_volumes
from sweep.data.ingest.volumes_reader import Format
from sweep.data.slices import Task
from sweep.data.splits import Dealing

FORMAT = Format("nifti", nifti.outline, nifti.sections, names_patients=False)


def plan_nifti(
    manifest: Path,
    folder: Path,
    *,
    axis: Axis = "acquired",
    size: int | None = None,
    task: Task | None = None,
    dealing: Dealing,
    progress: Progress | None = None,
) -> Plan:
    """Plan a store of the planes of NIfTI volumes, see ``plan_volumes``.

    A file of the manifest is .nii, .nii.gz, or one of a pair .hdr and .img; as acquired, its planes
    are those of the header's slice dimension, or else of the third.
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
