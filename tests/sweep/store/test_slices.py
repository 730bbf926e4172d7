from dataclasses import replace

import pytest

from sweep.core.errors import UserError
from sweep.store.slices import check_slices, multi_hot


def check(content):
    check_slices(content.slices, content.label_names, content.task)


def test_lawful_slices_pass(content):
    check(content)


def test_a_patient_in_two_splits_is_named_with_both_splits(content):
    message = r"patient 'ann' in split 'train' at line 0 and in split '2' at line 1; give each"
    with pytest.raises(UserError, match=message):
        check(content.with_slice(1, split="2"))


def test_every_patient_in_two_splits_is_named_once(content):
    twice = replace(content, slices=content.slices + content.slices[:1])
    broken = twice.with_slice(1, split="2").with_slice(5, split="2", key="ann/2")
    broken = broken.with_slice(2, split="train")
    with pytest.raises(UserError, match="slices of one patient are in several splits, ") as caught:
        check(broken)
    assert str(caught.value).count("'ann'") == 1
    assert str(caught.value).count("'bob'") == 1


def test_a_scan_is_of_one_patient(content):
    shared = content.with_slice(0, scan="v1").with_slice(1, scan="v1").with_slice(4, scan="v1")
    message = r"scan are of several patients; received scan 'v1' with 'ann' at line 0 and 'zoë'"
    with pytest.raises(UserError, match=message):
        check(shared)


def test_no_two_slices_of_a_scan_have_one_number(content):
    def numbered(*numbers):
        first = content.with_slice(0, scan="v1", number=numbers[0])
        return first.with_slice(1, scan="v1", number=numbers[1])

    check(numbered(3, 1))
    check(numbered(None, None))
    with pytest.raises(UserError, match="same number; received number 2 of scan 'v1' at line 0"):
        check(numbered(2, 2))


@pytest.mark.parametrize("name", ["key", "patient", "split"])
def test_an_empty_name_is_refused(content, name):
    with pytest.raises(UserError, match="empty key, patient or split; received line 3; fill"):
        check(content.with_slice(3, **{name: ""}))


@pytest.mark.parametrize("name", ["key", "scan", "patient", "split", "sequence"])
@pytest.mark.parametrize("text", ["a\x1b[2J", "a\x00", "\x9f", "\udcff"])
def test_a_text_that_no_store_can_be_opened_with_is_refused(content, name, text):
    with pytest.raises(UserError, match=r"characters that are not shown.* at line 3; rename"):
        check(content.with_slice(3, **{name: text}))


def test_a_label_and_a_column_are_held_to_the_same_law(content):
    with pytest.raises(UserError, match="characters that are not shown"):
        check(content.with_slice(3, columns={"site": "\x07"}))
    with pytest.raises(UserError, match="characters that are not shown"):
        check(replace(content, label_names=(*content.label_names, "\x07")))


def test_a_repeated_key_is_refused(content):
    message = "have the same key; received 'ann/0' at line 0, 'ann/0' at line 1; rename"
    with pytest.raises(UserError, match=message):
        check(content.with_slice(1, key="ann/0"))


def test_an_unknown_label_is_refused(content):
    message = r"outside \['cyst', 'tear'\]; received \['tare'\] at line 2; correct"
    with pytest.raises(UserError, match=message):
        check(content.with_slice(2, labels=frozenset({"tare", "tear"})))


def test_multiclass_wants_exactly_one_label(content):
    message = r"exactly one label; .*\[\] at line 1, \['cyst', 'tear'\] at line 2, .*'multilabel'"
    with pytest.raises(UserError, match=message):
        check(replace(content, task="multiclass"))


def test_an_unknown_task_is_refused(content):
    with pytest.raises(UserError, match="received 'regression'; known: multiclass, multilabel"):
        check(replace(content, task="regression"))


@pytest.mark.parametrize(("names", "received"), [((), "none"), (("a", "a"), "'a', 'a'")])
def test_label_names_are_some_and_unique(content, names, received):
    with pytest.raises(UserError, match=f"no label, or one label twice; received {received}; name"):
        check(replace(content, label_names=names))


def test_a_store_without_slices_is_refused(content):
    with pytest.raises(UserError, match="would hold no slice; received none; add"):
        check(replace(content, slices=()))


def test_long_lists_of_problems_are_cut_after_ten(content):
    one = content.slices[0]
    many = tuple(replace(one, key="", origin=f"line {place}") for place in range(13))
    with pytest.raises(UserError, match="line 9, and 3 more; fill") as caught:
        check(replace(content, slices=many))
    assert "line 10" not in str(caught.value)


def test_columns_of_the_labels_follow_the_names(content):
    one = multi_hot(content.slices, ["tear", "cyst"])
    other = multi_hot(content.slices, ["cyst", "tear"])
    assert (one == other[:, ::-1]).all()
    assert one[2].tolist() == [1, 1]
    assert one[3].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "cannot be used; received ''"),
        ("a/b", "cannot be used; received 'a/b'; rename"),
        (".", "cannot be used; received '.'"),
        ("patient", "by itself; received 'patient'; rename"),
        ("sequence", "by itself; received 'sequence'"),
    ],
)
def test_a_column_has_a_name_of_its_own(content, name, message):
    with pytest.raises(UserError, match=message):
        check(content.with_slice(2, columns={name: "x"}))
