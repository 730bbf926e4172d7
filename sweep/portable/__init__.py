"""A checkpoint as one file that other programs run, checked against it, with its model card."""
