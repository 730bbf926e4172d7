"""Where real data lie, and the marks of the tests that need them."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MRISWEEP_TEST_DATA", ROOT.parent / "shared"))

BRAIN = SHARED / "data" / "brain_tumor_mri"
FASTMRI_PLUS = SHARED / "data" / "fastmri_plus"
KSPACE = SHARED / "data" / "kspace"


def needs(folder: Path) -> pytest.MarkDecorator:
    """Skip a test, visibly, where a folder of real data is absent."""
    return pytest.mark.skipif(
        not folder.is_dir(), reason=f"needs {folder}; set MRISWEEP_TEST_DATA to its collection"
    )
