"""What a sweep has used: added up over runs of the driver, and lost but for seconds by none."""

from contextlib import suppress

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.results.folder import SweepFolder
from sweep.results.trials import TrialLog
from sweep.results.usage import WRITE_EVERY_S, Reached, Usage, said_of_limit

STEP_S = 0.25  # between two looks of the driver
HOUR_S = 3600


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def with_limits(config: SweepConfig, **limits: float) -> SweepConfig:
    """Trials that take a quarter of a GPU, two evaluators that take half of one each."""
    shares = {"cluster.trial.gpu": 0.25, "cluster.evaluator.gpu": 0.5, "cluster.evaluators": 2}
    return config.replace({**shares, **{f"search.limits.{k}": v for k, v in limits.items()}})


def work(usage: Usage, now: Clock, seconds: float) -> None:
    """A driver that looks at the clock at every step."""
    for _ in range(round(seconds / STEP_S)):
        now.time += STEP_S
        usage.look()


def test_time_adds_up_over_runs_and_an_interruption_loses_none(
    folder: SweepFolder, config: SweepConfig
) -> None:
    now = Clock()
    for run in range(1, 4):
        usage = Usage(folder, config, now)
        now.time += 1000  # starting up
        with suppress(KeyboardInterrupt), usage.counting():
            work(usage, now, 6.5)
            raise KeyboardInterrupt
        assert folder.time_used() == pytest.approx((6.5 * run, 0))


def test_a_kill_loses_a_few_seconds_at_most(folder: SweepFolder, config: SweepConfig) -> None:
    now = Clock()
    usage = Usage(folder, config, now)
    with usage.counting():
        for step in range(1, 100):
            work(usage, now, STEP_S)
            lost = step * STEP_S - folder.time_used()[0]
            assert 0 <= lost < WRITE_EVERY_S


def test_gpu_time_is_the_shares_that_are_held_times_that_time(
    folder: SweepFolder, config: SweepConfig
) -> None:
    now = Clock()
    usage = Usage(folder, with_limits(config), now)
    with usage.counting():
        work(usage, now, 10)  # two evaluators of half a GPU each
        usage.started("trial-0000")
        work(usage, now, 10)
        usage.started("trial-0001")
        usage.started("trial-0001")  # its worker died, and it goes on
        work(usage, now, 10)
        usage.ended("trial-0000")
        usage.ended("trial-0001")
    assert folder.time_used() == pytest.approx((30, 30 * 1.0 + 10 * 0.25 + 10 * 0.5))


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"hours": 10 / HOUR_S}, "hours"),
        ({"gpu_hours": 10 / HOUR_S}, "gpu_hours"),
        ({"hours": 20 / HOUR_S, "gpu_hours": 10 / HOUR_S}, "gpu_hours"),
    ],
)
def test_a_limit_is_reached_when_it_is_used_up_and_stays_so(
    folder: SweepFolder, config: SweepConfig, limits: dict[str, float], name: str
) -> None:
    now, limited = Clock(), with_limits(config, **limits)
    usage = Usage(folder, limited, now)
    with usage.counting():
        work(usage, now, 9.75)
        assert usage.reached() is None
        work(usage, now, 0.5)
        reached = usage.reached()
    assert reached is not None
    assert reached.name == name
    assert reached.used >= reached.limit
    assert Usage(folder, limited).reached() == reached
    assert Usage(folder, config).reached() is None


def test_epochs_are_those_in_the_folder_and_none_counts_twice(
    folder: SweepFolder, config: SweepConfig
) -> None:
    before = sum(len(folder.epochs(trial.trial)) for trial in folder.trials())
    usage = Usage(folder, with_limits(config, epochs=before + 2))
    usage.reported("trial-0000", 2)  # again, as it goes on after an interruption
    usage.reported("trial-0002", 1)
    assert usage.reached() is None
    usage.reported("trial-0002", 2)
    assert usage.reached() == Reached("epochs", before + 2, before + 2)


def test_a_sweep_of_an_earlier_version_begins_to_count(
    folder: SweepFolder, config: SweepConfig
) -> None:
    assert folder.time_used() == (0, 0)
    assert Usage(folder, with_limits(config, hours=1)).reached() is None


def test_a_file_that_somebody_has_changed_is_said(folder: SweepFolder, config: SweepConfig) -> None:
    (folder.path / "used.json").write_text('{"seconds": 3')
    with pytest.raises(UserError, match=r"cannot be read; received .*used.json' .* or remove it"):
        Usage(folder, config)


def test_the_sentence_says_what_each_norm_had_and_how_to_go_on(
    folder: SweepFolder, config: SweepConfig
) -> None:
    search = with_limits(config.replace({"search.trials": 6}), epochs=4).search
    said = said_of_limit(
        Reached("epochs", 4, 5), folder, search, {"trial-0000": 3, "trial-0001": 2}
    )
    assert said == (
        "search.limits.epochs is reached, 5 of 4 epochs are used (epochs: batch 3, group 2); 0 "
        "trials interrupted and 4 not begun are left; to go on: mrisweep resume "
        f"{folder.path} --limit epochs=8"
    )


def test_a_sweep_with_a_trial_under_way_or_not_begun_is_not_whole(folder: SweepFolder) -> None:
    def whole(total: int) -> bool:
        with TrialLog(folder, "robust/auroc_cvar", total=total) as trial_log:
            return trial_log.is_whole()

    assert whole(2)
    assert not whole(3)
    with TrialLog(folder, "robust/auroc_cvar") as trial_log:
        trial_log.began("trial-0002", 2, {"model.norm": "batch"}, "batch", 0)
    assert not whole(3)
