"""What the columns of a manifest are for, and what they are called."""

FILE, LABEL, PATIENT, SLICE, SEQUENCE = "file", "label", "patient", "slice", "sequence"
SPLITTING = ("fold", "split")
VOLUME, MASK, INSTANCE, SCAN = "volume", "mask", "instance", "scan"
ROLES = (FILE, LABEL, PATIENT, *SPLITTING, SLICE, MASK, SCAN)
# What tables in public use call the columns that a manifest has to have, or that were asked for.
USUAL = {
    FILE: ("image_path", "filename", "file_name", "filepath", "path", "image", "img", "fname"),
    LABEL: ("class", "diagnosis", "target", "category", "finding", "labels"),
    PATIENT: ("patient_id", "patientid", "subject", "subject_id", "participant_id", "case", "pid"),
    MASK: ("mask_path", "seg", "seg_path", "segmentation", "mask_file", "masks"),
}
