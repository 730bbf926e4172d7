"""File formats as users have them, read and checked: manifests, pictures, volumes, DICOM.

A reader of a format belongs here: it knows files, and neither plans nor stores.
"""
