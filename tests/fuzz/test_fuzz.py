"""Damaged files of every format among whole ones: each costs itself, and nothing else.

The long form plays for minutes; `benchmarks/fuzz_ingest.py` for hours.
"""

from collections import Counter

import pytest

from tests.fuzz.player import PLAYED, play_asked
from tests.fuzz.samples import all_samples

pytestmark = pytest.mark.slow

SHORT = {"images": 30, "volumes": 40, "dicom": 30, "fastmri": 20, "trees": 20, "stores": 30}
SHORT |= {"tables": 5, "partial": 4}


@pytest.fixture(scope="module")
def samples():
    return all_samples()


def check(folder, samples, family, numbers, seed, interrupt=None):
    """Play cases; what went wrong, and how many came to what."""
    asked = {"folder": str(folder), "family": family, "seed": seed, "numbers": list(numbers)}
    verdicts = play_asked({**asked, "interrupt": interrupt}, samples)
    assert len(verdicts) == len(numbers)
    for one in verdicts:
        assert not one.faults, f"{one.case}, {one.kind}, {one.what}: {one.faults}"
        assert not one.remark or "the reference" in one.remark, f"{one.case}: {one.remark}"
    return Counter(one.outcome for one in verdicts)


@pytest.mark.parametrize("family", PLAYED)
def test_damage_costs_the_damaged_file_alone(tmp_path, samples, family):
    interrupt = 0.5 if family == "images" else None
    found = check(tmp_path, samples, family, range(SHORT[family]), "short", interrupt)
    assert found["refused"]
    assert found["same"]


@pytest.mark.long
@pytest.mark.parametrize("family", PLAYED)
def test_much_damage_costs_the_damaged_files_alone(tmp_path, samples, family):
    for part in range(12):
        folder = tmp_path / str(part)
        folder.mkdir()
        numbers = range(part * SHORT[family], (part + 1) * SHORT[family])
        check(folder, samples, family, numbers, "long", 0.3 if part % 4 == 0 else None)
