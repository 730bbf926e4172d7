"""Amounts as people read them."""

import pytest

from sweep.core.text import between, bytes_text, span


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (3.5e9, "3.5 GB"),
        (2e15, "2 PB"),
    ],
)
def test_bytes_have_three_digits(count: float, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (4.4, "4 s"),
        (32, "30 s"),
        (69, "70 s"),
        (99.4, "100 s"),
        (101, "2 min"),
        (99.4 * 60, "99 min"),
        (100 * 60, "1 h 40 min"),
        (118 * 60, "2 h"),
        (26 * 3600, "26 h"),
        (60 * 3600, "2.5 days"),
    ],
)
def test_a_span_has_its_unit_and_no_more_digits_than_an_estimate(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_two_ends_name_a_unit_once() -> None:
    assert between(180, 365) == "3 and 6 min"
    assert between(50, 130) == "50 s and 2 min"
    assert between(5400, 8000) == "90 min and 2 h 15 min"
