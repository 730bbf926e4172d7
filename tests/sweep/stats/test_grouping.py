"""Which group a slice is in: values, bands, what is unknown, and what makes no groups."""

import pytest

from sweep.core.errors import UserError
from sweep.stats.grouping import Grouping


def test_a_band_has_the_number_that_it_begins_with() -> None:
    ages = Grouping("age", (40, 60))
    values = ["39.9", "40", "59", "60", "7", "", "99"]
    groups = ages.of(values)
    assert groups == ["<40", "40 to <60", "40 to <60", ">=60", "<40", "unknown", ">=60"]
    assert ages.ordered(groups) == ["<40", "40 to <60", ">=60", "unknown"]
    assert ages.ordered(ages.of(["61", "20"])) == ["<40", ">=60"], "only those that there are"


def test_the_name_of_a_band_does_not_depend_on_other_slices() -> None:
    ages = Grouping("age", (40,))
    assert ages.of(["41"]) == ages.of(["41", "17.25", ""])[:1]


def test_no_two_bands_have_one_name() -> None:
    days = Grouping("study_date", (20200101, 20200102, 20200103))
    groups = days.of(["20200101", "20200102", "20200103", "20191231"])
    assert groups == [
        "20200101 to <20200102",
        "20200102 to <20200103",
        ">=20200103",
        "<20200101",
    ]
    assert Grouping("t", (0.1234567, 1.5)).of(["0.3"]) == ["0.1234567 to <1.5"]


def test_white_space_alone_says_nothing() -> None:
    assert Grouping("site").of(["A", " ", "\n", ""]) == ["A", "unknown", "unknown", "unknown"]


def test_values_are_groups_numbers_in_their_order_and_unknown_last() -> None:
    fields = Grouping("field")
    assert fields.ordered(fields.of(["3", "1.5", "", "7", "3"])) == ["1.5", "3", "7", "unknown"]
    sites = Grouping("site")
    assert sites.ordered(sites.of(["", "HT", "DU"])) == ["DU", "HT", "unknown"]
    assert sites.of(["a\nb\x1b[0m"]) == ["a b?[0m"], "a terminal is shown no controls"


@pytest.mark.parametrize(
    ("values", "bands", "message"),
    [
        ([str(n) for n in range(13)], None, "more than 12 values.*'age' with 13.*--bands 40,60"),
        ([f"p{n}" for n in range(51)], None, "more than 50 values.*'age' with 51.*such as site"),
        (["41", "old"], "40", "no numbers, of which there are no bands.*'old'"),
        (["nan"], "40", "no numbers, of which there are no bands.*'nan'"),
        ([], "60,40", "bands do not ascend; received 60, 40"),
        ([], "40,40", "bands do not ascend"),
        ([], "inf", "bands do not ascend; received inf"),
        ([], "40-60", "bands are no numbers; received '40-60'; give where each begins"),
        ([], "", "bands are no numbers"),
    ],
)
def test_what_makes_no_groups_is_refused(
    values: list[str], bands: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Grouping.parse("age", bands).of(values)


def test_twelve_numbers_are_groups_and_a_text_among_them_makes_all_of_them_texts() -> None:
    twelve = [str(n) for n in range(12)]
    assert Grouping("age").of(twelve) == twelve
    assert len(set(Grouping("age").of([*twelve, "13", "old"]))) == 14
