"""Patients to try everything on: volumes of the fastMRI layout with lesions as labels."""
