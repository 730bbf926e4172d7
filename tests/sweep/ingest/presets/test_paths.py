"""Patterns of paths."""

import pytest

from sweep.ingest.presets.paths import Pattern, filled


def test_fields_of_a_path() -> None:
    pattern = Pattern("{split}/{plane}/{exam}.npy", {"exam": "[0-9]+", "plane": "axial|coronal"})
    assert pattern.match("train/axial/0012.npy") == {
        "split": "train",
        "plane": "axial",
        "exam": "0012",
    }
    assert pattern.names == {"split", "plane", "exam"}
    for other in (
        "train/axial/a.npy",
        "train/axial/0012.npyx",
        "axial/0012.npy",
        "a/b/axial/1.npy",
    ):
        assert pattern.match(other) is None


def test_a_field_that_stands_twice_is_the_same() -> None:
    pattern = Pattern("**/{case}/{case}_{image}.nii[.gz]", {})
    assert pattern.match("a/b/c1/c1_t1.nii.gz") == {"case": "c1", "image": "t1"}
    assert pattern.match("c1/c1_t1.nii") == {"case": "c1", "image": "t1"}
    assert pattern.match("c1/c2_t1.nii") is None


def test_a_part_that_may_be_missing_is_empty() -> None:
    pattern = Pattern("sub-{s}/[ses-{e}/]sub-{s}[_ses-{e}]_T1w.nii", {"s": "[0-9]+", "e": "[0-9]+"})
    assert pattern.match("sub-1/sub-1_T1w.nii") == {"s": "1", "e": ""}
    assert pattern.match("sub-1/ses-2/sub-1_ses-2_T1w.nii") == {"s": "1", "e": "2"}
    assert pattern.match("sub-1/ses-2/sub-1_ses-3_T1w.nii") is None


@pytest.mark.parametrize("text", ["a.b", "a+b", "a(b)", "a|b", "a^b$", "ä b"])
def test_other_marks_stand_for_themselves(text: str) -> None:
    assert Pattern(text, {}).match(text) == {}
    assert Pattern(text, {}).match("axb") is None


def test_the_folders_above() -> None:
    pattern = Pattern("train/{exam}.npy", {})
    assert pattern.above("x/y/train/1.npy") == "x/y"
    assert pattern.above("train/1.npy") is None


def test_names_without_a_value_stay() -> None:
    assert filled("{a}-{b}", {"a": "1"}) == "1-{b}"
