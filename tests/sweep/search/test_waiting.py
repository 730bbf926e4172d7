"""Trials that wait for others: whatever the order, and whatever dies meanwhile, the best go on."""

import random
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from sweep.config.search import SearchSettings
from sweep.core.records import EpochRecord
from sweep.search.fidelity import Fidelity
from sweep.search.scheduler import StratifiedScheduler
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study, Suggestion
from tests.support.stopping import METRIC, scheduler_of

EPOCHS = 3
NORMS = ("batch", "group")
SETTINGS = SearchSettings(
    trials=10,
    space={"model.norm": {"choice": list(NORMS)}, "train.lr": {"log": [1e-4, 1e-2]}},
    scheduler="topk",
    keep=2,
    screen=None,
)


class Driver:
    """Plays Tune and the trial log; may die, and is then set up anew from what it has written."""

    def __init__(self, folder: Path, key: int) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.key = folder, key
        self.reported: list[tuple[Suggestion, EpochRecord]] = []
        self.ended: dict[str, str] = {}
        self.epochs: dict[str, list[int]] = {}
        self.start()

    def start(self) -> None:
        self.study = Study(self.folder / "journal", "test", SETTINGS, 0)
        self.scheduler: StratifiedScheduler = scheduler_of(SETTINGS, EPOCHS)
        self.scheduler.replay(self.reported, self.ended)
        self.searcher = StudySearcher(
            self.study,
            METRIC,
            10,
            self.scheduler,
            self.best_metrics,
            Fidelity(SETTINGS, EPOCHS),
            self.leave_out,
        )
        self.running: dict[str, tuple[Suggestion, int]] = {}
        self.handed_out = 0

    def best_metrics(self, trial: str) -> dict[str, float]:
        scores = [one.metrics[METRIC] for _, one in self.reported if one.trial == trial]
        return {METRIC: max(scores)} if scores else {}

    def leave_out(self, trial: str) -> None:
        self.ended[trial] = "left out"

    def value(self, trial: Suggestion, epoch: int) -> float:
        return random.Random(f"{self.key} {trial.number}").random() + epoch / 10

    def play(self, side_by_side: int, dies_after: int | None = None) -> None:
        """Until nothing is left to do, or for so many reports."""
        drawn, reports = random.Random(self.key), 0
        while dies_after is None or reports < dies_after:
            while len(self.running) < side_by_side:
                name = f"tune-{self.handed_out}"
                asked = self.searcher.suggest(name)
                if asked is None or asked == Searcher.FINISHED:
                    break
                self.handed_out += 1
                suggestion = Suggestion.from_tune(asked)
                so_far = self.epochs.setdefault(suggestion.trial, [])
                self.running[name] = suggestion, max(so_far, default=1)
            if not self.running:
                assert asked == Searcher.FINISHED
                return
            self.step(drawn.choice(sorted(self.running)))
            reports += 1

    def step(self, name: str) -> None:
        suggestion, epoch = self.running[name]
        metrics = {METRIC: self.value(suggestion, epoch)}
        result = {"epoch": epoch, **metrics}
        if epoch not in self.epochs[suggestion.trial]:
            at = len(self.reported)
            record = EpochRecord(suggestion.trial, epoch, 1.0, 1.0, at, (), metrics)
            self.reported.append((suggestion, record))
            self.epochs[suggestion.trial].append(epoch)
        stops = self.scheduler.observe(suggestion, epoch, metrics) == "STOP"
        if not stops and epoch < EPOCHS:
            self.searcher.on_trial_result(name, result)
            self.running[name] = suggestion, epoch + 1
            return
        self.searcher.on_trial_complete(name, result)
        del self.running[name]
        if not self.scheduler.waits(suggestion.trial):
            self.ended[suggestion.trial] = "stopped" if stops else "finished"

    def outcome(self) -> dict[str, tuple[str, list[int]]]:
        return {trial: (end, self.epochs[trial]) for trial, end in sorted(self.ended.items())}


@pytest.mark.parametrize("side_by_side", [1, 3, 20])
def test_the_best_of_each_norm_go_on_and_the_others_end(tmp_path: Path, side_by_side: int) -> None:
    driver = Driver(tmp_path, key=side_by_side)
    driver.play(side_by_side)
    trials = [driver.study.suggestion(number) for number in range(10)]
    for norm in NORMS:
        own = [one for one in trials if one.stratum == norm]
        assert len(own) == 5
        best = sorted(own, key=lambda one: driver.value(one, 1))[-2:]
        for one in own:
            expected = ("finished", [1, 2, 3]) if one in best else ("left out", [1])
            assert driver.outcome()[one.trial] == expected
    states = [driver.study.status(number) for number in range(10)]
    assert sorted(set(states)) == ["finished", "pruned"]
    assert states.count("finished") == 4


@pytest.mark.parametrize("dies_after", range(1, 20))
def test_a_driver_that_dies_has_the_same_trials_go_on(tmp_path: Path, dies_after: int) -> None:
    whole, broken = Driver(tmp_path / "whole", 7), Driver(tmp_path / "broken", 7)
    whole.play(3)
    broken.play(3, dies_after)
    for _ in range(2):  # and dies again at once
        broken.start()
        broken.play(3, 1)
    broken.start()
    broken.play(3)
    assert broken.outcome() == whole.outcome()
    assert broken.study.unfinished() == []


def test_a_driver_that_dies_while_it_tells_who_does_not_go_on_tells_the_rest(
    tmp_path: Path,
) -> None:
    whole, broken = Driver(tmp_path / "whole", 5), Driver(tmp_path / "broken", 5)
    whole.play(1)

    def dies(trial: str) -> None:
        broken.ended[trial] = "left out"
        if len(broken.ended) == 2:
            raise KeyboardInterrupt

    broken.searcher.leave_out = dies
    with pytest.raises(KeyboardInterrupt):
        broken.play(1)
    broken.start()
    broken.play(1)
    assert broken.outcome() == whole.outcome()


def test_one_that_waits_is_under_way_in_the_study(tmp_path: Path) -> None:
    driver = Driver(tmp_path, 1)
    driver.play(1, dies_after=4)
    assert len(driver.scheduler.waiting) == 4
    trials = driver.study.trials()[:4]
    assert {trial.state for trial in trials} == {TrialState.RUNNING}
    assert driver.ended == {}
    assert driver.searcher.remaining
