"""What fits the cluster."""

import pytest

from sweep.cluster.session import trials_at_a_time
from sweep.config.sweep import ClusterSettings, Share
from sweep.core.errors import UserError


@pytest.mark.parametrize(
    ("trial", "evaluators", "evaluator", "available", "expected"),
    [
        ((1, 0), 1, (1, 0), (2, 0), 1),
        ((0.5, 0), 1, (1, 0), (2, 0), 2),
        ((1, 0.25), 2, (1, 0.125), (16, 1), 3),
        ((4, 1), 2, (1, 0.5), (64, 8), 7),
        ((0, 0.1), 1, (0, 0.1), (1, 1), 9),
    ],
)
def test_trials_that_fit_beside_the_evaluators(
    trial: tuple[float, float],
    evaluators: int,
    evaluator: tuple[float, float],
    available: tuple[float, float],
    expected: int,
) -> None:
    settings = ClusterSettings(
        trial=Share(cpu=trial[0], gpu=trial[1]),
        evaluators=evaluators,
        evaluator=Share(cpu=evaluator[0], gpu=evaluator[1]),
    )
    assert trials_at_a_time(settings, dict(zip(("cpu", "gpu"), available, strict=True))) == expected


def test_a_limit_below_what_fits_holds() -> None:
    assert trials_at_a_time(ClusterSettings(concurrent=2), {"cpu": 9, "gpu": 0}) == 2
    assert trials_at_a_time(ClusterSettings(concurrent=20), {"cpu": 9, "gpu": 0}) == 8


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        (
            Share(cpu=2),
            r"do not fit .*; received 3 CPU \(trial 2, evaluators 1 x 1\) for a cluster that has 2",
        ),
        (
            Share(cpu=1, gpu=1),
            r"do not fit .*; received 1 GPU \(trial 1, evaluators 1 x 0\) for a cluster that has 0",
        ),
    ],
)
def test_what_never_fits_is_said_with_what_is_missing(trial: Share, message: str) -> None:
    with pytest.raises(UserError, match=message):
        trials_at_a_time(ClusterSettings(trial=trial), {"cpu": 2, "gpu": 0})


def test_threads_are_whole_cpus() -> None:
    assert [Share(cpu=cpu).threads for cpu in (0.25, 1, 2.5, 4)] == [1, 1, 2, 4]
