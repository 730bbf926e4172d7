"""DICOM: a file, its frames, the series that files make, and the volume that a series is."""
