"""Nodes that share no folder run one sweep behind a URI, and another machine goes on with it."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from sweep.api.best import best
from sweep.results.folder import SweepFolder
from tests.support.sweeps import Sweep, study_statuses

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of the processes that it leaves
]
Finished = tuple[Sweep, subprocess.CompletedProcess[str]]


def epochs(folder: SweepFolder, trial: str) -> list[tuple[int, float, dict[str, float]]]:
    return [(one.epoch, one.train_loss, one.metrics) for one in folder.epochs(trial)]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a cluster of two nodes, with room for one part of a sweep each, and mirrors of its own."""
    cluster = Cluster()
    try:
        for name in ("first", "second"):
            own = {"MRISWEEP_CACHE": str(tmp_path / name)}
            cluster.add_node(num_cpus=1, object_store_memory=128 << 20, env_vars=own)
        yield cluster.address
    finally:
        cluster.shutdown()


def test_a_sweep_in_a_bucket_is_killed_and_goes_on_on_a_machine_that_has_nothing_of_it(
    finished: Finished,
    make_sweep: Callable[..., Sweep],
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trial and the evaluator have a node each: checkpoints go from one to the other."""
    monkeypatch.setenv("MRISWEEP_LEASE_S", "3")
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "driver"))
    bucket, sweep = tmp_path / "bucket" / "run-1", make_sweep()
    uri = f"file://{bucket}"
    begin = ("run", str(sweep.file), "--out", uri, "--set", f"cluster.address={address}")
    sweep.interrupt(
        signal.SIGKILL, lambda: len(list(bucket.glob("results/*/epoch-*.parquet"))) > 4, *begin
    )
    monkeypatch.setenv("MRISWEEP_CACHE", str(tmp_path / "another"))
    done = sweep.command("resume", uri)
    assert done.returncode == 0, done.stderr
    assert f"folder  {uri}" in done.stdout
    expected = SweepFolder.open(finished[0].folder)
    found = SweepFolder.open(uri)
    assert [(one.trial, one.params, one.status, one.metrics) for one in found.trials()] == [
        (one.trial, one.params, one.status, one.metrics) for one in expected.trials()
    ]
    for trial in expected.trials():
        assert epochs(found, trial.trial) == epochs(expected, trial.trial)
    assert study_statuses(found) == study_statuses(expected)
    assert [row.trial for row in best(uri)] == [row.trial for row in best(expected.path)]
    own = {"optuna.parts", "optuna.journal", "tune", "used.json", "sweep.yaml"}
    names = [
        {path.relative_to(at).as_posix() for path in at.rglob("*.*") if path.is_file()}
        for at in (bucket, expected.path)
    ]
    mine, theirs = (
        {name for name in its if name.split("/")[0] not in own and not name.startswith(".")}
        for its in names
    )
    assert mine == theirs
    assert list((tmp_path / "first").rglob("*.pt"))
    assert list((tmp_path / "second").rglob("*.pt"))
