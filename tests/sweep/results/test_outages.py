"""A tracking server that is down, slow, full or shut: what is said, and what is there after it."""

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest

from sweep.api.run import sync_folder
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError
from sweep.results import callbacks, ranking
from sweep.results.callbacks import InThread, replay_to_end
from sweep.results.folder import SweepFolder
from sweep.results.trackers import make_tracker, start_trackers
from sweep.results.trials import TrialLog
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support import servers
from tests.support.finished import log_trial
from tests.support.tracked import contents, differing

# MLflow's own, see test_mlflow.py.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

ADDRESS = "http://{}"


@contextmanager
def refusing() -> Iterator[str]:
    yield servers.nobody()


FAULTS: dict[str, tuple[Callable[[], AbstractContextManager[str]], str]] = {
    "refused": (refusing, "Connection refused from {}"),
    "500": (lambda: servers.answering(500), "500 from {}"),
    "an hour": (lambda: servers.answering(503, **{"Retry-After": "3600"}), "503 from {}"),
    "401": (lambda: servers.answering(401, "who are you"), "401 from {}"),
    "403": (
        lambda: servers.answering(403, '{"error_code": "PERMISSION_DENIED", "message": "no"}'),
        "403 from {} (PERMISSION_DENIED: no)",
    ),
    "full": (lambda: servers.answering(507), "507 from {}"),
    "another": (lambda: servers.answering(200, "<html>Log in</html>"), "Log in"),
    "no page": (
        lambda: servers.answering(404, "<!DOCTYPE HTML><title>Not found</title>"),
        "a page for people, 404, from {}",
    ),
}
REMEDIES = {
    "401": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    "403": "ask for the permission",
    "full": "make room there",
    "500": "see what its log says",
    "refused": "correct the address, or start the server",
    "another": "what answers is not MLflow",
    "no page": "what answers is not MLflow",
    "an hour": "the tracking server fails",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_does_not_do_is_said_once_with_the_remedy_and_waited_for_by_nobody(
    fault: str, folder: SweepFolder, config: SweepConfig
) -> None:
    said: list[str] = []
    server, received = FAULTS[fault]
    with server() as place:
        address = ADDRESS.format(place)
        wanted = config.replace({"tracking.uri": address})
        folder.write_config(wanted)
        (running,) = start_trackers(folder, wanted, said.append)
        for trial in folder.trials():
            running.began(trial)  # whoever tells it waits for nothing
        running.close(finished=True)
        with pytest.raises(WorkError) as error:
            sync_folder(folder.path)
    assert len(said) == 2
    for text in (said[0], str(error.value)):
        assert received.format(address) in text
        assert REMEDIES[fault] in text
        assert len(text.splitlines()) == 1
    assert said[0].startswith("MLflow does not take the results; received ")
    assert f"run `mrisweep sync {folder.path}`" in said[1]
    assert running.lacks


def test_a_server_that_does_not_do_is_said_to_who_asks_it(tmp_path: Path) -> None:
    address = ADDRESS.format(servers.nobody())
    with pytest.raises(UserError, match="does not answer; received Connection refused from"):
        ranking.of_server(address, "ledger")
    broken = tmp_path / "mlflow.db"
    broken.write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match="not a database from sqlite"):
        ranking.of_server(f"sqlite:///{broken}", "ledger")


class Recorder:
    """A tracker for tests that does as it is told."""

    def __init__(self, work: Callable[[str], None]) -> None:
        self.work = work

    def began(self, trial: Any) -> None:
        self.work(f"began {trial.trial}")

    def reported(self, trial: Any, epoch: Any) -> None:
        self.work(f"reported {trial.trial} {epoch.epoch}")

    def ended(self, trial: Any) -> None:
        self.work(f"ended {trial.trial}")

    def close(self, finished: bool) -> None:
        self.work(f"closed {finished}")


def test_a_server_that_comes_back_is_told_all_while_the_sweep_goes_on(folder: SweepFolder) -> None:
    done, said, down = [], [], threading.Event()
    down.set()

    def work(what: str) -> None:
        if down.is_set():
            raise OSError("refused")
        done.append(what)

    running = InThread("mine", lambda: Recorder(work), folder, said.append, pause_s=0.01)
    wait_for(lambda: said)
    down.clear()
    wait_for(lambda: len(said) == 2)
    assert said[1] == "mine takes the results again, and has those of before"
    assert "ended trial-0001" in done
    running.close(finished=True)
    assert done[-1] == "closed True"
    assert len(said) == 2


def test_a_server_that_is_slow_and_never_done_is_left_after_a_while(folder: SweepFolder) -> None:
    said: list[str] = []
    running = InThread(
        "mine", lambda: Recorder(lambda _: time.sleep(0.2)), folder, said.append, longest_s=0.5
    )
    running.close(finished=True)
    assert "lacks a part of this sweep; received not all of it within 0.5 s" in said[-1]
    assert running.lacks


def test_who_asked_for_an_end_does_not_wait_long_for_a_server(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(callbacks, "is_asked", lambda: True)
    running = InThread("mine", lambda: Recorder(lambda _: time.sleep(0.2)), folder, said.append)
    monkeypatch.setattr(callbacks, "ASKED_S", 0.3)
    running.close(finished=False)
    assert "received not all of it within 0.3 s; nothing is lost" in said[-1]
    assert "mrisweep sync" in said[-1]


def test_who_was_given_up_writes_no_more(folder: SweepFolder) -> None:
    """Another process, such as that of `mrisweep sync`, may have begun to."""
    done, go_on = [], threading.Event()

    def work(what: str) -> None:
        go_on.wait(20)
        done.append(what)

    running = InThread("mine", lambda: Recorder(work), folder, lambda _: None, patience_s=0.1)
    running.close(finished=True)
    go_on.set()
    wait_for(lambda: done)
    time.sleep(0.05)
    assert done == ["began trial-0000"]


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(
    request: pytest.FixtureRequest,
    store: Store,
    config: SweepConfig,
    tracking_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> SweepFolder:
    """A sweep that MLflow was told of as it went, with these settings."""
    place = tmp_path_factory.mktemp("undisturbed")
    shutil.copy(tracking_database, place)
    config = config.replace({"train.epochs": 3, **request.param})
    folder = SweepFolder.create(place / "sweep", config)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        running = start_trackers(folder, config, said.append)
        objective = config.search.objective
        with TrialLog(folder, objective, running, said.append, config.search.trials) as trial_log:
            for number in range(config.search.trials):
                log_trial(trial_log, config, store, number, {"model.norm": "batch"})
        sync_folder(folder.path)  # what follows the trials is told by others
    assert not [text for text in said if "does not take" in text]
    return folder


IN_FULL = {"search.screen": None, "tracking.models": 1}


def copy_of(folder: SweepFolder, database: Path, place: Path) -> SweepFolder:
    """The folder elsewhere, with nothing told yet."""
    place.mkdir()
    shutil.copy(database, place / "mlflow.db")
    shutil.copytree(folder.path, place / "sweep")
    copy = SweepFolder.open(place / "sweep")
    # As of a machine that cannot see the original: else it would be a sweep of its own.
    copy.write_identity(dataclasses.replace(copy.identity, place=None))
    return copy


def seen(folder: SweepFolder) -> dict[Any, Any]:
    config = folder.config()
    return contents(config.tracking.server(folder.path), config.name)


OF_MODELS = "create_logged_model", "log_model_artifacts", "finalize_logged_model", "log_outputs"
WRITES = (
    *("create_run", "log_batch", "log_text", "log_dict", "log_figure", "set_terminated"),
    *("update_run", "set_tag", "set_experiment_tag", *OF_MODELS),
)


@contextmanager
def dying_at(count: int, writes: Sequence[str] = WRITES) -> Iterator[None]:
    """While inside, MLflow's client does so many of these writes; of the last the answer is lost.

    And then it does nothing at all.
    """
    left = count

    def dying(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def one(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if left <= 0:
                raise ConnectionError("gone")
            done = write(*arguments, **named)
            left -= name in writes
            if left <= 0:
                raise ConnectionError("gone while it answered")
            return done

        return one

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            write = getattr(mlflow.MlflowClient, name)
            patch.setattr(mlflow.MlflowClient, name, dying(name, write))
        with pytest.raises(WorkError, match="gone"):
            yield


@pytest.mark.parametrize("undisturbed", [IN_FULL, {}], ids=["in full", "screened"], indirect=True)
def test_told_after_an_outage_it_is_what_an_undisturbed_sweep_leaves(
    undisturbed: SweepFolder, tracking_database: Path, tmp_path: Path
) -> None:
    wanted = seen(undisturbed)
    trials = [runs[0] for key, runs in wanted.items() if key[1] == "trial"]
    models = [one.status for run in trials for one in run.models]
    assert models == ["READY"] * undisturbed.config().tracking.models, "of one norm"
    if undisturbed.config().search.screen is None:
        assert max(len(run.metrics["best/epoch"]) for run in trials) > 1, "as it went"
    copy = copy_of(undisturbed, tracking_database, tmp_path / "late")
    for _ in range(2):
        sync_folder(copy.path)
        assert differing(wanted, seen(copy)) == []


@pytest.mark.parametrize("undisturbed", [IN_FULL], ids=["in full"], indirect=True)
def test_killed_at_any_write_and_told_again_it_is_what_an_undisturbed_sweep_leaves(
    undisturbed: SweepFolder, tracking_database: Path, tmp_path: Path
) -> None:
    """Killed time and again, each time a little later, and then at each write of a model."""
    copy = copy_of(undisturbed, tracking_database, tmp_path / "killed")
    for count in range(1, 12, 2):
        with dying_at(count):
            sync_folder(copy.path)
    for name in OF_MODELS:
        with dying_at(1, [name]):
            sync_folder(copy.path)
    sync_folder(copy.path)
    assert differing(seen(undisturbed), seen(copy)) == []


def test_a_run_that_is_there_twice_as_an_answer_came_late_is_there_once(
    folder: SweepFolder, config: SweepConfig, with_tables: None
) -> None:
    sync_folder(folder.path)
    wanted = seen(folder)
    client = mlflow.MlflowClient(tracking_uri=config.tracking.server(folder.path))
    experiment = client.get_experiment_by_name(config.name).experiment_id
    for run in client.search_runs([experiment]):
        tags = {name: text for name, text in run.data.tags.items() if name != "told"}
        client.create_run(experiment, run.info.start_time, tags)
    assert differing(wanted, seen(folder))
    sync_folder(folder.path)
    assert differing(wanted, seen(folder)) == []


def test_what_changed_since_it_was_told_is_told(
    folder: SweepFolder, config: SweepConfig, with_tables: None
) -> None:
    trial = folder.trials()[0]
    folder.write_trial(dataclasses.replace(trial, intervals={}, basis=None))
    replay_to_end(make_tracker("mlflow", folder, config), folder, finished=True)
    folder.write_trial(trial)
    replay_to_end(make_tracker("mlflow", folder, config), folder, finished=True)
    (run,) = (runs[0] for key, runs in seen(folder).items() if key[2] == trial.trial)
    name = "robust/auroc_cvar"
    assert run.metrics[f"interval/{name}/low"][-1][-1] == trial.intervals[name][0]


def test_a_checkpoint_that_is_gone_costs_its_model_alone(
    folder: SweepFolder, config: SweepConfig, with_tables: None
) -> None:
    folder.write_config(config.replace({"tracking.models": 1}))
    first, second = folder.trials()
    folder.checkpoint(first.trial, first.best_epoch).unlink()
    folder.checkpoint(second.trial, second.best_epoch).write_bytes(b"no checkpoint")
    sync_folder(folder.path)
    runs = {key[1:3]: of[0] for key, of in seen(folder).items()}
    assert runs["sweep", ""].status == "FINISHED"
    for trial in (first, second):
        assert runs["trial", trial.trial].models == ()
        assert "cannot be read" in runs["trial", trial.trial].tags["model"]
