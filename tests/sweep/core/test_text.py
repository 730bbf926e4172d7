"""Amounts as people read them."""

import pytest

from sweep.core.text import bytes_text


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
