"""The effect of norms: exchanged labels, patients drawn again, several tests, words, all of it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import false_discovery_control, permutation_test, t
from statsmodels.stats.multitest import multipletests

from sweep.stats.effects import norm_effects
from sweep.stats.equivalence import in_words, verdict
from sweep.stats.mixed import Run
from sweep.stats.multiplicity import holm, max_t
from sweep.stats.permutation import permuted
from sweep.stats.two_way import patient_variance
from tests.support.runs import NORMS, drawn_runs

Ends = tuple[float, float]
DIFFERENCE = {"batch": 1.0, "group": -1.0}


def between(*groups: np.ndarray, axis: int = -1) -> np.ndarray:
    """Squares between the means of groups, as a statistic for scipy."""
    means = [group.mean(axis=axis) for group in groups]
    sizes = [group.shape[axis] for group in groups]
    whole = sum(m * n for m, n in zip(means, sizes, strict=True)) / sum(sizes)
    return sum(n * (m - whole) ** 2 for m, n in zip(means, sizes, strict=True))


@pytest.mark.parametrize("norms", [NORMS[:2], NORMS])
def test_exchanged_configurations_are_the_reference_s(norms: Sequence[str]) -> None:
    runs = drawn_runs(7, means=(0.8, 0.81, 0.82))
    table = np.array([run.value for run in runs]).reshape(3, 3, 5).mean(axis=2)
    expected = permutation_test(
        list(table[: len(norms)]), between, n_resamples=np.inf, alternative="greater"
    )
    assert permuted(runs, norms).p == pytest.approx(expected.pvalue)
    assert permuted(runs, norms).unit == "configuration"


def test_exchanged_runs_of_one_configuration_each_are_the_reference_s() -> None:
    runs = drawn_runs(8, means=(0.8, 0.81), configs=1, sd=(0, 0.03, 0.01))
    table = np.array([run.value for run in runs]).reshape(2, 5)
    expected = permutation_test(
        list(table), between, n_resamples=np.inf, alternative="greater", permutation_type="samples"
    )
    found = permuted(runs, NORMS[:2])
    assert (found.p, found.unit) == (pytest.approx(expected.pvalue), "run")
    assert found.least == 2 / 2**5


def test_the_least_p_is_that_of_norms_that_lie_apart() -> None:
    far = drawn_runs(7, means=(0.5, 0.7, 0.9))
    found = permuted(far, NORMS)
    assert found.p == found.least == pytest.approx(6 / 1680)
    assert permuted(far, NORMS[:2]).p == pytest.approx(2 / math.comb(6, 3))
    uneven = [run for run in far if (run.norm, run.config) != ("layer", 0)]
    assert permuted(uneven, ("batch", "layer")).least == pytest.approx(1 / math.comb(5, 3))
    many = drawn_runs(8, means=(0.7, 0.9), configs=12, seeds=1)
    one, again = permuted(many, NORMS[:2], 1), permuted(many, NORMS[:2], 1)
    assert one == again
    assert one.p == one.least < 1e-3


def test_exchanging_configurations_finds_as_much_as_promised() -> None:
    tables = [drawn_runs(key, configs=4, sd=(0.02, 0.01, 0.01), missing=6) for key in range(200)]
    found = np.array([permuted(runs, NORMS[:2]).p for runs in tables])
    assert np.mean(found <= 0.1) < 0.1 + 3 * 0.021
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_a_seed_that_a_configuration_lacks_does_not_move_its_mean() -> None:
    runs = drawn_runs(9, sd=(0.01, 0.0, 0.0))
    moved = [run._replace(value=run.value + 0.5 * (run.seed == 0)) for run in runs]
    gap = [run for run in moved if (run.norm, run.config, run.seed) != ("batch", 1, 0)]
    assert permuted(gap, NORMS) == permuted(runs, NORMS)


def shaken(
    runs: list[Run], common: float, norm: float, own: float, count: int = 4000
) -> np.ndarray:
    """(runs, R) values in resamples: what patients add to all, to a norm's runs, to each run."""
    generator = np.random.default_rng(0)
    of = {name: generator.normal(0, norm, count) for name in NORMS}
    moved = np.stack([of[run.norm] for run in runs]) + generator.normal(0, common, count)
    moved += generator.normal(0, own, (len(runs), count))
    return np.array([run.value for run in runs])[:, None] + moved


@pytest.mark.parametrize("configs", [1, 3])
def test_patients_add_what_a_norm_owes_to_them(configs: int) -> None:
    runs = drawn_runs(10, configs=configs)
    assert patient_variance(runs, shaken(runs, 0.05, 0, 0), DIFFERENCE) == pytest.approx(
        0, abs=1e-9
    )
    found = patient_variance(runs, shaken(runs, 0.05, 0.02, 0), DIFFERENCE)
    assert found == pytest.approx(2 * 0.02**2, rel=0.1)
    both = patient_variance(runs, shaken(runs, 0.05, 0.02, 0.03), DIFFERENCE)
    assert both == pytest.approx(2 * 0.02**2, rel=0.15), "runs differ by theirs already"
    alone = patient_variance(runs, shaken(runs, 0.05, 0.02, 0), {"batch": 1.0})
    assert alone == pytest.approx(0.05**2 + 0.02**2, rel=0.1), "of one norm nothing cancels"


def test_resamples_that_lack_a_score_are_few_or_there_is_no_interval() -> None:
    runs = drawn_runs(11)
    draws = shaken(runs, 0, 0.02, 0)
    draws[3, :100] = np.nan
    assert patient_variance(runs, draws, DIFFERENCE) == pytest.approx(2 * 0.02**2, rel=0.1)
    draws[3, :300] = np.nan
    assert math.isnan(patient_variance(runs, draws, DIFFERENCE))
    found = norm_effects(runs, 0.02, draws=draws)
    assert math.isnan(found.differences[0].p)
    assert found.differences[0].verdict == "undecided"
    assert any("undefined in over one in twenty" in note for note in found.notes)


def test_norms_that_suit_these_patients_are_not_found_to_differ_on_others() -> None:
    """Alike in configurations and seeds: on these patients most differ, on others a twentieth."""
    generator = np.random.default_rng(1)
    found = []
    for key in range(200):
        suits = tuple(0.8 + generator.normal(0, 0.01, 3))
        runs = drawn_runs(key, means=suits, sd=(0.002, 0.01, 0.005))
        one = norm_effects(runs, 0.02, draws=shaken(runs, 0.03, 0.01, 0, 300)).differences[0]
        found.append((one.p < 0.05, one.p_same_patients < 0.05))
    with_patients, without = np.mean(found, axis=0)
    assert with_patients == pytest.approx(0.05, abs=3 * 0.0154)
    assert without > 0.5


def test_holm_is_the_reference_s() -> None:
    p = [0.01, 0.04, 0.03, 0.2, math.nan]
    expected = multipletests(p[:4], method="holm")[1]
    found = holm(p)
    assert found[:4] == pytest.approx(list(expected))
    assert math.isnan(found[4])
    assert all(a >= b for a, b in zip(found[:4], false_discovery_control(p[:4]), strict=True))


def test_the_greatest_of_many_cells_is_judged_as_such() -> None:
    generator = np.random.default_rng(0)
    draws = generator.normal(0, 1, (4000, 20))
    alone = np.ones(20)
    alone[3], alone[5] = 2 * t.sf(2.5, 1e6), 2 * t.sf(6, 1e6)
    adjusted = max_t(alone, draws)
    assert adjusted[3] == pytest.approx(1 - (1 - alone[3]) ** 20, abs=0.03)
    assert adjusted[5] < 0.001
    assert (adjusted >= alone).all()
    alone[7] = math.nan
    again = max_t(alone, draws)
    assert math.isnan(again[7])
    assert max_t(alone, draws * 5 + 1) == pytest.approx(again, nan_ok=True), "in spreads of a cell"
    same = np.tile(draws[:, :1], (1, 5))
    copies = max_t(np.full(5, alone[3]), same)
    assert copies == pytest.approx(alone[3], abs=0.01), "five times the same is one"
    still = max_t(np.array([0.0, 0.3]), np.stack([np.zeros(4000), draws[:, 0]], axis=1))
    assert still == pytest.approx([0.0, 0.3], abs=0.02), "what nothing moves is no other's matter"


@pytest.mark.parametrize(
    ("narrow", "wide", "word"),
    [
        ((-0.01, 0.01), (-0.012, 0.012), "equivalent"),
        ((0.002, 0.01), (0.001, 0.012), "equivalent"),
        ((0.03, 0.06), (0.02, 0.07), "better"),
        ((-0.06, -0.03), (-0.07, -0.02), "worse"),
        ((-0.01, 0.05), (-0.02, 0.06), "no worse"),
        ((-0.05, 0.05), (-0.06, 0.06), "undecided"),
        ((math.nan, math.nan), (math.nan, math.nan), "undecided"),
    ],
)
def test_the_word_for_a_difference(narrow: Ends, wide: Ends, word: str) -> None:
    found = verdict(narrow, wide, 0.02)
    assert found == word
    said = in_words(found, "group", "batch", narrow, wide, 0.02)
    assert said.index("group") < said.index("batch")
    assert ("there is a difference" in said) == (word == "equivalent" and wide[0] > 0)
    assert "nan" not in said
    assert said.count(".") >= 1
    assert said.endswith(".")


def test_all_of_it_together() -> None:
    runs = drawn_runs(10, means=(0.8, 0.86, 0.80))
    draws = shaken(runs, 0.02, 0.003, 0.01)
    found = norm_effects(runs, 0.02, "batch", draws)
    assert [one.norm for one in found.norms] == list(NORMS)
    group, layer = found.differences
    assert (group.first, group.second, group.verdict) == ("group", "batch", "better")
    assert group.sentence.startswith("group is better than batch")
    assert group.p_holm == pytest.approx(min(1, 2 * min(group.p, layer.p)))
    assert group.interval[0] < group.narrow[0] < group.difference < group.narrow[1]
    assert group.interval[0] < group.same_patients[0], "other patients are less sure"
    means = {one.norm: one.mean for one in found.norms}
    assert group.difference == pytest.approx(means["group"] - means["batch"])
    for one in found.norms:
        assert one.interval[0] < one.mean < one.interval[1]
    assert found.alike is not None
    assert found.alike.p < 0.05
    assert found.notes == ()
    each = norm_effects(runs, 0.02)
    assert len(each.differences) == 3
    assert not each.patients
    assert each.differences[0].interval == each.differences[0].same_patients


def test_less_is_better_where_it_is() -> None:
    runs = drawn_runs(10, means=(0.8, 0.86, 0.80))
    found = norm_effects(runs, 0.02, "batch", higher_is_better=False).differences[0]
    assert found.verdict == "worse"
    assert found.difference > 0


def test_what_cannot_be_said_is_said_to_be_so() -> None:
    alone = norm_effects([run for run in drawn_runs(11) if run.norm == "batch"], 0.02)
    assert "one norm alone" in alone.notes[0]
    assert alone.alike is None
    assert alone.norms[0].interval[0] < alone.norms[0].mean
    two = norm_effects(drawn_runs(12, seeds=2), 0.02, "batch")
    assert two.notes == ("2 seeds: the spread over seeds is a guess",)
    assert two.differences
    single = norm_effects(drawn_runs(12, configs=4, seeds=1), 0.02, "batch")
    assert single.notes == ("one seed: all that is said holds for it alone",)
    few = [run for run in drawn_runs(13) if run.norm != "layer" or run.config == 0]
    assert "one configuration of layer" in norm_effects(few, 0.02, "batch").notes[0]
    bare = norm_effects(drawn_runs(14, configs=1, seeds=1), 0.02, "batch")
    assert bare.differences == ()
    assert any("no differences" in note for note in bare.notes)
    other = norm_effects(drawn_runs(16), 0.02, "instance")
    assert "no run of the reference, instance" in other.notes[0]
    assert len(other.differences) == 3
    flat = norm_effects([run._replace(value=1.0) for run in drawn_runs(17)], 0.02, "batch")
    assert any("no two runs of a norm differ" in note for note in flat.notes)
    assert flat.differences[0].verdict == "undecided"
    single_flat = [run._replace(value=1.0) for run in drawn_runs(18, configs=1)]
    assert math.isnan(norm_effects(single_flat, 0.02).differences[0].p)
    nothing = norm_effects([], 0.02)
    assert (nothing.norms, nothing.differences) == ((), ())


def test_one_configuration_each_speaks_of_these_configurations() -> None:
    found = norm_effects(drawn_runs(13, means=(0.8, 0.9, 0.8), configs=1), 0.02, "batch")
    assert found.unit == "run"
    assert "holds for these configurations" in found.notes[0]
    assert "this configuration of group is better than this configuration of batch" in (
        found.differences[0].sentence
    )


def test_one_configuration_twice_is_one() -> None:
    runs = drawn_runs(14)
    twin = [run._replace(config="again") for run in runs if run[:2] == ("group", 1)]
    draws = shaken([*runs, *twin], 0.02, 0.01, 0)
    found = norm_effects([*runs, *twin], 0.02, draws=draws)
    once = norm_effects(runs, 0.02, draws=draws[: len(runs)])
    assert found.differences == once.differences
    assert found.norms == once.norms
    assert found.notes == (
        "a configuration counts once that scores as another with every seed: 1 of group",
    )


def test_runs_that_are_missing_are_said_to_be() -> None:
    broken = drawn_runs(15)
    broken[0] = broken[0]._replace(value=math.nan)
    lost = norm_effects(broken, 0.02, "batch")
    assert "1 of 45 runs have no value (batch)" in lost.notes[0]
    assert lost.norms[0].runs == 14
    absent = norm_effects(drawn_runs(15)[2:], 0.02, "batch")
    assert absent.notes == ("runs with a seed that others have are not there: 2 of batch",)
    own = [run._replace(seed=at) for at, run in enumerate(drawn_runs(15, seeds=1, configs=4))]
    assert norm_effects(own, 0.02, "batch").notes == ()
