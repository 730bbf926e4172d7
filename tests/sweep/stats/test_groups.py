"""Scores by group: each is of its own patients, its interval covers, and nothing else moves it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score

from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell, Predictions
from sweep.metrics import metrics
from sweep.metrics.operating import operating_points
from sweep.metrics.summary import score, summarize
from sweep.stats.by_group import ByGroup, Gap, GroupScores, plain
from sweep.stats.checkpoint import intervals_of
from sweep.stats.difference import Answers, differences
from sweep.stats.groups import differences_by_group, part_of, scores_by_group

AUROC = metrics()["auroc"]
CELLS = [CLEAN, Cell("noise", 1), Cell("noise", 5), Cell("motion", 1), Cell("motion", 5)]
SHIFTS = [0.0, -0.2, -0.6, -0.1, -0.9]


def answers(
    sizes: Sequence[int], seed: int = 0, per_patient: int = 3, strength: float = 1.5
) -> tuple[Answers, list[str]]:
    """So many patients of sites A, B, ...; every other one shows the label in all slices."""
    draws = np.random.default_rng(seed)
    patients, groups, keys, truth = [], [], [], []
    values: list[NDArray[np.float64]] = []
    for site, size in zip("ABCDEFGH", sizes, strict=False):
        for number in range(size):
            own = draws.normal(0, 0.7, 1)
            for place in range(per_patient):
                patients.append(f"{site}{number:03}")
                groups.append(site)
                keys.append(f"{site}{number:03}/{place}")
                truth.append([number % 2 == 0])
                values.append(own + draws.normal(0, 0.7, len(CELLS)))
    shown = np.array(truth)
    said = np.array(values) + shown * (strength + np.array(SHIFTS))
    cells = [
        Predictions(cell, said[:, at, None].astype(np.float32)) for at, cell in enumerate(CELLS)
    ]
    return Answers(cells, keys, patients, ["tear"], shown), groups


def by_name(found: ByGroup) -> dict[str, GroupScores]:
    return {one.group: one for one in found.scores}


def gap_of(found: ByGroup, score: str) -> Gap:
    return next(gap for gap in found.gaps if gap.score == score)


def shuffled(of: Answers, groups: Sequence[str], seed: int) -> tuple[Answers, list[str]]:
    order = np.random.default_rng(seed).permutation(len(of.keys))
    return replace(part_of(of, order), points=None), [groups[at] for at in order]


def test_the_one_group_of_all_scores_what_the_checkpoint_does() -> None:
    of, _ = answers([40])
    found = scores_by_group(AUROC, of, ["all"] * len(of.keys), ["all"], "site")
    whole = summarize(score(of.predictions, of.truth, of.labels, of.patients))
    intervals, basis = intervals_of(of.predictions, of.truth, of.labels, of.patients)
    (one,) = found.scores
    assert one.metrics == pytest.approx({name: whole[name] for name in one.metrics})
    assert one.intervals == {name: intervals[name] for name in one.metrics}
    assert (one.basis.patients, one.slices, found.gaps) == (basis.patients, 120, ())


def test_a_group_scores_what_its_slices_score_alone_and_chooses_its_own_worst_cells() -> None:
    of, groups = answers([30, 24])
    found = by_name(scores_by_group(AUROC, of, groups, ["A", "B"], "site"))
    for name in "AB":
        own = part_of(of, np.flatnonzero(np.array(groups) == name))
        alone = summarize(score(own.predictions, own.truth, own.labels, own.patients))
        assert found[name].metrics == pytest.approx(
            {key: alone[key] for key in found[name].metrics}
        )
    assert set(found["A"].metrics) == {
        "clean/auroc",
        "robust/auroc_mean",
        "robust/auroc_worst",
        "robust/auroc_cvar",
    }


def test_no_order_and_no_other_group_changes_what_a_group_scores() -> None:
    of, groups = answers([30, 24, 20])
    first = scores_by_group(AUROC, of, groups, ["A", "B", "C"], "site")
    moved, moved_groups = shuffled(of, groups, 3)
    again = scores_by_group(AUROC, moved, moved_groups, ["C", "A", "B"], "site")
    assert by_name(again) == by_name(first)
    assert sorted(again.gaps) == sorted(first.gaps)
    two = np.array(groups) != "C"
    rest = replace(part_of(of, np.flatnonzero(two)), points=None)
    without = scores_by_group(AUROC, rest, [g for g in groups if g != "C"], ["A", "B"], "site")
    assert by_name(without) == {name: by_name(first)[name] for name in "AB"}


def test_an_operating_point_is_that_of_all_slices() -> None:
    of, groups = answers([30, 24])
    sensitivity = metrics()["sensitivity"]
    found = by_name(scores_by_group(sensitivity, of, groups, ["A", "B"], "site"))
    point = operating_points(of.predictions, of.truth, of.labels)["tear"]
    inside = (np.array(groups) == "B") & of.truth[:, 0]
    named = of.predictions[0].log_odds[inside, 0] >= point
    assert found["B"].metrics["clean/sensitivity"] == pytest.approx(named.mean())


def test_a_perfect_score_of_few_is_no_sure_one() -> None:
    of, groups = answers([30, 24, 24])
    perfect = (np.array(groups) == "B")[:, None]
    surer = [
        replace(one, log_odds=np.where(perfect, np.where(of.truth, 9, -9), one.log_odds))
        for one in of.predictions
    ]
    found = scores_by_group(AUROC, replace(of, predictions=surer), groups, list("ABC"), "site")
    assert by_name(found)["B"].metrics["clean/auroc"] == 1
    assert by_name(found)["B"].intervals == {}, "no patient moves it"
    assert {gap.pairs for gap in found.gaps} == {1}
    assert all({gap.best, gap.worst} == {"A", "C"} for gap in found.gaps)


def test_a_metric_without_intervals_has_values_and_no_gap() -> None:
    of, groups = answers([30, 24])
    found = scores_by_group(metrics()["average_precision"], of, groups, ["A", "B"], "site")
    assert all(one.metrics and not one.intervals for one in found.scores)
    assert found.gaps == ()


def brute_force(
    said: NDArray[np.float32],
    truth: NDArray[np.bool_],
    patients: Sequence[str],
    seed: int,
    resamples: int = 800,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """AUROC, its resamples and its jackknife, with slices of drawn patients written out."""
    names = sorted(set(patients))
    rows = {name: np.flatnonzero(np.array(patients) == name) for name in names}

    def auroc(chosen: Sequence[str]) -> float:
        at = np.concatenate([rows[name] for name in chosen])
        return float(roc_auc_score(truth[at], said[at]))

    draws = np.random.default_rng(seed)
    drawn = np.array([auroc(draws.choice(names, len(names)).tolist()) for _ in range(resamples)])
    without = np.array([auroc([n for n in names if n != name]) for name in names])
    return auroc(names), drawn, without


def expanded(
    drawn: NDArray[np.float64], variances: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The quantiles of resamples where those of t with Welch's degrees of freedom would be."""
    total = sum(variance for variance, _ in variances)
    df = total**2 / sum(variance**2 / own for variance, own in variances)
    tail = norm.cdf(-t.ppf(0.975, df) * math.sqrt(total) / drawn.std())
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def jackknife(without: NDArray[np.float64]) -> tuple[float, float]:
    """Its variance, and the degrees of freedom by the kurtosis."""
    count = len(without)
    centred = without - without.mean()
    kurtosis = count * (centred**4).sum() / (centred**2).sum() ** 2
    return (count - 1) / count * float((centred**2).sum()), 2 * count / (kurtosis - 1)


def test_intervals_of_groups_and_of_their_gap_are_those_of_a_bootstrap_written_out() -> None:
    of, groups = answers([24, 30], per_patient=2)
    found = scores_by_group(AUROC, of, groups, ["A", "B"], "site")
    drawn, spread = {}, {}
    for seed, name in enumerate("AB"):
        rows = np.flatnonzero(np.array(groups) == name)
        patients = [of.patients[row] for row in rows]
        value, drawn[name], without = brute_force(
            of.predictions[0].log_odds[rows, 0], of.truth[rows, 0], patients, seed
        )
        spread[name] = jackknife(without)
        one = by_name(found)[name]
        assert one.metrics["clean/auroc"] == pytest.approx(value)
        # Ends at the .02 quantile of 800 and of 2,000 resamples: chance moves them by .008.
        expected = expanded(drawn[name], [spread[name]])
        assert one.intervals["clean/auroc"] == pytest.approx(expected, abs=0.025)
    gap = gap_of(found, "clean/auroc")
    difference = drawn[gap.best] - drawn[gap.worst]
    expected = expanded(difference, [spread[gap.best], spread[gap.worst]])
    assert gap.interval == pytest.approx(expected, abs=0.03)
    assert gap.pairs == 1


def test_groups_of_the_same_patients_are_paired() -> None:
    of, _ = answers([40], per_patient=2)
    sequences = ["T1", "T2"] * 40
    both = scores_by_group(AUROC, of, sequences, ["T1", "T2"], "sequence")
    assert both.shared == 40
    same = np.repeat(np.arange(0, 80, 2), 2)  # T2 is said what T1 is
    alike = replace(
        of, predictions=[replace(one, log_odds=one.log_odds[same]) for one in of.predictions]
    )
    equal = scores_by_group(AUROC, alike, sequences, ["T1", "T2"], "sequence")
    assert all(gap.difference == 0 and gap.interval == (0, 0) for gap in equal.gaps)
    apart = [f"{patient}-{of_}" for patient, of_ in zip(of.patients, sequences, strict=True)]
    unpaired = scores_by_group(
        AUROC, replace(of, patients=apart), sequences, ["T1", "T2"], "sequence"
    )
    width = {one.shared: np.ptp(gap_of(one, "clean/auroc").interval) for one in (both, unpaired)}
    assert width[40] < width[0], "what makes a patient hard in both cancels"


def test_a_group_of_one_patient_or_of_one_class_has_no_score_and_that_is_said() -> None:
    of, groups = answers([40, 1, 24])
    truth = of.truth.copy()
    truth[np.array(groups) == "C"] = True
    of = replace(of, truth=truth)
    found = by_name(scores_by_group(AUROC, of, groups, ["A", "B", "C"], "site"))
    assert found["A"].intervals
    for name in "BC":
        assert (found[name].metrics, found[name].intervals) == ({}, {})
    assert found["B"].basis.reason == "tear is shown by 1 patient: fewer than 10"
    assert found["C"].basis.reason == "tear is not shown by 0 patients: fewer than 10"


def test_fewer_patients_may_be_asked_for_and_have_no_interval() -> None:
    of, groups = answers([40, 6, 1])
    found = scores_by_group(AUROC, of, groups, ["A", "B", "C"], "site", least=1)
    few = by_name(found)["B"]
    assert few.metrics["clean/auroc"] > 0
    assert few.intervals == {}
    assert by_name(found)["C"].metrics == {}, "one class is no score, whatever is asked for"
    assert found.gaps == (), "there is one group that is sure"
    assert few.basis.reason == "tear is shown by 3 patients: fewer than 10"
    more = by_name(scores_by_group(AUROC, of, groups, ["A", "B", "C"], "site", least=21))
    assert more["A"].metrics == {}
    assert "fewer than 21" in str(more["A"].basis.reason)


def test_a_cell_without_a_value_is_missing_in_its_group_alone() -> None:
    of, groups = answers([30, 24])
    holed = of.predictions[-1].log_odds.copy()
    holed[np.array(groups) == "B"] = np.nan
    of = replace(of, predictions=[*of.predictions[:-1], Predictions(CELLS[-1], holed)])
    found = scores_by_group(AUROC, of, groups, ["A", "B"], "site")
    assert set(by_name(found)["B"].metrics) == {"clean/auroc"}
    assert len(by_name(found)["A"].metrics) == 4
    assert {gap.score for gap in found.gaps} == {"clean/auroc"}
    assert plain(found)["scores"][1]["metrics"]["robust/auroc_cvar"] is None


def test_an_interval_of_a_group_and_of_the_gap_holds_the_truth() -> None:
    """150 studies of two groups of 30 patients."""
    truth = float(norm.cdf(1.5 / math.sqrt(2 * (0.7**2 + 0.7**2))))
    held, apart = [], []
    for seed in range(150):
        of, groups = answers([30, 30], seed, per_patient=2)
        clean = replace(of, predictions=of.predictions[:2])
        found = scores_by_group(AUROC, clean, groups, ["A", "B"], "site", resamples=300)
        for one in found.scores:
            low, high = one.intervals["clean/auroc"]
            held.append(low <= truth <= high)
        low, high = gap_of(found, "clean/auroc").interval
        apart.append(low <= 0 <= high)
    # Of 300 intervals .95 is right to .013 by chance, of 150 to .018: three times that.
    assert 0.91 < np.mean(held) < 0.99
    assert np.mean(apart) > 0.9


def test_the_interval_of_the_greatest_gap_is_wider_the_more_pairs_it_was_chosen_from() -> None:
    of, groups = answers([30] * 4)
    four = scores_by_group(AUROC, of, groups, list("ABCD"), "site")
    gap = gap_of(four, "clean/auroc")
    chosen = np.isin(groups, [gap.best, gap.worst])
    pair = replace(part_of(of, np.flatnonzero(chosen)), points=None)
    own = [group for group in groups if group in (gap.best, gap.worst)]
    two = scores_by_group(AUROC, pair, own, sorted(set(own)), "site")
    alone = gap_of(two, "clean/auroc")
    assert (gap.pairs, alone.pairs) == (6, 1)
    assert gap.difference == pytest.approx(alone.difference)
    assert np.ptp(gap.interval) > 1.2 * np.ptp(alone.interval), "1 - .05 / 6 is .992"


def other_model(of: Answers, groups: Sequence[str], better: str) -> Answers:
    """One that says the same with more noise, but in one group, where it is surer."""
    draws = np.random.default_rng(5)
    inside = (np.array(groups) == better)[:, None]
    sure = np.where(of.truth & inside, 3.0, 0.0).astype(np.float32)
    noise = draws.normal(0, 0.5, of.truth.shape).astype(np.float32)
    return replace(
        of, predictions=[replace(p, log_odds=p.log_odds + noise + sure) for p in of.predictions]
    )


def test_two_models_differ_in_a_group_as_they_do_on_its_slices_alone() -> None:
    of, groups = answers([30, 24])
    other = other_model(of, groups, "B")
    found = differences_by_group(AUROC, other, of, groups, ["A", "B"], "site")
    for one in found.groups:
        rows = np.flatnonzero(np.array(groups) == one.group)
        alone = differences(AUROC, part_of(other, rows), part_of(of, rows))
        assert alone.overall is not None
        for name, expected in {
            "clean/auroc": alone.cells[CLEAN],
            "robust/auroc_mean": alone.overall,
        }.items():
            own = one.differences[name]
            assert (own.one, own.other) == pytest.approx((expected.one, expected.other))
            assert own.interval() == pytest.approx(expected.interval())
            assert own.p == pytest.approx(expected.p)
    for name in ("clean/auroc", "robust/auroc_mean"):
        small, great = sorted(found.groups, key=lambda one: one.differences[name].p)
        p = min(1.0, 2 * small.differences[name].p)
        assert small.p_adjusted[name] == pytest.approx(p)
        assert great.p_adjusted[name] == pytest.approx(max(p, great.differences[name].p))


def test_the_other_way_round_differences_have_the_other_sign_and_gaps_turn_round() -> None:
    of, groups = answers([30, 24])
    other = other_model(of, groups, "B")
    moved, _ = shuffled(of, groups, 2)
    there = differences_by_group(AUROC, other, moved, groups, ["A", "B"], "site")
    back = differences_by_group(AUROC, of, other, groups, ["A", "B"], "site")
    for one, turned in zip(there.groups, back.groups, strict=True):
        for name, difference in one.differences.items():
            assert difference.value == pytest.approx(-turned.differences[name].value)
            assert difference.p == pytest.approx(turned.differences[name].p)
    (gap, _), (turned_gap, _) = there.gaps, back.gaps
    assert (gap.best, gap.worst) == ("B", "A"), "where the other is better by more"
    assert (turned_gap.best, turned_gap.worst) == ("A", "B")
    assert gap.difference == pytest.approx(turned_gap.difference)
    low, high = gap.interval
    assert low > 0, "it is better in one group alone"
    assert high > gap.difference


def test_a_model_does_not_differ_from_itself_in_any_group() -> None:
    of, groups = answers([30, 24])
    found = differences_by_group(AUROC, of, of, groups, ["A", "B"], "site")
    for one in found.groups:
        for difference in one.differences.values():
            assert (difference.value, difference.p) == (0, 1)
    assert all(gap.difference == 0 for gap in found.gaps)


def test_groups_with_too_few_have_no_difference() -> None:
    of, groups = answers([30, 4])
    found = differences_by_group(AUROC, of, of, groups, ["A", "B"], "site")
    assert found.groups[1].differences == {}
    assert found.groups[1].basis.reason == "tear is shown by 2 patients: fewer than 10"
    assert found.gaps == ()


def test_models_that_were_asked_of_other_slices_are_refused() -> None:
    of, groups = answers([30, 24])
    rest = part_of(of, np.arange(30))
    with pytest.raises(UserError, match="the same slices only"):
        differences_by_group(AUROC, of, rest, groups, ["A", "B"], "site")
