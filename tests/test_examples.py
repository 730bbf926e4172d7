"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.data import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


def run(name: str, argument: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), str(argument)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_slice_is_corrupted_more_and_more(tmp_path: Path) -> None:
    assert "motion.png" in run("corrupt_a_slice.py", tmp_path)
    panels = np.split(np.asarray(Image.open(tmp_path / "motion.png")).astype(float), 6, axis=1)
    errors = [np.abs(panel - panels[0]).mean() for panel in panels]
    assert errors[0] == 0
    assert errors == sorted(errors)


def test_one_model_is_fitted(tmp_path: Path) -> None:
    said = run("fit_one_model.py", tmp_path)
    assert said.count("clean AUROC") == 3
    assert list((tmp_path / "checkpoints").glob("epoch-*.pt"))


@pytest.mark.usefixtures("store")
def test_a_sweep_is_read(sweep_folder: Path) -> None:
    said = run("read_a_sweep.py", sweep_folder)
    assert "trial-0000" in said
    assert "bias 5:" in said
    assert "on clean slices" in said


def test_a_dataset_becomes_a_store(tmp_path: Path) -> None:
    said = run("own_dataset.py", tmp_path)
    assert "72 slices, labels left, right" in said
    assert said.count(": 18 slices, 6 patients of 2 sites") == 4


def test_a_worse_case_is_found(tmp_path: Path) -> None:
    said = run("worst_case.py", tmp_path)
    middle, worst = (float(line.split()[-1]) for line in said.splitlines())
    assert worst > middle


def test_every_example_is_tested_and_short() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in source
        assert len(example.read_text(encoding="utf-8").splitlines()) <= 70
