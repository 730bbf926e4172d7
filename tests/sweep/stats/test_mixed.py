"""The mixed model: against a reference and closed forms, at its limits, its false findings."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_ind, ttest_rel
from statsmodels.regression.mixed_linear_model import MixedLM

from sweep.stats.mixed import Measured, Run, fit_mixed
from tests.support.runs import drawn_runs


def reference(runs: list[Run]) -> tuple[list[float], np.ndarray, list[float]]:
    """Means, their covariance and variances of statsmodels: one group with crossed components."""
    frame = pd.DataFrame(runs)
    frame["unit"] = frame["norm"] + frame["config"].astype(str)
    frame["own"] = frame["norm"] + frame["seed"].astype(str)
    parts = {"unit": "0 + C(unit)", "seed": "0 + C(seed)", "own": "0 + C(own)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixedLM.from_formula(
            "value ~ 0 + C(norm)", frame, groups=np.ones(len(frame)), vc_formula=parts
        ).fit(reml=True, method=["powell", "lbfgs"])
    of = dict(zip(fit.model.exog_vc.names, fit.vcomp, strict=True))
    return (
        list(fit.fe_params),
        np.asarray(fit.cov_params()),
        [
            *(of[name] for name in parts),
            fit.scale,
        ],
    )


@pytest.mark.parametrize("missing", [0, 9])
@pytest.mark.parametrize("key", [1, 2])
def test_means_errors_and_variances_are_the_reference_s(key: int, missing: int) -> None:
    runs = drawn_runs(
        key, means=(0.8, 0.82, 0.85), sd=(0.02, 0.02, 0.01), by_norm=0.015, missing=missing
    )
    means, covariance, variances = reference(runs)
    fitted = fit_mixed(runs)
    assert fitted.norms == ("batch", "group", "layer")
    assert fitted.means == pytest.approx(means, abs=2e-4)
    assert fitted.variances == pytest.approx(variances, rel=0.03, abs=1e-6)
    weights = np.array([1, 0, -1])
    expected = weights @ covariance[:3, :3] @ weights
    assert fitted.contrast("batch", "layer").error ** 2 == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("by_norm", [0.0, 0.02])
@pytest.mark.parametrize("sd", [0.0, 0.005, 0.03])
def test_of_a_complete_table_it_is_the_analysis_of_variance(sd: float, by_norm: float) -> None:
    """Also where configurations differ by less than the rest would make them differ."""
    below, left_out = 0, 0
    for key in range(40):
        runs = drawn_runs(key, means=(0.8, 0.85, 0.9), sd=(sd, 0.05, 0.01), by_norm=by_norm)
        table = np.array([run.value for run in runs]).reshape(3, 3, 5)
        norms, units = table.mean(axis=(1, 2)), table.mean(axis=2)
        own = table.mean(axis=1) - norms[:, None]
        own_only = own - own.mean(axis=0)
        between = 5 * units.var(axis=1, ddof=1).mean()
        by_seed = 3 * (own_only**2).sum() / 8
        off = table - units[..., None] - own[:, None]
        rest = (off**2).sum() / 24
        left_out += by_seed < rest
        if by_seed < rest:
            rest = ((off**2).sum() + 8 * by_seed) / 32
        if between < 0.15 * rest:
            continue  # as good as no difference between configurations: taken for a tenth of it
        below += between < rest
        error, df = between, 6.0
        if by_seed > rest:
            error = between + by_seed - rest
            df = error**2 / (between**2 / 6 + by_seed**2 / 8 + rest**2 / 24)
        fitted = fit_mixed(runs)
        found = fitted.contrast("layer", "batch")
        assert found.value == pytest.approx(norms[2] - norms[0])
        assert found.error == pytest.approx(math.sqrt(2 * error / 15), rel=1e-3)
        assert found.df == pytest.approx(max(1, df), rel=0.01), "one at least"
        assert found.p == pytest.approx(2 * t.sf(found.value / found.error, found.df))
        assert fitted.variances[0] == pytest.approx(max(0, between - rest) / 5, rel=0.02, abs=1e-6)
    assert below > 5 or sd > 0
    assert left_out > 5 or by_norm > 0


def test_of_one_seed_it_is_the_t_test() -> None:
    runs = drawn_runs(3, means=(0.8, 0.83), configs=4, seeds=1)
    fitted = fit_mixed(runs)
    one, two = ([run.value for run in runs if run.norm == norm] for norm in ("batch", "group"))
    expected = ttest_ind(one, two)
    found = fitted.contrast("batch", "group")
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert np.isnan(fitted.variances[:3]).all(), "a run is a configuration and a seed at once"


def test_of_one_configuration_it_is_the_paired_t_test() -> None:
    runs = drawn_runs(3, means=(0.8, 0.81), configs=1, sd=(0, 0.05, 0.005))
    one, two = ([run.value for run in runs if run.norm == norm] for norm in ("batch", "group"))
    expected = ttest_rel(one, two)
    found = fit_mixed(runs).contrast("batch", "group")
    assert found.p == pytest.approx(expected.pvalue, rel=1e-3)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-3)


def test_a_seed_that_all_share_moves_no_difference() -> None:
    runs = drawn_runs(5)
    moved = [run._replace(value=run.value + (0.3 if run.seed == 2 else 0)) for run in runs]
    one, other = (fit_mixed(of).contrast("batch", "group") for of in (runs, moved))
    assert other == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("missing", [0, 9])
def test_another_scale_and_another_order_change_nothing(missing: int) -> None:
    runs = drawn_runs(6, missing=missing)
    one = fit_mixed(runs).contrast("batch", "group")
    scaled = [run._replace(value=3 - 100 * run.value) for run in runs]
    other = fit_mixed(scaled).contrast("batch", "group")
    assert other == pytest.approx((-100 * one.value, 100 * one.error, one.df), rel=1e-3)
    turned = fit_mixed(runs[::-1]).contrast("batch", "group")
    assert turned == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("sd", [(0.3, 0.0, 1e-3), (0.0, 0.3, 1e-3), (0.0, 0.0, 0.1)])
def test_one_spread_may_be_all_there_is(sd: tuple[float, float, float]) -> None:
    runs = drawn_runs(7, configs=12, seeds=12, sd=sd)
    variances = fit_mixed(runs).variances
    found = np.sqrt(variances[[0, 1, 3]])
    for part, true in zip(found, sd, strict=True):
        assert part == pytest.approx(true, rel=0.5, abs=0.2 * max(sd))
    assert found[2] == pytest.approx(sd[2], rel=0.2)
    assert variances[2] < 0.1 * max(sd) ** 2


def test_as_many_runs_as_norms_have_no_spread() -> None:
    with pytest.raises(ValueError, match="no more runs than norms"):
        fit_mixed(drawn_runs(8, configs=1, seeds=1))


def test_a_norm_with_one_run_is_compared_by_the_spread_of_the_others() -> None:
    runs = [r for r in drawn_runs(9) if r.norm != "layer" or (r.config, r.seed) == (0, 0)]
    fitted = fit_mixed(runs)
    alone, others = fitted.contrast("layer", "batch"), fitted.contrast("group", "batch")
    assert alone.error > others.error
    assert 0 < alone.p < 1


def test_seeds_that_change_nothing_leave_configurations() -> None:
    runs = drawn_runs(10, sd=(0.01, 0, 0))
    one = fit_mixed([run for run in runs if run.seed == 0]).contrast("group", "batch")
    assert fit_mixed(runs).contrast("group", "batch") == one
    gap = fit_mixed(runs[:-3]).contrast("group", "batch")
    assert gap == one


def test_runs_that_are_all_alike_tell_no_spread() -> None:
    alike = [run._replace(value=0.9 if run.norm == "batch" else 1.0) for run in drawn_runs(10)]
    found = fit_mixed(alike).contrast("group", "batch")
    assert found.value == pytest.approx(0.1)
    assert math.isnan(found.p)
    assert all(map(math.isnan, found.interval()))


def test_false_findings_are_as_many_as_promised_of_tables_with_gaps() -> None:
    """A twentieth, more and less by what 300 tables leave to chance: 3 standard errors."""
    spreads = (0.0, 0.005, 0.02)
    tables = [
        drawn_runs(key, sd=(spreads[key % 3], 0.01, 0.01), by_norm=0.01, missing=9)
        for key in range(300)
    ]
    found = [fit_mixed(runs).contrast("batch", "group").p < 0.05 for runs in tables]
    assert np.mean(found) == pytest.approx(0.05, abs=3 * 0.0126)
    tables = [drawn_runs(key, means=(0.8, 0.86, 0.8)) for key in range(40)]
    power = [fit_mixed(runs).contrast("batch", "group").p < 0.05 for runs in tables]
    assert np.mean(power) > 0.9


def test_one_more_variance_widens_and_has_its_share_of_the_freedom() -> None:
    one = Measured(0.05, 0.03, 6)
    wider = one.widened(0.04**2)
    assert wider.error == pytest.approx(0.05)
    assert wider.df == pytest.approx(6 * (25 / 9) ** 2)
    assert one.widened(0) == pytest.approx(one)
    assert math.isnan(one.widened(math.nan).p)
