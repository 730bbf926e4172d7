"""Summaries over cells: against their formulas, at their limits, and where a cell is missing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.core.records import CLEAN, Cell
from sweep.metrics.robustness import (
    area,
    corruption_error,
    cvar,
    degradation,
    retention,
    worst_weights,
)

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def macro(clean: float, **curves: dict[int, float]) -> dict[Cell, float]:
    cells = {Cell(name, level): m for name, curve in curves.items() for level, m in curve.items()}
    return {CLEAN: clean, **cells}


def test_cvar_is_the_mean_of_the_worst_quarter() -> None:
    assert cvar(np.array([0.9, 0.2, 0.8, 0.4, 0.7, 0.6, 0.5, 1.0])) == pytest.approx(0.3)
    assert cvar(np.array([0.9, 0.2, 0.8])) == pytest.approx(0.2), "at least one cell"
    assert np.isnan(cvar(np.array([0.9, math.nan, 0.8, 0.7]))), "a missing cell is not filled"
    errors = np.array([0.1, 0.8, 0.2, 0.6, 0.3, 0.4, 0.5, 0.0])
    assert cvar(errors, higher_is_better=False) == pytest.approx(0.7)


def test_a_quarter_of_five_cells_is_one_and_a_quarter() -> None:
    found = cvar(np.array([0.5, 0.1, 0.9, 0.3, 0.7]))
    assert found == pytest.approx((0.1 + 0.25 * 0.3) / 1.25)


@given(VALUES, st.integers(1, 5))
def test_a_cell_that_is_there_several_times_changes_no_cvar(
    values: list[float], times: int
) -> None:
    cells = np.array(values)
    if len(cells) >= 4:  # of fewer, the worst one counts more than its quarter
        assert cvar(np.tile(cells, times)) == pytest.approx(cvar(cells), abs=1e-12)


@given(VALUES)
def test_worst_cvar_mean_are_in_order(values: list[float]) -> None:
    cells = np.array(values)
    assert cells.min() - 1e-12 <= cvar(cells) <= cells.mean() + 1e-12
    assert worst_weights(cells).sum() == pytest.approx(1)


def test_of_the_few_cells_of_a_screening_two_count() -> None:
    cells = np.array([0.5, 0.1, 0.9, 0.3, 0.7])
    assert cvar(cells, least=2) == pytest.approx(0.2)
    assert cvar(cells[:1], least=2) == pytest.approx(0.5)
    many = np.linspace(0, 1, 12)
    assert cvar(many, least=2) == pytest.approx(cvar(many))


def test_every_row_of_values_has_its_own_worst_cells() -> None:
    rows = np.random.default_rng(0).random((20, 7))
    assert cvar(rows) == pytest.approx([float(cvar(row)) for row in rows])


def test_what_is_retained_is_counted_from_chance() -> None:
    kept = macro(0.9, noise={1: 0.9, 3: 0.7}, motion={1: 0.5, 3: 0.5})
    assert retention(kept, 0.5) == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert np.isnan(retention(macro(0.54, noise={1: 0.53}), 0.5)), "nothing to be retained"


def test_the_area_is_that_of_the_curve_from_clean_to_the_highest_level() -> None:
    flat = macro(0.8, noise={1: 0.8, 5: 0.8})
    assert area(flat) == pytest.approx(0.8)
    straight = macro(1.0, noise={2: 0.8, 3: 0.7, 5: 0.5})
    assert area(straight) == pytest.approx(0.75), "a straight line, wherever it is sampled"


def test_degradation_counts_low_levels_more() -> None:
    early = macro(0.9, noise={1: 0.8, 2: 0.9})
    late = macro(0.9, noise={1: 0.9, 2: 0.8})
    a = 2 / 3
    assert degradation(early) == pytest.approx(0.1 * a / (a + a**2))
    assert degradation(early) > degradation(late) > 0
    assert degradation(macro(0.7, noise={1: 0.7, 5: 0.7})) == pytest.approx(0)


def test_a_model_has_the_corruption_error_of_itself() -> None:
    own = macro(0.9, noise={1: 0.8, 3: 0.7}, motion={1: 0.85, 3: 0.6})
    assert corruption_error(own, own) == corruption_error(own, own, relative=True) == 1
    half = macro(0.95, noise={1: 0.9, 3: 0.85}, motion={1: 0.925, 3: 0.8})
    assert corruption_error(half, own) == pytest.approx(0.5)
    assert corruption_error(half, own, relative=True) == pytest.approx(0.5)


def test_a_small_denominator_is_refused() -> None:
    sure = macro(1.0, noise={1: 0.999, 3: 0.995})
    other = macro(1.0, noise={1: 0.9, 3: 0.8})
    assert math.isnan(corruption_error(other, sure))
    unmoved = macro(0.8, noise={1: 0.8, 3: 0.795})
    assert math.isnan(corruption_error(other, unmoved, relative=True))
    better = macro(0.7, noise={1: 0.8, 3: 0.9})
    assert math.isnan(corruption_error(other, better, relative=True)), "a negative one, too"


def test_of_other_cells_there_is_no_corruption_error() -> None:
    assert math.isnan(corruption_error(macro(0.9, noise={1: 0.8}), macro(0.9, noise={3: 0.8})))


def test_a_missing_cell_leaves_all_missing() -> None:
    broken = macro(0.9, noise={1: math.nan, 3: 0.7}, motion={1: 0.8, 3: 0.6})
    whole = macro(0.9, noise={1: 0.8, 3: 0.7}, motion={1: 0.8, 3: 0.6})
    for value in (
        retention(broken, 0.5),
        area(broken),
        degradation(broken),
        corruption_error(broken, whole),
        corruption_error(whole, broken),
    ):
        assert np.isnan(value)


def test_resamples_are_summed_up_each_by_itself() -> None:
    generator = np.random.default_rng(1)
    cells = [CLEAN, *(Cell(name, level) for name in ("noise", "motion") for level in (1, 3, 5))]
    rows = {cell: 0.6 + 0.4 * generator.random(9) for cell in cells}
    for function in (area, degradation, lambda of: retention(of, 0.5)):
        together = function(rows)
        alone = [float(function({cell: v[at] for cell, v in rows.items()})) for at in range(9)]
        assert together == pytest.approx(alone)
