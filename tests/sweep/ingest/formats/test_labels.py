"""Labels as people write them."""

from collections import Counter

import pytest

from sweep.core.errors import UserError
from sweep.ingest.formats.labels import (
    gone_note,
    named_in,
    refuse_joined,
    shown_by,
    spelling_notes,
    spellings,
)


def test_white_space_and_composed_letters_make_no_other_label() -> None:
    assert named_in("  a  b |c|| ", "|") == {"a b", "c"}
    assert named_in("o\u0308dem", "|") == named_in("\u00f6dem", "|")


def test_of_spellings_that_differ_in_case_the_most_frequent_is_taken() -> None:
    names = Counter({"Glioma": 3, "GLIOMA": 40, "glioma": 2, "none": 7})
    taken = spellings(names)
    assert taken == {"Glioma": "GLIOMA", "GLIOMA": "GLIOMA", "glioma": "GLIOMA", "none": "none"}
    (note,) = spelling_notes(names, taken)
    assert "'Glioma' (3 rows) as 'GLIOMA', 'glioma' (2 rows) as 'GLIOMA'." in note
    assert list(spelling_notes(Counter(a=1), {"a": "a"})) == []


def test_which_spelling_is_taken_does_not_depend_on_the_order_of_rows() -> None:
    pairs = [("b", 2), ("B", 2), ("a", 1)]
    assert spellings(Counter(dict(pairs))) == spellings(Counter(dict(pairs[::-1])))


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ({"acl": "1", "tear": "0"}, {"acl"}),
        ({"acl": "True", "tear": "1.0"}, {"acl", "tear"}),
        ({"acl": " no ", "tear": ""}, set()),
    ],
)
def test_a_column_for_each_label(cells: dict[str, str], shown: set[str]) -> None:
    assert shown_by(cells, "row 2") == shown


def test_what_is_not_certain_is_refused() -> None:
    with pytest.raises(UserError, match=r"neither .*; received '-1' for 'tear' in row 2; write 1"):
        shown_by({"acl": "1", "tear": "-1"}, "row 2")


@pytest.mark.parametrize("names", [{"edema;tear": 3}, {"edema, tear": 1, "tear": 4}])
def test_what_seems_to_be_several_labels_is_refused(names: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"seems to be 2 labels .*--label-separator '[;,]' if"):
        refuse_joined(Counter(names), "|")


def test_a_comma_in_the_name_of_one_label_is_none_between_two() -> None:
    refuse_joined(Counter({"pneumonia, viral": 3, "healthy": 1}), "|")


def test_labels_that_are_gone_are_named() -> None:
    (note,) = gone_note([{"a", "b"}, {"c"}], {"b"})
    assert "which the store does not have: a, c." in note
