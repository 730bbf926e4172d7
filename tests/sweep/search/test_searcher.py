"""The searcher: every trial ends in the study as what it was."""

import math
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from sweep.config.search import SearchSettings
from sweep.core.failures import Failure
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion
from tests.support.stopping import scheduler_of

SETTINGS = SearchSettings(
    trials=4,
    space={"model.norm": {"choice": ["batch", "group"]}, "train.lr": {"log": [1e-4, 1e-2]}},
    scheduler="asha",
    screen=None,
)
METRIC = SETTINGS.objective
BEST: dict[str, dict[str, float]] = {}  # what the trial log says of each trial


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    BEST.clear()


def searcher(
    folder: Path, scheduler: StratifiedScheduler | None = None, total: int = 4
) -> StudySearcher:
    study = Study(folder / "journal", "test", SETTINGS, 0)
    fidelity = Fidelity(SETTINGS, epochs=8)
    return StudySearcher(
        study, METRIC, total, scheduler, lambda trial: BEST.get(trial, {}), fidelity
    )


def run(asking: StudySearcher, trial_id: str, values: list[float]) -> None:
    """Report as Tune does: the last result comes with the trial's end and not before."""
    trial = asking.running[trial_id].trial
    for epoch, value in enumerate(values, start=1):
        if math.isfinite(value):
            best = BEST.get(trial, {}).get(METRIC, -math.inf)
            BEST[trial] = {METRIC: max(value, best)}
        result = {"epoch": epoch, METRIC: value}
        if epoch < len(values):
            asking.on_trial_result(trial_id, result)
        else:
            asking.on_trial_complete(trial_id, result)
    if not values:
        asking.on_trial_complete(trial_id, {})


def states(asking: StudySearcher) -> list[TrialState]:
    return [trial.state for trial in asking.study.trials()]


def test_a_trial_that_ends_by_itself_is_complete_with_its_best_epoch(tmp_path: Path) -> None:
    asking = searcher(tmp_path)
    asking.suggest("x")
    run(asking, "x", [0.6, 0.8, 0.7])
    trial = asking.study.trials()[0]
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.8)
    assert trial.intermediate_values == {1: 0.6, 2: 0.8, 3: 0.7}


@pytest.mark.parametrize("values", [[], [math.nan], [math.nan, math.inf]])
def test_a_trial_that_diverged_is_pruned_without_a_report(
    tmp_path: Path, values: list[float]
) -> None:
    asking = searcher(tmp_path)
    asking.suggest("x")
    run(asking, "x", values)
    (trial,) = asking.study.trials()
    assert (trial.state, trial.value) == (TrialState.PRUNED, None)
    assert trial.user_attrs["epochs"] == len(values)


@pytest.mark.parametrize("objectives", [(), ("clean/auroc", METRIC)])
def test_a_trial_without_a_score_but_of_screenings_is_pruned(
    tmp_path: Path, objectives: tuple[str, ...]
) -> None:
    """It diverged in the very cells that the screening leaves out."""
    settings = SearchSettings(space=SETTINGS.space, trials=4, objectives=objectives)
    study = Study(tmp_path / "journal", "test", settings, 0)
    of_screening = {f"screen/{METRIC}": 0.7, "screen/clean/auroc": 0.8}
    asking = StudySearcher(
        study, settings.objective, 4, None, lambda _: of_screening, Fidelity(settings, epochs=8)
    )
    asking.suggest("a")
    asking.on_trial_complete("a", {"epoch": 1, **of_screening})
    assert states(asking) == [TrialState.PRUNED]
    assert asking.study.trials()[0].user_attrs["epochs"] == 1


def test_the_epoch_that_ends_a_trial_counts(tmp_path: Path) -> None:
    asking = searcher(tmp_path)
    asking.suggest("x")
    run(asking, "x", [0.6, 0.7, 0.9])
    assert asking.study.trials()[0].value == 0.9


def fail(asking: StudySearcher, trial_id: str, how: str) -> None:
    """As Tune says it, of a worker that died and of one that says why."""
    if how == "died":
        asking.on_trial_complete(trial_id, error=True)
    else:
        told = Failure("raised", "of itself").to_result()
        asking.on_trial_complete(trial_id, {METRIC: math.nan, **told})


@pytest.mark.parametrize("how", ["died", "said"])
def test_an_error_is_a_failure_whatever_was_reported(tmp_path: Path, how: str) -> None:
    asking = searcher(tmp_path)
    asking.suggest("x")
    asking.on_trial_result("x", {"epoch": 1, METRIC: 0.8})
    fail(asking, "x", how)
    assert states(asking) == [TrialState.RUNNING], "it may be tried again"
    asking.fails("trial-0000")
    assert states(asking) == [TrialState.FAIL]
    assert asking.study.trials()[0].user_attrs["epochs"] == 1


@pytest.mark.parametrize("how", ["died", "said"])
def test_what_is_tried_again_comes_first_and_with_its_changes(tmp_path: Path, how: str) -> None:
    asking = searcher(tmp_path, total=2)
    asking.changed = lambda trial: {"train.batch_size": 8} if trial == "trial-0000" else {}
    before = Suggestion.from_tune(asking.suggest("x"))
    fail(asking, "x", how)
    asking.again("trial-0000")
    again = Suggestion.from_tune(asking.suggest("y"))
    assert again == before
    assert again.params["train.batch_size"] == 8
    run(asking, "y", [0.7])
    assert states(asking) == [TrialState.COMPLETE]


def test_as_long_as_one_runs_it_may_have_to_be_tried_again(tmp_path: Path) -> None:
    asking = searcher(tmp_path, total=1)
    asking.suggest("x")
    assert asking.suggest("y") is None
    fail(asking, "x", "died")
    asking.again("trial-0000")
    assert asking.suggest("y")["trial"] == "trial-0000"
    run(asking, "y", [0.7])
    assert asking.suggest("z") == Searcher.FINISHED


def test_an_early_stop_is_pruned(tmp_path: Path) -> None:
    scheduler = scheduler_of(SETTINGS, epochs=4)
    asking = searcher(tmp_path, scheduler)
    suggestion = Suggestion.from_tune(asking.suggest("x"))
    for number in range(1, 4):
        other = Suggestion(f"other-{number}", number, {}, suggestion.stratum)
        scheduler.observe(other, 1, {METRIC: 0.9})
    scheduler.observe(suggestion, 1, {METRIC: 0.1})
    run(asking, "x", [0.1])
    assert states(asking) == [TrialState.PRUNED]
    assert asking.study.trials()[0].value == 0.1, "what it had reached is known to the sampler"


def test_no_trial_beyond_the_total_is_handed_out(tmp_path: Path) -> None:
    asking = searcher(tmp_path, total=2)
    keys = [asking.suggest(name)["trial"] for name in "xy"]
    assert keys == ["trial-0000", "trial-0001"]
    assert asking.suggest("z") is None, "no trial more, but one of these may be tried again"
    for name in "xy":
        run(asking, name, [0.7])
    assert asking.suggest("z") == Searcher.FINISHED


def test_after_a_crash_the_lost_trial_comes_first_then_the_missing_ones(tmp_path: Path) -> None:
    before = searcher(tmp_path)
    first, lost = before.suggest("x"), before.suggest("y")
    run(before, "x", [0.7])
    after = searcher(tmp_path)
    assert after.remaining
    handed = [after.suggest(name) for name in "abc"]
    assert handed[0] == lost
    assert first["trial"] not in [suggestion["trial"] for suggestion in handed]
    for name in "abc":
        run(after, name, [0.5])
    assert states(after) == [TrialState.COMPLETE] * 4
