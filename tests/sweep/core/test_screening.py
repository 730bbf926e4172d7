"""What is screened: the same for all, whatever the order, and enough to say anything."""

import numpy as np

from sweep.core.records import (
    CLEAN,
    Cell,
    best_epoch,
    is_screened,
    scores_in,
    screened,
    screening_of,
)
from sweep.core.screening import LEAST, screened_cells, screened_slices

PATIENTS = [f"patient-{number}" for number in range(40) for _ in range(1 + number % 5)]
COMMON = np.array([[int(name[8:]) % 2 == 0] for name in PATIENTS])
RARE = np.array([[int(name[8:]) >= 36] for name in PATIENTS])
TRUTH = np.concatenate([COMMON, ~COMMON], axis=1)
CELLS = (CLEAN, *(Cell(name, level) for name in ("a", "b", "c") for level in (1, 3, 5)))


def chosen(share: float, patients: list[str] = PATIENTS, truth: np.ndarray = TRUTH) -> set[str]:
    return {patients[at] for at in screened_slices(patients, truth, share, 0)}


def test_whole_patients_are_taken_whatever_the_order_of_the_slices() -> None:
    taken = screened_slices(PATIENTS, TRUTH, 0.5, 0)
    assert {at for at, name in enumerate(PATIENTS) if name in chosen(0.5)} == set(taken.tolist())
    assert list(taken) == sorted(taken)
    order = np.random.default_rng(1).permutation(len(PATIENTS))
    shuffled = chosen(0.5, [PATIENTS[at] for at in order], TRUTH[order])
    assert shuffled == chosen(0.5)


def test_the_share_is_that_of_patients_and_a_smaller_one_is_part_of_a_larger() -> None:
    assert len(chosen(0.5)) == 20
    assert chosen(0.4) < chosen(0.5) < chosen(1.0) == set(PATIENTS)


def test_another_seed_takes_others() -> None:
    others = {PATIENTS[at] for at in screened_slices(PATIENTS, TRUTH, 0.5, 1)}
    assert len(others) == 20
    assert others != chosen(0.5)


def test_more_slices_of_a_patient_change_nothing() -> None:
    more, truth = [*PATIENTS, *PATIENTS[:30]], np.concatenate([TRUTH, TRUTH[:30]])
    assert chosen(0.5, more, truth) == chosen(0.5)


def test_enough_patients_show_every_label_and_lack_it() -> None:
    few = chosen(0.05)
    for column in TRUTH.T:
        shown = {name for name, shows in zip(PATIENTS, column, strict=True) if shows}
        assert len(few & shown) >= LEAST
        assert len(few - shown) >= LEAST


def test_of_a_label_that_few_patients_show_all_are_taken() -> None:
    assert {f"patient-{number}" for number in range(36, 40)} <= chosen(0.1, truth=RARE)


def test_cells_are_the_clean_images_and_as_many_levels_of_every_artifact() -> None:
    one, two = screened_cells(CELLS, 1, 0), screened_cells(CELLS, 2, 0)
    assert [cell.artifact for cell in one] == ["clean", "a", "b", "c"]
    assert set(one) < set(two)
    assert len(two) == 7
    assert screened_cells(CELLS, 3, 0) == CELLS == screened_cells(CELLS, 9, 0)
    without_a = tuple(cell for cell in CELLS if cell.artifact != "a")
    assert screened_cells(without_a, 1, 0) == tuple(c for c in one if c.artifact != "a")


def test_levels_are_chosen_artifact_by_artifact() -> None:
    many = [Cell(f"artifact-{number}", level) for number in range(60) for level in (1, 3, 5)]
    levels = [cell.level for cell in screened_cells([CLEAN, *many], 1, 0)[1:]]
    assert min(levels.count(level) for level in (1, 3, 5)) > 10


def test_a_screening_is_never_ranked_with_a_full_test() -> None:
    early, late = {screened("score"): 0.9}, {screened("score"): 0.7, "score": 0.6}
    assert best_epoch([(1, early), (2, late)], "score") == (2, 0.6)
    assert best_epoch([(1, early), (2, {screened("score"): 0.95})], "score") == (2, 0.95)
    assert best_epoch([(1, {"score": float("nan")})], "score") is None


def test_scores_of_an_epoch_are_those_of_its_full_test_if_there_was_one() -> None:
    early, late = {screened("score"): 0.5}, {screened("score"): 0.5, "score": 0.4}
    assert (is_screened(early), is_screened(late), is_screened({})) == (True, False, False)
    assert scores_in(early) == {"score": 0.5} == screening_of(late)
    assert scores_in(late)["score"] == 0.4
