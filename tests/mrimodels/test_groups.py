"""The rule for groups, and the setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrimodels import ModelError, group_count
from mrimodels.norms import Groups


@given(st.integers(2, 4096))
def test_the_group_rule_is_the_largest_count_that_obeys_it(channels):
    groups = group_count(channels)
    allowed = [g for g in range(1, 33) if channels % g == 0 and channels // g >= 2]
    assert groups == max(allowed)


@pytest.mark.parametrize(("channels", "groups"), [(2, 1), (7, 1), (16, 8), (24, 12), (64, 32)])
def test_the_group_rule_by_example(channels, groups):
    assert group_count(channels) == groups == Groups().of(channels)


def test_study_widths_get_the_32_groups_of_the_paper():
    assert [group_count(c) for c in (64, 128, 256, 512)] == [32] * 4


@pytest.mark.parametrize("channels", [1, 0, -4])
def test_too_few_channels_for_a_group_are_refused(channels):
    with pytest.raises(
        ModelError,
        match=f"too few channels: .*at least 2 channels.*received {channels}; use a wider",
    ):
        group_count(channels)


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_number_and_a_size_of_groups_are_two_names_of_one_thing(number, size):
    assert Groups(number=number).of(number * size) == number
    assert Groups(channels=size).of(number * size) == number


@pytest.mark.parametrize(
    ("groups", "setting"),
    [(Groups(number=5), "norm_groups"), (Groups(channels=5), "norm_group_channels")],
)
def test_what_does_not_divide_the_channels_is_refused_with_what_does(groups, setting):
    with pytest.raises(
        ModelError,
        match=f"{setting} does not divide the 12 channels of a layer; received 5; "
        "take one of 1, 2, 3, 4, 6, 12, or another width",
    ):
        groups.of(12)


@pytest.mark.parametrize("value", [0, -2, 2.0, True, "4"])
def test_a_setting_is_a_count(value):
    with pytest.raises(ModelError, match="norm_groups is not an integer of at least 1"):
        Groups(number=value)
    with pytest.raises(ModelError, match="norm_group_channels is not an integer of at least 1"):
        Groups(channels=value)


def test_both_settings_at_once_are_refused():
    with pytest.raises(ModelError, match=r"given twice; received norm_groups=2 and .*=4; drop one"):
        Groups(2, 4)
