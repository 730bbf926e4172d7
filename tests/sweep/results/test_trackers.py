"""One kit for every tracker: it holds what the folder holds, once, whatever happens in between."""

import dataclasses
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.api.run import sync_folder
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.reading import NoFileError
from sweep.core.records import EpochRecord, TrialRecord, without_missing
from sweep.results import callbacks
from sweep.results.callbacks import Callback, InThread, replay
from sweep.results.folder import SweepFolder
from sweep.results.trackers import OURS, check_trackers, make_tracker, start_trackers, trackers
from sweep.store import Store
from tests.support.finished import score_modes
from tests.support.plugins import install
from tests.support.trackers import READERS, Told

# MLflow's own, see test_mlflow.py.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("with_tables"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(params=sorted(OURS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def read(name: str, folder: SweepFolder) -> Callable[[], dict[str, Told]]:
    return lambda: READERS[name](folder)


@pytest.fixture
def tracker(name: str, folder: SweepFolder, config: SweepConfig) -> Callback:
    return make_tracker(name, folder, config)


def assert_holds(folder: SweepFolder, told: dict[str, Told]) -> None:
    assert set(told) == {record.trial for record in folder.trials()}
    for record in folder.trials():
        found = told[record.trial]
        epochs = folder.epochs(record.trial)
        assert found.epochs == {one.epoch: without_missing(one.metrics) for one in epochs}
        assert found.status == record.status
        assert found.intervals == record.intervals


def test_it_holds_what_the_folder_holds(
    tracker: Callback, folder: SweepFolder, read: Callable[[], dict[str, Told]]
) -> None:
    replay(tracker, folder)
    tracker.close(finished=True)
    assert_holds(folder, read())


def test_told_again_it_writes_nothing(
    tracker: Callback,
    name: str,
    folder: SweepFolder,
    config: SweepConfig,
    read: Callable[[], dict[str, Told]],
) -> None:
    replay(tracker, folder)
    tracker.close(finished=True)
    first = read()
    again = make_tracker(name, folder, config)
    replay(again, folder)
    again.close(finished=True)
    assert read() == first


def test_rows_of_modes_are_there_once_beside_the_trials(
    name: str,
    folder: SweepFolder,
    config: SweepConfig,
    store: Store,
    read: Callable[[], dict[str, Told]],
) -> None:
    score_modes(folder, store, "blend", "precise")
    found_twice = []
    for _ in range(2):
        again = make_tracker(name, folder, config)
        replay(again, folder)
        again.close(finished=True)
        found_twice.append(read())
    told, second = found_twice
    assert second == told
    assert_holds(folder, told)
    for record in folder.trials():
        found = told[record.trial]
        rows = {mode: without_missing(row.metrics) for mode, row in record.modes.items()}
        assert found.modes == rows
        cells = {"trained": record.collapsed, **{k: v.collapsed for k, v in record.modes.items()}}
        assert found.collapsed == {
            mode: ", ".join(f"{cell.artifact} {cell.level}" for cell in one) or "none"
            for mode, one in cells.items()
        }


def test_after_an_interruption_it_goes_on(
    tracker: Callback,
    name: str,
    folder: SweepFolder,
    config: SweepConfig,
    read: Callable[[], dict[str, Told]],
) -> None:
    first, second = folder.trials()
    running = dataclasses.replace(second, status="running", intervals={}, ended_at_ms=None)
    folder.write_trial(running)
    replay(tracker, folder)
    tracker.close(finished=False)
    assert read()[first.trial].status == "finished"
    assert read()[second.trial].status is None
    folder.write_trial(second)
    resumed = make_tracker(name, folder, config)
    replay(resumed, folder)
    resumed.close(finished=True)
    assert_holds(folder, read())


def test_a_missing_value_is_absent(
    tracker: Callback, folder: SweepFolder, read: Callable[[], dict[str, Told]]
) -> None:
    trial = dataclasses.replace(folder.trials()[0], best_epoch=None, status="running")
    epoch = folder.epochs(trial.trial)[0]
    missing = {**epoch.metrics, "robust/auroc_cvar": math.nan}
    tracker.began(trial)
    tracker.reported(trial, dataclasses.replace(epoch, metrics=missing))
    assert read()[trial.trial].epochs[epoch.epoch] == without_missing(missing)


def test_in_a_thread_of_its_own_it_writes_the_same(
    name: str,
    folder: SweepFolder,
    config: SweepConfig,
    read: Callable[[], dict[str, Told]],
) -> None:
    said: list[str] = []
    wanted = config.replace({"tracking.to": [name]})
    (running,) = start_trackers(folder, wanted, said.append)
    running.close(finished=True)
    assert_holds(folder, read())
    assert said == []


def test_a_line_that_a_kill_has_torn_is_written_again(
    folder: SweepFolder, config: SweepConfig
) -> None:
    replay(make_tracker("jsonl", folder, config), folder)
    file = folder.path / "log.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    replay(make_tracker("jsonl", folder, config), folder)
    assert file.read_bytes() == whole


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(
    folder: SweepFolder, config: SweepConfig
) -> None:
    os.mkfifo(folder.path / "log.jsonl")
    with pytest.raises(NoFileError):
        make_tracker("jsonl", folder, config)


def test_a_tracker_that_does_not_exist_is_named(config: SweepConfig) -> None:
    with pytest.raises(
        UserError, match=r"tracking\.to has an unknown name; received 'jsnl'; did you mean 'jsonl'"
    ):
        check_trackers(config.replace({"tracking.to": ["jsnl"]}))


def test_a_tracker_that_was_uninstalled_is_named_by_sync(
    folder: SweepFolder, config: SweepConfig
) -> None:
    folder.write_config(config.replace({"tracking.to": ["gone"]}))
    with pytest.raises(UserError, match=r"tracking\.to has an unknown name; received 'gone'"):
        sync_folder(folder.path)


def test_a_package_can_add_one(
    folder: SweepFolder, config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path / "site",
        monkeypatch,
        {"mrisweep.trackers": {"mine": "my_tracker:Mine"}},
        my_tracker="class Mine:\n"
        "    def __init__(self, folder, config): self.file = folder.path / 'mine.txt'\n"
        "    def began(self, trial): self.write('began ' + trial.trial)\n"
        "    def reported(self, trial, epoch): pass\n"
        "    def ended(self, trial): self.write('ended ' + trial.trial)\n"
        "    def close(self, finished): self.write(f'closed {finished}')\n"
        "    def write(self, text):\n"
        "        with self.file.open('a') as file: file.write(text + chr(10))\n",
    )
    trackers.cache_clear()
    try:
        wanted = config.replace({"tracking.to": ["mine"]})
        check_trackers(wanted)
        (running,) = start_trackers(folder, wanted, lambda text: None)
        running.close(finished=True)
    finally:
        trackers.cache_clear()
    lines = (folder.path / "mine.txt").read_text().splitlines()
    assert lines == [
        *("began trial-0000", "ended trial-0000", "began trial-0001", "ended trial-0001"),
        "closed True",
    ]


def test_a_package_cannot_take_a_name_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, {"mrisweep.trackers": {"jsonl": "my_tracker:Mine"}})
    trackers.cache_clear()
    try:
        with pytest.raises(UserError, match=r"'jsonl' of mine has a name .*; received my_tracker"):
            trackers()
    finally:
        trackers.cache_clear()


class Recorder:
    """A tracker for tests that does as it is told."""

    def __init__(self, work: Callable[[str], None]) -> None:
        self.work = work

    def began(self, trial: TrialRecord) -> None:
        self.work(f"began {trial.trial}")

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        self.work(f"reported {trial.trial} {epoch.epoch}")

    def ended(self, trial: TrialRecord) -> None:
        self.work(f"ended {trial.trial}")

    def close(self, finished: bool) -> None:
        self.work(f"closed {finished}")


def test_a_tracker_that_failed_is_made_anew_and_told_all_at_the_end(folder: SweepFolder) -> None:
    done: list[str] = []
    said: list[str] = []
    down = True

    def work(what: str) -> None:
        if down:
            raise OSError("refused\nand more")
        done.append(what)

    running = InThread("mine", lambda: Recorder(work), folder, said.append, patience_s=5)
    while not said:
        time.sleep(0.01)
    down = False
    running.close(finished=True)
    assert said == [
        "mine does not take the results; received refused; the sweep goes on and keeps them in "
        "its folder"
    ]
    assert done[0] == "began trial-0000"
    assert done[-1] == "closed True"
    assert done.count("reported trial-0001 2") == 1


def test_a_tracker_that_stays_down_is_said_with_the_remedy(folder: SweepFolder) -> None:
    said: list[str] = []

    def work(what: str) -> None:
        raise OSError("refused")

    InThread("mine", lambda: Recorder(work), folder, said.append).close(finished=True)
    assert len(said) == 2
    assert f"run `mrisweep sync {folder.path}`" in said[1]


def test_a_tracker_that_hangs_is_left_after_a_while(folder: SweepFolder) -> None:
    said: list[str] = []
    never = threading.Event()
    running = InThread(
        "mine", lambda: Recorder(lambda what: never.wait(60) and None), folder, said.append, 1.0
    )
    began = time.monotonic()
    running.close(finished=True)
    never.set()
    assert time.monotonic() - began < 10
    assert said[0] == "waiting up to 1 s for mine"
    assert "lacks a part of this sweep; received no answer within 1 s" in said[1]


class Keeper(Recorder):
    """One that keeps networks, too."""

    def keeps_model(self, trial: TrialRecord) -> None:
        self.work(f"keeps {trial.trial}")


@pytest.fixture
def kept(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> SweepFolder:
    monkeypatch.setattr(callbacks, "kept_models", lambda folder: folder.trials()[:1])
    return folder


def test_a_network_is_sent_for_longer_than_an_answer_may_take(kept: SweepFolder) -> None:
    said: list[str] = []

    def work(what: str) -> None:
        time.sleep(1.5 if what.startswith("keeps") else 0.0)

    running = InThread("mine", lambda: Keeper(work), kept, said.append, 1.0)
    running.close(finished=True)
    assert not running.lacks
    assert said == ["waiting up to 120 s for mine"]


def test_a_network_that_does_not_arrive_is_named(kept: SweepFolder) -> None:
    said: list[str] = []
    never = threading.Event()

    def work(what: str) -> None:
        if what.startswith("keeps"):
            never.wait(60)

    running = InThread("mine", lambda: Keeper(work), kept, said.append, 0.2, longest_s=1.0)
    running.close(finished=True)
    never.set()
    assert running.lacks
    assert "received not the network of trial-0000 within 1 s" in said[-1]
