"""The pool of evaluators: what is cancelled ends, a store that is gone is copied once.

And the cluster that it is in: who reaches it.
"""

import dataclasses
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import ray
import torch
from ray.actor import ActorHandle

import mrimodels
from sweep.api import finalists
from sweep.cluster.guard import VARIABLE
from sweep.cluster.pool import RemoteEvaluator, RemoteModes, start_pool
from sweep.cluster.session import session
from sweep.cluster.staging import serving
from sweep.cluster.watch import Watch
from sweep.config.modes import ModeSettings
from sweep.config.settings import DataSettings, ModelSettings, StressSettings, TrialConfig
from sweep.config.share import Share
from sweep.config.sweep import ClusterSettings
from sweep.config.training import TrainSettings
from sweep.core.errors import UnfinishedError, WorkError
from sweep.core.modes import OF_BATCH_NORM, PRECISE
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.fit import fit
from sweep.learn.modes import LocalModes
from sweep.results.finalists import FinalistFolder
from sweep.store import Store
from tests.support.finalists import config_with, ended
from tests.support.processes import (
    OF_METRICS,
    answer,
    descendants,
    environment,
    listening,
    title,
)
from tests.support.stores import change_pixels
from tests.support.sweeps import PATIENCE_S, wait_until

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Ray on this machine, whatever cluster the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        with session(ClusterSettings()):
            yield


class Served(NamedTuple):
    """A pool of one evaluator, and a checkpoint for it."""

    pool: Sequence[ActorHandle]
    trial_config: TrialConfig
    files: CheckpointFolder


@pytest.fixture(scope="module")
def served(
    local_ray: None, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    trial_config = TrialConfig(
        data=DataSettings(store=str(store.path), train=(1, 2), validation=(3,)),
        model=ModelSettings(width=4, norm="batch"),
        train=TrainSettings(epochs=1, batch_size=16),
        stress=StressSettings(
            artifacts=("motion", "elastic"),
            levels=(1, 2, 3, 4, 5),
            grid="physical",
            batch_size=1,
            modes=ModeSettings(batch_size=12),
        ),
    )
    folder = tmp_path_factory.mktemp("served")
    fit(trial_config, store, folder)
    cluster = ClusterSettings(evaluator=Share(cpu=0))  # beside those of other tests
    with serving(store, cluster) as staging:
        pool = start_pool(staging, trial_config.data, trial_config.stress, cluster)
        yield Served(pool, trial_config, CheckpointFolder(folder))


def of_this_cluster() -> list[int]:
    """The processes of the cluster that is up, with this one, its driver."""
    found = [pid for pid in descendants(os.getpid()) if VARIABLE in environment(pid)]
    assert {title(pid).partition(" ")[0].rpartition("/")[2] for pid in found} > {
        "raylet",
        "gcs_server",
        "ray::EvaluatorActor",
    }
    return [os.getpid(), *found]


def test_a_cluster_of_ours_is_reached_from_this_machine_alone(served: Served) -> None:
    ports = list(listening(of_this_cluster()))
    assert len(ports) >= 6
    assert {address for _, address, _ in ports} == {"127.0.0.1"}
    # What answers without a token says how busy the machine is.
    answering = {title(pid) for pid, address, port in ports if answer(address, port)}
    assert all(any(name in program for name in OF_METRICS) for program in answering)


def test_its_folder_is_this_user_s_alone_and_its_token_lies_in_no_file(served: Served) -> None:
    raylet = next(pid for pid in of_this_cluster() if "/raylet/raylet " in title(pid))
    token, mode = (environment(raylet)[f"RAY_AUTH_{what}"] for what in ("TOKEN", "MODE"))
    assert (len(token), mode) == (64, "token")
    session_folder = Path(next(re.finditer(r"--session_dir=(\S+)", title(raylet)))[1])
    own = session_folder.parents[1]
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    files = [path for path in own.rglob("*") if path.is_file()]
    assert files
    holding = [path for path in files if token in path.read_text(errors="replace")]
    assert not holding
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert "RAY_AUTH_MODE" not in os.environ


def test_modes_are_scored_in_the_pool_as_in_one_process(served: Served, store: Store) -> None:
    pool, trial_config, files = served
    indices = store.indices(trial_config.data.validation)
    here = LocalModes(trial_config.stress, store, indices)
    there = RemoteModes(pool, trial_config.stress)
    running = {mode: there.evaluate(files, 1, mode) for mode in OF_BATCH_NORM}
    found = {mode: evaluation.result() for mode, evaluation in running.items()}
    theirs = mrimodels.load(files.epoch(1, PRECISE))[0].state_dict()
    for mode, predictions in found.items():
        expected = here.evaluate(files, 1, mode).result()
        for one, two in zip(predictions, expected, strict=True):
            assert one.cell == two.cell
            assert (one.probability == two.probability).all()
    ours = mrimodels.load(files.epoch(1, PRECISE))[0].state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in theirs.items())


def test_a_cancelled_evaluation_ends_early_and_the_next_one_is_whole(served: Served) -> None:
    pool, trial_config, files = served
    checkpoint = files.epoch(1)
    evaluator = RemoteEvaluator(pool, trial_config.stress)
    whole = evaluator.evaluate(checkpoint).result()
    running = evaluator.evaluate(checkpoint)
    running.cancel()
    (part,) = ray.get(list(running.calls.values()))
    assert len(part) < len(whole)
    with pytest.raises(WorkError, match="had been cancelled"):
        running.result()
    again = evaluator.evaluate(checkpoint).result()
    assert all(
        (one.probability == two.probability).all() for one, two in zip(whole, again, strict=True)
    )
    gone = checkpoint.with_name("epoch-0002.pt")
    with pytest.raises(ray.exceptions.RayTaskError, match="a checkpoint disappeared before"):
        evaluator.evaluate(gone).result()


class Worker:
    """At work on a trial."""

    def work(self) -> None:
        """Without end."""
        time.sleep(PATIENCE_S)


def test_who_hangs_is_ended_and_its_work_done_again(served: Served) -> None:
    """A process that is stopped answers nothing; one that waits says that it waits."""
    pool, trial_config, files = served
    said: list[str] = []
    watch = Watch(pool, 0.05, said.append)
    evaluator = RemoteModes(pool, trial_config.stress, watch.look)
    whole = evaluator.evaluate(files, 1, "blend").result()
    workers = {name: ray.remote(num_cpus=0)(Worker).remote() for name in ("hangs", "gets-on")}
    calls = {name: worker.work.remote() for name, worker in workers.items()}
    for name, worker in workers.items():
        watch.began(name, worker)
    wait_until(lambda: (watch.look(), pool[0].hear.remote("gets-on", None), watch.hung)[-1])
    assert watch.hung == {"hangs"}
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(calls["hangs"])
    assert not ray.wait([calls["gets-on"]], timeout=0)[0]
    assert said == [], "no evaluator hung"

    before = ray.get(pool[0].__ray_call__.remote(lambda _: os.getpid()))
    running = evaluator.evaluate(files, 1, "blend")
    os.kill(before, signal.SIGSTOP)
    again = running.result()
    assert said, "it is told"
    assert ray.get(pool[0].__ray_call__.remote(lambda _: os.getpid())) != before
    for one, two in zip(whole, again, strict=True):
        assert one.cell == two.cell
        assert (one.probability == two.probability).all()
    ray.kill(workers["gets-on"])


def test_two_evaluators_of_a_node_stage_a_vanished_store_once(
    local_ray: None, store: Store, tmp_path: Path
) -> None:
    own = Store.open(shutil.copy(store.path, tmp_path / "own.h5"))
    cluster = ClusterSettings(evaluators=2, evaluator=Share(cpu=0.5), stage=str(tmp_path / "s"))
    data = DataSettings(store=str(own.path), train=(1, 2), validation=(3,))
    size = own.path.stat().st_size
    with serving(own, cluster) as staging:
        own.path.unlink()
        pool = start_pool(staging, data, StressSettings(), cluster)
        places = ray.get([evaluator.ready.remote() for evaluator in pool])
        assert set(places) == {tmp_path / "s" / f"{own.fingerprint}.h5"}
        assert (
            ray.get(ray.get_actor(staging.server).served.remote())
            == size
            == places[0].stat().st_size
        )
        (tmp_path / "file").write_text("")
        hopeless = dataclasses.replace(staging, folder=tmp_path / "file")
        with pytest.raises(WorkError, match=r"evaluator cannot start: the store .* could not"):
            start_pool(hopeless, data, StressSettings(), ClusterSettings())


def test_finalists_are_done_by_the_workers_that_there_is_room_for(
    local_ray: None, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six are asked for, and others would have the room of four of them."""
    folder = ended(tmp_path / "sweep", config_with(store, seeds=3), store)
    monkeypatch.setattr(finalists, "workers_at_a_time", lambda *_, **__: 6)
    finalists.drive_finalists(folder, folder.config(), store)
    records = FinalistFolder(folder).records()
    assert [record.status for record in records] == ["finished"] * 6


def test_finalists_that_fail_are_counted_in_the_end_and_done_by_the_next_call(
    local_ray: None, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ended(tmp_path / "sweep", config_with(store), store)
    blocked = FinalistFolder(folder).path / "trial-0000-seed-1000"
    blocked.parent.mkdir()
    blocked.write_text("where its folder is to be")
    with pytest.raises(UnfinishedError, match="1 of 4 finalists did not come to an end") as failed:
        finalists.drive_finalists(folder, folder.config(), store)
    assert f"of {blocked.name}, the first of them, FileExistsError" in failed.value.args[1]
    assert f"run `mrisweep resume {folder.path}`" in failed.value.args[2]
    assert f"{blocked.name} is not finished; received FileExistsError" in capsys.readouterr().err
    assert len(FinalistFolder(folder).records()) == 3
    blocked.unlink()
    finalists.drive_finalists(folder, folder.config(), store)
    assert len(FinalistFolder(folder).records()) == 4


def test_finalists_end_where_their_store_is_changed(
    local_ray: None, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Store.open(shutil.copy(store.path, tmp_path / "own.h5"))
    folder = ended(tmp_path / "sweep", config_with(own), own)
    monkeypatch.setattr("sweep.cluster.watch.LOOK_S", 0)
    monkeypatch.setattr(finalists, "workers_at_a_time", lambda *_, **__: 1)
    with pytest.raises(WorkError, match="was changed in place while the sweep was running"):
        finalists.drive_finalists(
            folder, folder.config(), own, tell=lambda _: change_pixels(own.path)
        )
    assert len(FinalistFolder(folder).records()) < 4
