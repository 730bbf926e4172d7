from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.data.splits import Dealing, equal_folds
from sweep.errors import UserError

patients = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.frozensets(st.sampled_from(["tear", "cyst", "lesion"])),
    min_size=5,
    max_size=60,
)
laws = settings(max_examples=60, deadline=None, derandomize=True)


def deal_folds(findings, folds, seed):
    return Dealing(equal_folds(folds), seed).deal(findings)


def spread(folds, names):
    """Difference between the largest and the smallest number of patients in a fold."""
    counts = Counter(folds)
    return max(counts[name] for name in names) - min(counts[name] for name in names)


@laws
@given(findings=patients, folds=st.integers(2, 5), seed=st.integers(0, 5))
def test_folds_are_balanced_as_a_whole_and_in_each_stratum(findings, folds, seed):
    dealt = deal_folds(findings, folds, seed)
    names = [str(fold) for fold in range(1, folds + 1)]
    assert dealt.keys() == findings.keys()
    assert set(dealt.values()) == set(names)
    assert spread(dealt.values(), names) <= 1
    for stratum in set(findings.values()):
        members = [dealt[patient] for patient in findings if findings[patient] == stratum]
        assert spread(members, names) <= 1


@laws
@given(findings=patients, order=st.randoms(use_true_random=False))
def test_the_order_of_the_patients_does_not_matter(findings, order):
    shuffled = list(findings.items())
    order.shuffle(shuffled)
    assert deal_folds(dict(shuffled), 3, 0) == deal_folds(findings, 3, 0)


def test_another_seed_deals_otherwise():
    findings = {f"p{number}": frozenset() for number in range(40)}
    assert deal_folds(findings, 5, 0) != deal_folds(findings, 5, 1)


def test_neighbours_by_name_are_not_neighbours_in_the_dealing():
    dealt = deal_folds({f"p{number:02}": frozenset() for number in range(40)}, 2, 0)
    assert [dealt[patient] for patient in sorted(dealt)] != ["1", "2"] * 20


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone():
    deal_folds({"a": frozenset(), "b": frozenset()}, 2, 0)


@pytest.mark.parametrize("folds", [1, 0])
def test_fewer_than_two_folds(folds):
    with pytest.raises(UserError, match=f"at least 2 folds; received {folds}"):
        equal_folds(folds)


def test_more_folds_than_patients():
    findings = {"a": frozenset(), "b": frozenset(), "c": frozenset()}
    with pytest.raises(UserError, match=r"3 patients leave '4' of 4 splits empty"):
        deal_folds(findings, 4, 0)
