"""Word of a sweep: when it matters, once, and nothing that was told before."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sweep.api.run import resume, run
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError
from sweep.core.records import DIVERGED, EpochRecord, TrialRecord
from sweep.results.folder import SweepFolder
from sweep.results.notified import FILE
from sweep.results.notify import Notifier, notifying
from sweep.search.study import Study
from sweep.store import Store
from tests.support.hooks import Hook, listening
from tests.support.sweeps import settings

METRIC = "robust/auroc_cvar"
ALL = ["end", "failure", "best"]
EPOCH = EpochRecord("t", 1, 1.0, 1.0, 0, (), {})


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def config_of(on: list[str] | None = None, **changes: Any) -> SweepConfig:
    return SweepConfig.from_dict(
        {
            "name": "knees",
            "data": {"store": "none.h5", "train": [1], "validation": [2]},
            "search": {"trials": 4, "space": {"train.lr": {"log": [1e-3, 1e-2]}}},
            "stress": {"grid": "physical"},
            "notify": {"url": "env:MY_HOOK", "on": on or ALL, **changes},
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder.create(tmp_path / "sweep", config_of())


def trial(number: int, value: float | None = None, status: str = "finished") -> TrialRecord:
    record = TrialRecord(f"trial-{number:04d}", number, {"train.lr": 0.1}, "group", 0, status, 0)
    if value is None:
        return record
    return dataclasses.replace(record, best_epoch=1, metrics={METRIC: value})


def failed(number: int, error: str = "ValueError: no") -> TrialRecord:
    return dataclasses.replace(trial(number, status="failed"), error=error)


class Told:
    """One who is told, over several runs of a driver."""

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self.folder, self.config, self.now = folder, config, Clock()
        self.words: list[dict[str, Any]] = []
        self.delivers = True
        self.begin()

    def begin(self) -> None:
        self.notifier = Notifier(
            self.config.notify[0], self.folder, self.config, self._take, self.now
        )

    def _take(self, word: Any, delivered: Callable[[], None]) -> None:
        if self.delivers:
            self.words.append(json.loads(json.dumps(word)))
            delivered()

    def ends(self, record: TrialRecord) -> None:
        self.folder.write_trial(record)
        self.notifier.ended(record)

    def events(self) -> list[str]:
        return [word["event"] for word in self.words]


def test_the_end_is_told_with_what_matters(folder: SweepFolder) -> None:
    told = Told(folder, config_of())
    told.ends(trial(0, 0.7))
    told.ends(trial(1, 0.8))
    told.ends(failed(2, f"{METRIC} {DIVERGED}"))
    told.ends(dataclasses.replace(trial(3), status="pruned", best_epoch=1, metrics={}))
    told.notifier.finished(None)
    (word,) = told.words
    assert word["text"].startswith(
        f"knees: the sweep has ended; the best trial: trial-0001 (group) with {METRIC} 0.800 "
        f"(4 of 4 trials ended, 1 failed; {folder.path} on "
    )
    assert (word["event"], word["status"], word["error"]) == ("end", "finished", None)
    assert (word["sweep"], word["folder"]) == ("knees", str(folder.path))
    assert word["sweep_id"] == folder.identity.sweep_id
    assert word["trials"] == {"ended": 4, "total": 4, "failed": 1}
    best = {"trial": "trial-0001", "norm": "group", "seed": 0, "epoch": 1}
    assert word["best"] == {**best, "metric": METRIC, "value": 0.8, "params": {"train.lr": 0.1}}


def test_an_end_is_told_once_and_another_end_again(folder: SweepFolder) -> None:
    told = Told(folder, config_of())
    told.ends(trial(0, 0.7))
    told.notifier.finished("search.limits.hours is reached")
    told.begin()
    told.notifier.finished("search.limits.hours is reached")
    assert [word["status"] for word in told.words] == ["limit"]
    assert "knees: search.limits.hours is reached; the best" in told.words[0]["text"]
    told.begin()
    told.ends(trial(1, 0.6))
    told.notifier.finished(None)
    assert [word["status"] for word in told.words] == ["limit", "finished"]


def test_a_burst_of_first_trials_is_one_word_of_the_best(folder: SweepFolder) -> None:
    told = Told(folder, config_of(["best"]))
    for number in range(3):
        told.now.time += 60
        told.notifier.reported(trial(number, 0.5 + number / 10, "running"), EPOCH)
    assert told.words == []
    told.now.time = 600
    told.notifier.began(trial(3, status="running"))
    (word,) = told.words
    assert f"the best is now trial-0002 (group) with {METRIC} 0.700" in word["text"]
    assert word["status"] == "running"
    told.ends(trial(0, 0.6))
    told.now.time = 2000
    told.ends(trial(1, 0.6))
    assert len(told.words) == 1, "the best of the whole sweep did not change"
    told.ends(trial(3, 0.9))
    assert [word["best"]["trial"] for word in told.words] == ["trial-0002", "trial-0003"]


def test_the_last_best_is_told_in_the_end_if_no_other_word_says_it(folder: SweepFolder) -> None:
    told = Told(folder, config_of(["best"]))
    told.ends(trial(0, 0.7))
    told.notifier.finished(None)
    assert told.events() == ["best"]
    told.begin()
    told.notifier.finished(None)
    assert told.events() == ["best"]


def test_after_a_resume_the_best_is_told_only_if_it_is_another(folder: SweepFolder) -> None:
    told = Told(folder, config_of(["best"], every=0))
    told.ends(trial(0, 0.7))
    told.begin()
    told.notifier.began(trial(1, status="running"))
    assert told.events() == ["best"]
    told.ends(trial(1, 0.9))
    assert told.events() == ["best", "best"]


def test_screenings_are_no_best(folder: SweepFolder) -> None:
    told = Told(folder, config_of(["best"], every=0))
    screened = {f"screen/{METRIC}": 0.9}
    told.notifier.reported(dataclasses.replace(trial(0, 0.9), metrics=screened), EPOCH)
    told.notifier.reported(dataclasses.replace(trial(1, 0.9), metrics={METRIC: None}), EPOCH)
    assert told.words == []


def test_a_failure_is_told_at_once_and_many_in_one_word(folder: SweepFolder) -> None:
    told = Told(folder, config_of(["failure"]))
    told.ends(failed(0))
    assert "knees: trial-0000 (group) failed: ValueError: no (1 of 4" in told.words[0]["text"]
    told.ends(failed(1))
    told.ends(failed(1))
    told.ends(failed(2, "OSError: full"))
    told.ends(failed(3, f"{METRIC} {DIVERGED}"))
    assert len(told.words) == 1
    told.now.time = 601
    told.notifier.began(trial(3, status="running"))
    assert "2 trials failed; the last, trial-0002 (group) failed: OSError" in told.words[1]["text"]
    assert told.words[1]["error"] == "OSError: full"
    told.notifier.finished(None)
    assert told.events() == ["failure", "failure"], "one that diverged is a result"


def test_what_was_not_delivered_is_told_after_a_resume_and_what_was_is_not(
    folder: SweepFolder,
) -> None:
    told = Told(folder, config_of(["failure"], every=0))
    told.ends(failed(0))
    told.delivers = False
    told.ends(failed(1))
    told.notifier.began(trial(2, status="running"))
    told.delivers = True
    assert len(told.words) == 1
    told.begin()
    told.notifier.began(trial(2, status="running"))
    assert ["trial-0001" in word["text"] for word in told.words] == [False, True]


def test_what_was_there_before_somebody_is_told_is_no_news(folder: SweepFolder) -> None:
    folder.write_trial(failed(0))
    folder.write_trial(trial(1, 0.9))
    told = Told(folder, config_of(every=0))
    told.notifier.began(trial(2, status="running"))
    assert told.words == []


DEEP = "[" * 100_000
OWN = '{{"env:MY_HOOK best end failure": {{"best": ["trial-0001", {}], "failed": [], "end": {}}}}}'


@pytest.mark.parametrize(
    "damage",
    [
        *("", "[]", "{", '{"env:MY_HOOK best end failure": 3}', "{}", DEEP),
        *(OWN.format("1e400", "null"), OWN.format(1, '["ended"]'), OWN.format(1, 5)),
    ],
)
def test_notes_that_are_damaged_are_begun_anew(folder: SweepFolder, damage: str) -> None:
    told = Told(folder, config_of(every=0))
    told.ends(failed(0))
    (folder.path / FILE).write_text(damage)
    told.begin()
    told.ends(failed(1))
    assert told.events() == ["failure", "failure"]


def test_notes_that_are_a_pipe_are_not_waited_for(folder: SweepFolder) -> None:
    os.mkfifo(folder.path / FILE)
    told = Told(folder, config_of(every=0))
    told.ends(failed(0))
    assert told.events() == ["failure"]


def test_an_error_that_ends_the_sweep_is_told_and_an_interruption_is_not(
    folder: SweepFolder, hook: Hook
) -> None:
    config = config_of(["failure"])

    def end_by(error: BaseException) -> None:
        with pytest.raises(type(error)), notifying(folder, config, pytest.fail):
            raise error

    end_by(WorkError("the cluster is gone", "no answer", "start it"))
    (word,) = hook.words
    said = "the cluster is gone; received no answer; start it"
    assert (word["status"], word["error"]) == ("failed", said)
    assert f"knees: the sweep has stopped: {said}; mend the cause, then run" in word["text"]
    end_by(ZeroDivisionError("by 0"))
    assert hook.words[1]["error"] == "ZeroDivisionError: by 0"
    end_by(KeyboardInterrupt())
    assert len(hook.words) == 2


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    with listening() as opened:
        monkeypatch.setenv("MY_HOOK", opened.address)
        yield opened


def test_a_sweep_tells_of_its_end_and_its_address_is_nowhere(
    sweep_folder: Path,
    tmp_path: Path,
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The trials have ended, so that no cluster has anything to do."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    notify = [{"url": "env:MY_HOOK", "on": ALL}]
    folder.write_config(folder.config().replace({"notify": notify, "tracking.to": ["jsonl"]}))
    config = folder.config()
    study = Study(folder.journal, config.name, config.search, config.seed, config.train.epochs)
    for _ in folder.trials():
        study.ask()
    monkeypatch.setattr("sweep.api.run.session", lambda *given: nullcontext())
    monkeypatch.setattr("sweep.api.run.run_trials", lambda *given: None)
    monkeypatch.setattr("sweep.api.run.wait_for_room", lambda *given, **more: None)
    for _ in range(2):
        resume(folder.path)
    (word,) = hook.words
    assert (word["event"], word["trials"]["ended"]) == ("end", 2)
    assert "ledger: the sweep has ended; the best trial: trial-000" in word["text"]
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert not [path for path in files if b"SECRET" in path.read_bytes()]
    said = capsys.readouterr()
    assert "SECRET" not in said.out + said.err


def test_a_new_sweep_that_could_tell_nobody_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_HOOK", raising=False)
    config = SweepConfig.from_dict(settings(store, notify={"url": "env:MY_HOOK"}))
    with pytest.raises(UserError, match="the environment variable MY_HOOK"):
        run(config, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
