from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.core.errors import UserError
from sweep.store.slices import Slice
from sweep.store.splits import SplitAssigner, assign_splits, equal_folds

patients = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.frozensets(st.sampled_from(["tear", "cyst", "lesion"])),
    min_size=5,
    max_size=60,
)
laws = settings(max_examples=60, deadline=None, derandomize=True)


def deal_folds(findings, folds, seed):
    return SplitAssigner(equal_folds(folds), seed).assign(findings)


def spread(folds, names):
    """Difference between the largest and the smallest number of patients in a fold."""
    counts = Counter(folds)
    return max(counts[name] for name in names) - min(counts[name] for name in names)


@laws
@given(findings=patients, folds=st.integers(2, 5), seed=st.integers(0, 5))
def test_folds_are_balanced_as_a_whole_and_in_each_stratum(findings, folds, seed):
    assigned = deal_folds(findings, folds, seed)
    names = [str(fold) for fold in range(1, folds + 1)]
    assert assigned.keys() == findings.keys()
    assert set(assigned.values()) == set(names)
    assert spread(assigned.values(), names) <= 1
    for stratum in set(findings.values()):
        members = [assigned[patient] for patient in findings if findings[patient] == stratum]
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
    assigned = deal_folds({f"p{number:02}": frozenset() for number in range(40)}, 2, 0)
    assert [assigned[patient] for patient in sorted(assigned)] != ["1", "2"] * 20


@pytest.mark.usefixtures("global_random_state")
def test_global_random_state_is_left_alone():
    deal_folds({"a": frozenset(), "b": frozenset()}, 2, 0)


@pytest.mark.parametrize("folds", [1, 0])
def test_fewer_than_two_folds(folds):
    with pytest.raises(UserError, match=f"fewer than 2 folds; received {folds}; take at least 2"):
        equal_folds(folds)


def test_more_folds_than_patients():
    findings = {"a": frozenset(), "b": frozenset(), "c": frozenset()}
    with pytest.raises(
        UserError, match="no patient; received 3 patients, which leave '4' of 4 splits empty; "
    ):
        deal_folds(findings, 4, 0)


parts = st.lists(st.integers(1, 20), min_size=2, max_size=3)
many = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.frozensets(st.sampled_from(["tear", "cyst"])),
    min_size=60,
    max_size=120,
)


def shares_of(numbers):
    return {f"s{place}": number / sum(numbers) for place, number in enumerate(numbers)}


@pytest.mark.slow
@laws
@given(findings=many, numbers=parts)
def test_unequal_shares_are_kept_to_a_patient(findings, numbers):
    """Of up to three splits none is a whole patient off (Balinski and Young, Fair Representation).

    A stratum takes the seats between two such states, so it may be off by the sum of both.
    """
    assigner = SplitAssigner(shares_of(numbers))
    assigned = assigner.assign(findings)
    for split, share in assigner.shares.items():
        assert abs(list(assigned.values()).count(split) - share * len(findings)) < 1
        for stratum in set(findings.values()):
            members = [assigned[patient] for patient in findings if findings[patient] == stratum]
            assert abs(members.count(split) - share * len(members)) < 2


@pytest.mark.slow
@laws
@given(findings=many, numbers=st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_seats_are_those_of_sainte_lague(findings, numbers):
    """No seat would be better placed with another split: the method's min-max inequality."""
    shares = shares_of(numbers)
    seats = Counter(SplitAssigner(shares).assign(findings).values())
    for one, other in permutations(shares, 2):
        assert (2 * seats[one] - 1) / shares[one] <= (2 * seats[other] + 1) / shares[other] + 1e-9


def test_a_rare_split_gets_its_patient_in_its_turn():
    findings = {f"p{number}": frozenset() for number in range(20)}
    counts = Counter(SplitAssigner({"train": 0.9, "test": 0.1}).assign(findings).values())
    assert counts == {"train": 18, "test": 2}


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"all": 1.0},
        {"train": 0.5, "test": 0.4},
        {"train": 1.0, "test": 0.0},
        {"train": 1.5, "test": -0.5},
        {"train": 0.5, "test": float("nan")},
    ],
)
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(
        UserError, match=r"not above 0 with the sum 1; received {.*}; correct the shares"
    ):
        SplitAssigner(shares)


def undealt(per_patient):
    """Slices of patients, with the labels of each slice."""
    return [
        Slice(f"{patient}/{number}", patient, "", frozenset(labels), f"line {number}", "PD")
        for patient, slices in per_patient.items()
        for number, labels in enumerate(slices)
    ]


PATIENTS = {f"p{number:02}": [set(), {"tear"} if number % 3 else set()] for number in range(30)}


def test_slices_get_the_split_of_their_patient_and_keep_all_else():
    slices = undealt(PATIENTS)
    assigned = assign_splits(slices, SplitAssigner())
    assert [replace(one, split="") for one in assigned] == slices
    findings = {patient: frozenset[str]().union(*labels) for patient, labels in PATIENTS.items()}
    expected = SplitAssigner().assign(findings)
    assert [one.split for one in assigned] == [expected[one.patient] for one in slices]


def test_a_patient_who_shows_a_label_on_one_slice_is_of_its_stratum():
    assigned = assign_splits(undealt(PATIENTS), SplitAssigner(equal_folds(2)))
    ill = Counter(one.split for one in assigned if one.labels)
    assert ill == {"1": 10, "2": 10}


def test_splits_that_are_given_are_kept():
    slices = [replace(one, split="mine") for one in undealt(PATIENTS)]
    assert assign_splits(slices, SplitAssigner()) == slices


def test_some_slices_with_a_split_and_some_without_are_refused():
    first, second, *rest = undealt(PATIENTS)
    mixed = [replace(first, split="train"), second, *rest]
    message = "received 59 of 60 slices without a split, line 1 the first; fill them in"
    with pytest.raises(UserError, match=message):
        assign_splits(mixed, SplitAssigner())


def at(patient, site, split=""):
    return Slice(
        key=f"{patient}/x",
        patient=patient,
        split=split,
        labels=frozenset(),
        origin=patient,
        columns={"site": site},
    )


SITES = [at(f"p{number}", "AB"[number % 3 == 0]) for number in range(12)]


def test_each_value_of_a_column_has_splits_of_its_own():
    assigned = assign_splits(SITES, SplitAssigner(equal_folds(2), by="site"))
    assert Counter(one.split for one in assigned) == {"A-1": 4, "A-2": 4, "B-1": 2, "B-2": 2}
    assert all(one.split[0] == one.columns["site"] for one in assigned)


def test_with_one_fold_a_value_is_a_split():
    assigned = assign_splits(SITES, SplitAssigner(equal_folds(1, 1), by="site"))
    assert all(one.split == one.columns["site"] for one in assigned)


def test_what_another_site_has_does_not_matter_for_the_splits_of_one():
    alone = [one for one in SITES if one.columns["site"] == "A"]
    assigner = SplitAssigner(equal_folds(2), by="site")
    whole = {one.patient: one.split for one in assign_splits(SITES, assigner)}
    assert all(one.split == whole[one.patient] for one in assign_splits(alone, assigner))


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ([*SITES, at("q", "")], "have nothing in the column 'site'.*received q;"),
        ([*SITES, at("p0", "A")], r"several values in the column 'site'.*'p0' \(A, B\)"),
        ([*SITES, at("q", "A", "1")], "the splits are given, and are to be assigned by a column"),
        ([*SITES, at("q", "C")], "of site 'C': splits would have no patient"),
    ],
)
def test_what_cannot_be_split_by_a_column_is_said(slices, message):
    with pytest.raises(UserError, match=message):
        assign_splits(slices, SplitAssigner(equal_folds(2), by="site"))
