"""NIfTI volumes as a kind of ingest; ``plan_volumes`` makes the plan."""

from sweep.ingest.formats import nifti
from sweep.ingest.volumes_reader import Format

NIFTI = Format("nifti", nifti.outline, nifti.sections, names_patients=False)
