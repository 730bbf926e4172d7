"""DICOM volumes as a kind of ingest; ``plan_volumes`` makes the plan.

A file of the manifest is a file, of one frame or several, or the folder of one series.
"""

from sweep.ingest.formats.dicom import volume
from sweep.ingest.volumes_reader import Format

DICOM = Format("dicom", volume.outline, volume.sections, names_patients=True)
