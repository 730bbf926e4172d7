"""DICOM: headers, files of one frame or several, series, and the volumes that they make."""
