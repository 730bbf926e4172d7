"""What check says of a cluster."""

import pytest

from sweep.cluster.nodes import Cluster
from sweep.cluster.survey import busy, surveyed
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError
from tests.support.nodes import cluster_with

TWO = cluster_with({"CPU": 4}, {"CPU": 8, "GPU": 1.0})


@pytest.mark.parametrize(
    ("asked", "cluster", "trials", "lines"),
    [
        (
            ClusterSettings(trial=Share(cpu=4), evaluator=Share(gpu=1)),
            TWO,
            2,
            [
                "1 node of 4 CPU and 1 node of 8 CPU, 1 GPU; evaluators on 10.0.0.2, 2 trials at "
                "a time beside them"
            ],
        ),
        (
            ClusterSettings(),
            TWO,
            11,
            [
                "1 node of 4 CPU and 1 node of 8 CPU; evaluators on 10.0.0.2, 11 trials at a time "
                "beside them",
                "1 GPU stays idle, as neither a trial nor an evaluator takes one: set "
                "cluster.trial.gpu and cluster.evaluator.gpu",
            ],
        ),
        (
            ClusterSettings(trial=Share(gpu=0.4), evaluator=Share(gpu=0.4)),
            cluster_with({"CPU": 8, "GPU": 2.0}),
            3,
            [
                "1 node of 8 CPU, 2 GPU; evaluators on 10.0.0.1, 3 trials at a time beside them",
                "0.2 of 2 GPUs stays idle, as shares of 0.4 (trial) and 0.4 (evaluator) do not "
                "fill it",
            ],
        ),
        (
            ClusterSettings(trial=Share(cpu=4, gpu=1)),
            cluster_with({"CPU": 5, "GPU": 2.0}),
            1,
            [
                "1 node of 5 CPU, 2 GPU; evaluators on 10.0.0.1, 1 trial at a time beside them",
                "1 GPU stays idle, as nothing is left beside for another trial",
            ],
        ),
        (
            ClusterSettings(),
            cluster_with({"CPU": 4}, free=[{"CPU": 2}]),
            3,
            [
                "1 node of 4 CPU; evaluators on 10.0.0.1, 3 trials at a time beside them",
                "others use a part at present, which leaves room for 1 trial at a time",
            ],
        ),
        (
            ClusterSettings(),
            cluster_with({"CPU": 4}, free=[{"CPU": 1}]),
            3,
            [
                "1 node of 4 CPU; evaluators on 10.0.0.1, 3 trials at a time beside them",
                "others use it at present, and the sweep would wait: 1 node of 1 CPU free",
            ],
        ),
        (
            ClusterSettings(trial=Share(cpu=16), concurrent=4, wait=10),
            TWO,
            4,
            [
                "a trial fits no node of the cluster (16 CPU, where no node has more than 8 CPU); "
                "the sweep would wait 10 min for nodes that may come"
            ],
        ),
    ],
)
def test_check_says_who_has_room_and_what_stays_idle(
    asked: ClusterSettings, cluster: Cluster, trials: int, lines: list[str]
) -> None:
    found = surveyed(asked, cluster, shared=True)
    assert (found.trials, list(found.lines)) == (trials, lines)


def test_of_this_machine_only_what_stays_idle_is_said() -> None:
    assert surveyed(ClusterSettings(), cluster_with({"CPU": 4}), shared=False).lines == ()


@pytest.mark.parametrize("shared", [True, False])
def test_what_cannot_run_is_refused(shared: bool) -> None:
    asked = ClusterSettings(trial=Share(cpu=16), wait=0 if shared else 10)
    with pytest.raises(UserError, match="a trial fits no node of the cluster"):
        surveyed(asked, TWO, shared)


def test_places_of_finalists_are_those_of_trials_and_evaluators() -> None:
    settings = ClusterSettings(evaluators=2, trial=Share(cpu=2), evaluator=Share(cpu=1))
    found = surveyed(settings, cluster_with({"CPU": 8}), shared=False)
    assert (found.trials, found.finalists, found.cpus) == (3, 4, 8)


def test_other_work_of_this_machine_is_said() -> None:
    assert list(busy(1.9, 2)) == []
    (line,) = busy(5.04, 2)
    assert line.startswith("this machine has other work (load 5.0 on 2 CPUs), to which the workers")
