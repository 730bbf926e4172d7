"""Scores of unequal fidelity meet nowhere: not at a rung, nor in the study, nor in a sampler."""

from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.config.screen import ScreenSettings
from sweep.config.search import SearchSettings
from sweep.core.records import screened
from sweep.search.distributions import distribution_of
from sweep.search.fidelity import Fidelity
from sweep.search.samplers import EPOCH, REACHED, shown
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study
from tests.support.stopping import scheduler_of

SEARCH = SearchSettings(
    trials=8,
    space={"model.norm": {"choice": ["batch", "group"]}, "train.lr": {"log": [1e-4, 1e-2]}},
    sampler="gp",
    scheduler="asha",
    screen=ScreenSettings(),
)
METRIC = SEARCH.objective
EPOCHS = 8  # rungs at 2 and 4, of which the later is scored in full


def scores(screening: float, full: float | None = None) -> dict[str, float]:
    """Of an epoch; without ``full`` it was only screened."""
    found = {screened(METRIC): screening}
    return found if full is None else {**found, METRIC: full}


def test_later_rungs_and_the_end_are_scored_in_full() -> None:
    assert SEARCH.rungs(EPOCHS) == (2, 4)
    assert SEARCH.screening(EPOCHS).full == (4,)
    without = SearchSettings(scheduler="none", screen=ScreenSettings())
    assert without.screening(EPOCHS).full == ()
    own = SearchSettings(scheduler="asha", screen=ScreenSettings(full=(1, 7)))
    assert own.screening(EPOCHS).full == (1, 7)


def test_the_fidelity_of_a_comparison_depends_on_the_epoch_alone() -> None:
    fidelity = Fidelity(SEARCH, EPOCHS)
    assert fidelity(2, scores(0.6)) == {METRIC: 0.6}
    assert fidelity(2, scores(0.6, 0.9)) == {METRIC: 0.6}, "scored in full when it was over"
    assert fidelity(4, scores(0.6, 0.5))[METRIC] == 0.5
    assert fidelity(EPOCHS, scores(0.6, 0.5))[METRIC] == 0.5
    plain = Fidelity(SearchSettings(screen=None), EPOCHS)
    assert plain(2, {METRIC: 0.7}) == {METRIC: 0.7}


def test_a_study_is_told_screenings_on_the_way_and_full_scores_at_the_end(tmp_path: Path) -> None:
    best = {"trial-0000": {METRIC: 0.7}, "trial-0001": scores(0.4)}
    scheduler = scheduler_of(SEARCH, EPOCHS)
    study = Study(tmp_path / "journal", "test", SEARCH, 0)
    fidelity = Fidelity(SEARCH, EPOCHS)
    searcher = StudySearcher(study, METRIC, 8, scheduler, lambda name: best[name], fidelity)
    for name in "xy":
        searcher.suggest(name)
    scheduler.ended_early.add("trial-0001")
    searcher.on_trial_result("x", {"epoch": 1, **scores(0.8)})
    searcher.on_trial_result("x", {"epoch": 4, **scores(0.8, 0.6)})
    searcher.on_trial_complete("x", {"epoch": 8, **scores(0.9, 0.7)})
    searcher.on_trial_complete("y", {"epoch": 2, **scores(0.4)})
    finished, stopped = study.trials()
    assert (finished.state, finished.value) == (TrialState.COMPLETE, 0.7)
    assert finished.intermediate_values == {1: 0.8, 4: 0.6, 8: 0.7}
    assert (stopped.state, stopped.intermediate_values) == (TrialState.PRUNED, {2: 0.4})


def trial(
    reports: dict[int, float], value: float | None = None, objectives: int = 1
) -> FrozenTrial:
    """One that finished with a value, or was stopped."""
    values = None if value is None else [value] * objectives
    two = {f"{EPOCH}{epoch}": [one] * 2 for epoch, one in reports.items()}
    return create_trial(
        state=TrialState.PRUNED if value is None else TrialState.COMPLETE,
        values=values,
        params={"train.lr": 1e-3},
        distributions={"train.lr": distribution_of(SEARCH.dimensions()["train.lr"])},
        intermediate_values=reports if objectives == 1 else {},
        user_attrs={}
        if objectives == 1
        else {**two, REACHED: [max(reports.values(), default=0)] * 2},
    )


@pytest.mark.parametrize("objectives", [1, 2])
def test_a_stopped_trial_came_to_what_the_finished_one_below_it_came_to(objectives: int) -> None:
    """Screenings lie far above full scores here: read as such they would lead the sampler."""
    search = SEARCH
    if objectives == 2:
        search = SearchSettings(
            trials=8,
            space=SEARCH.space,
            sampler="gp",
            objectives=("clean/auroc", "robust/auroc_mean"),
            screen=ScreenSettings(),
        )
    finished = [({2: 0.90}, 0.60), ({2: 0.94}, 0.50), ({2: 0.98}, 0.70)]
    stopped = [{2: 0.91}, {2: 0.97}, {2: 0.99}, {2: 0.80}, {}]
    trials = [trial(*one, objectives=objectives) for one in finished]
    trials += [trial(one, objectives=objectives) for one in stopped]
    seen = shown(trials, search)
    assert {one.state for one in seen} == {TrialState.COMPLETE}
    values = [one.values for one in seen]
    assert values[3:] == [[value] * objectives for value in (0.6, 0.5, 0.7, 0.5, 0.5)]
    assert max(values[3:]) <= max(values[:3]), "none is better than what has finished"


def test_while_none_has_finished_nothing_is_learnt_from_screenings() -> None:
    trials = [trial({2: 0.9}), trial({2: 0.8})]
    assert shown(trials, SEARCH) == trials
