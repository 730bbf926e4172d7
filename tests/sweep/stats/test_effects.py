"""The effect of norms: against a reference and closed forms, at its limits, its false findings."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, t
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.multitest import multipletests

from sweep.stats.effects import norm_effects
from sweep.stats.equivalence import verdict
from sweep.stats.mixed import Run, fit_mixed
from sweep.stats.multiplicity import holm, max_t
from sweep.stats.permutation import permuted
from sweep.stats.two_way import two_way

NORMS = ("batch", "group", "layer")


def drawn(
    key: int,
    *,
    means: tuple[float, ...] = (0.8, 0.8, 0.8),
    configs: int = 3,
    seeds: int = 5,
    sd: tuple[float, float, float] = (0.01, 0.01, 0.01),
) -> list[Run]:
    """Runs of norms: standard deviations of configurations, of seeds and of the rest."""
    generator = np.random.default_rng(key)
    of_seed = generator.normal(0, sd[1], seeds)
    return [
        Run(norm, config, seed, mean + added + of_seed[seed] + generator.normal(0, sd[2]))
        for norm, mean in zip(NORMS, means, strict=False)
        for config in range(configs)
        for added in [generator.normal(0, sd[0])]
        for seed in range(seeds)
    ]


def reference(runs: list[Run]) -> tuple[dict[str, float], np.ndarray]:
    """Means and covariance of statsmodels, all of it in one group with crossed components."""
    frame = pd.DataFrame(runs)
    frame["unit"] = frame["norm"] + frame["config"].astype(str)
    parts = {"unit": "0 + C(unit)", "seed": "0 + C(seed)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixedLM.from_formula(
            "value ~ 0 + C(norm)", frame, groups=np.ones(len(frame)), vc_formula=parts
        ).fit(reml=True, method=["powell", "lbfgs"])
    return dict(zip(sorted(set(frame["norm"])), fit.fe_params, strict=True)), fit.cov_params()


@pytest.mark.parametrize("missing", [0, 9])
@pytest.mark.parametrize("key", [1, 2])
def test_means_and_errors_are_the_reference_s(key: int, missing: int) -> None:
    runs = drawn(key, means=(0.8, 0.82, 0.85), sd=(0.02, 0.015, 0.01))
    left = np.random.default_rng(key).permutation(len(runs))[missing:]
    runs = [runs[at] for at in sorted(left)]
    means, covariance = reference(runs)
    fitted = fit_mixed(runs)
    assert fitted.means == pytest.approx([means[norm] for norm in fitted.norms], abs=2e-4)
    expected = np.asarray(covariance)[:3, :3]
    found = fitted.contrast("batch", "layer").error ** 2
    weights = np.array([1, 0, -1])
    assert found == pytest.approx(weights @ expected @ weights, rel=0.02)


def test_of_a_balanced_table_it_is_the_analysis_of_variance() -> None:
    runs = drawn(4, means=(0.8, 0.85, 0.9), sd=(0.03, 0.01, 0.01))
    table = np.array([run.value for run in runs]).reshape(3, 3, 5)
    centres = table.mean(axis=2)
    squares = centres.var(axis=1, ddof=1).mean()
    found = fit_mixed(runs).contrast("layer", "batch")
    assert found.difference == pytest.approx(centres[2].mean() - centres[0].mean())
    assert found.error == pytest.approx(math.sqrt(2 * squares / 3), rel=1e-3)
    assert found.df == pytest.approx(6, rel=0.02), "of nine configurations, three means"
    assert found.p == pytest.approx(2 * t.sf(found.difference / found.error, found.df))


def test_a_seed_that_all_share_moves_no_difference() -> None:
    runs = drawn(5)
    moved = [run._replace(value=run.value + (0.3 if run.seed == 2 else 0)) for run in runs]
    one, other = (fit_mixed(of).contrast("batch", "group") for of in (runs, moved))
    assert one.difference == pytest.approx(other.difference, abs=1e-9)
    assert one.error == pytest.approx(other.error, rel=0.02)


def test_without_any_spread_of_configurations_runs_are_the_units() -> None:
    runs = drawn(6, sd=(0, 0.01, 0.01), configs=4, seeds=6)
    flat = [
        run._replace(
            value=run.value
            - np.mean([r.value for r in runs if (r.norm, r.config) == (run.norm, run.config)])
            + 0.8
        )
        for run in runs
    ]
    fitted = fit_mixed(flat)
    assert fitted.variances[0] == pytest.approx(0, abs=1e-8)
    assert fitted.contrast("batch", "group").df > 30


def test_false_findings_are_as_many_as_promised() -> None:
    """A twentieth, more by what 60 tables leave to chance; benchmarks/norm_effect.py has more."""
    alike = [drawn(key, sd=(0.02, 0.01, 0.01)) for key in range(60)]
    found = [fit_mixed(runs).contrast("batch", "group").p < 0.05 for runs in alike]
    assert np.mean(found) < 0.05 + 3 * 0.028
    table = [drawn(key, means=(0.8, 0.86, 0.8), sd=(0.01, 0.01, 0.01)) for key in range(20)]
    power = [fit_mixed(runs).contrast("batch", "group").p < 0.05 for runs in table]
    assert np.mean(power) > 0.9


def test_exchanging_configurations() -> None:
    runs = drawn(7, means=(0.8, 0.9), configs=5, sd=(0.005, 0.02, 0.005))
    found = permuted(runs, "batch", "group")
    assert found.p == found.least == pytest.approx(2 / math.comb(10, 5))
    alike = [permuted(drawn(key, configs=4, seeds=2), "batch", "group").p for key in range(150)]
    assert np.mean(np.array(alike) <= 0.1) < 0.1 + 3 * 0.025
    assert np.mean(alike) == pytest.approx(0.5, abs=0.08)
    many = drawn(8, means=(0.8, 0.9), configs=12, seeds=1)
    one, again = permuted(many, "batch", "group", 1), permuted(many, "batch", "group", 1)
    assert one == again
    assert one.p == one.least < 1e-3


def test_the_two_way_bootstrap_has_all_three_spreads() -> None:
    runs = drawn(9, configs=6, seeds=8, sd=(0.02, 0.0, 0.0))
    values = np.array([run.value for run in runs])
    still = np.tile(values[:, None], (1, 4000))
    found = two_way(runs, still)["batch"]
    centres = values[:48].reshape(6, 8).mean(axis=1)
    assert found.std() == pytest.approx(centres.std() / math.sqrt(6), rel=0.05)
    patients = np.random.default_rng(0).normal(0, 0.05, 4000)
    wider = two_way(runs, still + patients)["batch"]
    assert wider.var() == pytest.approx(found.var() + 0.05**2, rel=0.1)
    difference = two_way(runs, still + patients)
    apart = difference["batch"] - difference["group"]
    assert apart.std() < wider.std(), "what is hard for both is hard for both"


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
    values = np.zeros(20)
    values[3], values[5] = 2.5, 6.0
    adjusted = max_t(values, draws + values, np.ones(20))
    alone = 2 * t.sf(2.5, 1e6)
    assert adjusted[3] == pytest.approx(1 - (1 - alone) ** 20, abs=0.03)
    assert adjusted[5] < 0.001
    values[7] = math.nan
    again = max_t(values, draws + values, np.ones(20))
    assert math.isnan(again[7])
    copies = max_t(np.full(5, 2.5), np.tile(draws[:, :1] + 2.5, (1, 5)), np.ones(5))
    assert copies == pytest.approx(alone, abs=0.01), "five times the same is one"


@pytest.mark.parametrize(
    ("narrow", "wide", "word"),
    [
        ((-0.01, 0.01), (-0.012, 0.012), "equivalent"),
        ((0.03, 0.06), (0.02, 0.07), "better"),
        ((-0.06, -0.03), (-0.07, -0.02), "worse"),
        ((-0.01, 0.05), (-0.02, 0.06), "no worse"),
        ((-0.05, 0.05), (-0.06, 0.06), "undecided"),
        ((math.nan, math.nan), (math.nan, math.nan), "undecided"),
    ],
)
def test_the_word_for_a_difference(
    narrow: tuple[float, float], wide: tuple[float, float], word: str
) -> None:
    assert verdict(narrow, wide, 0.02) == word


def test_all_of_it_together() -> None:
    runs = drawn(10, means=(0.8, 0.86, 0.80), sd=(0.01, 0.01, 0.01))
    draws = np.array([run.value for run in runs])[:, None] + np.zeros((1, 500))
    found = norm_effects(runs, 0.02, "batch", draws)
    assert [one.norm for one in found.norms] == list(NORMS)
    group, layer = found.differences
    assert (group.first, group.second, group.verdict) == ("group", "batch", "better")
    assert group.p_holm == pytest.approx(min(1, 2 * min(group.p, layer.p)))
    assert group.interval[0] < group.narrow[0] < group.difference < group.narrow[1]
    assert group.two_way[0] < group.difference < group.two_way[1]
    assert found.notes == ()
    each = norm_effects(runs, 0.02)
    assert len(each.differences) == 3
    assert math.isnan(each.norms[0].interval[0])


def test_what_cannot_be_said_is_said_to_be_so() -> None:
    alone = [run for run in drawn(11) if run.norm == "batch"]
    assert "one norm alone" in norm_effects(alone, 0.02).notes[0]
    two = norm_effects(drawn(12, seeds=2), 0.02, "batch")
    assert two.notes == ("2 seeds: the spread over seeds is a guess",)
    assert two.differences
    one = norm_effects(drawn(13, configs=1), 0.02, "batch")
    assert "one configuration of batch, group, layer" in one.notes[0]
    bare = norm_effects(drawn(14, configs=1, seeds=1), 0.02, "batch")
    assert bare.differences == ()
    assert any("no differences" in note for note in bare.notes)
    broken = drawn(15)
    broken[0] = broken[0]._replace(value=math.nan)
    lost = norm_effects(broken, 0.02, "batch")
    assert "1 of 45 runs have no value (batch)" in lost.notes[0]
    assert lost.norms[0].runs == 14
    other = norm_effects(drawn(16), 0.02, "instance")
    assert "no run of the reference, instance" in other.notes[0]
    assert len(other.differences) == 3
