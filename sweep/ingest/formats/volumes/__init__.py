"""Files of volumes other than DICOM: one reader for each format, and one way to planes for all."""
