"""Where a sweep stands, as its folder tells it, and what a person sees of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.api.watch import standing
from sweep.core.errors import UserError, WorkError
from sweep.results.choice_file import FILE as CHOICE
from sweep.results.folder import SweepFolder
from sweep.results.standing import Standing, Watcher
from sweep.results.standing_text import ended_line, line, lines, state_text
from tests.support.bare import METRIC, add_trial, bare_sweep

Make = Callable[..., SweepFolder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda **search: bare_sweep(tmp_path / "sweep", **search)


def text_of(found: Standing) -> str:
    return "\n".join(lines(found))


def test_before_the_first_trial(make: Make) -> None:
    folder = make()
    found = standing(folder.path)
    assert (found.state, found.driven, found.silent_s) == ("interrupted", False, None)
    with folder.lock():
        found = standing(folder.path)
    assert (found.state, found.driven, found.epochs) == ("running", True, 0)
    assert "0 of 4 ended, 0 running" in text_of(found)
    assert found.epochs_an_hour is None
    assert json.loads(json.dumps(found.plain()))["best"] is None


def test_a_running_sweep(make: Make) -> None:
    folder = make()
    add_trial(folder, 0, 10, "finished", 0.7)
    add_trial(folder, 1, 3, "failed", error="OSError: full")
    add_trial(folder, 2, 4, value=0.8)
    add_trial(folder, 3, 2, value=0.9, metric=f"screen/{METRIC}")
    folder.write_time_used(1900.0, 0.0)
    with folder.lock():
        found = standing(folder.path)
    assert (found.state, found.epochs) == ("running", 19)
    assert found.epochs_an_hour == pytest.approx(36)
    assert found.seconds_left == pytest.approx(2100), "21 of 40 epochs are left, at 100 s each"
    ended = {"total": 4, "ended": 2, "finished": 1, "failed": 1}
    assert found.plain()["trials"] == {**ended, "running": 2, "waiting": 0, "interrupted": 0}
    text = text_of(found)
    for said in (
        f"knees  {folder.path}\nstate     running\n",
        "trials    2 of 4 ended (1 failed, 1 finished), 2 running\n",
        "pace      19 epochs in 31:40, 36 an hour, about 35:00 left, the latest 0:0",
        f"best      trial-0002 (group) {METRIC} 0.800 at epoch 4\n",
        "failed    trial-0001 (group): OSError: full\n",
    ):
        assert said in text, text
    rows = [row.split() for row in text.splitlines() if row.startswith("  trial-")]
    assert rows == [
        ["trial-0002", "group", "4/10", "0.800", "4", "running"],
        ["trial-0003", "group", "2/10", "0.900", "screened", "2", "running"],
    ]
    assert line(found).startswith("running  |  2 of 4 ended (1 failed, 1 finished), 2 running, abo")


def test_running_is_not_believed_after_a_kill(make: Make) -> None:
    folder = make()
    add_trial(folder, 0, 4, value=0.8)
    folder.write_time_used(1900.0, 0.0)
    with folder.lock():
        assert state_text(standing(folder.path)) == "running"
    found = standing(folder.path)
    assert (found.state, found.driven, found.seconds_left) == ("interrupted", False, None)
    said = f"interrupted: no process drives it; to go on: mrisweep resume {folder.path}"
    assert state_text(found) == said
    assert "0 of 4 ended, 1 interrupted" in line(found)


def test_where_nobody_can_tell_it_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make()
    add_trial(folder, 0, 4, value=0.8)

    def no_locks(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    with folder.lock():
        monkeypatch.setattr("fcntl.flock", no_locks)
        found = standing(folder.path)
    assert (found.driven, found.state) == (None, "running")
    unsure = "if a process drives it; that cannot be told here"
    assert unsure in text_of(found)
    for number in range(4):
        add_trial(folder, number, 10, "finished", 0.7)
    found = standing(folder.path)
    assert (found.driven, found.state) == (None, "finishing")
    assert unsure in text_of(found)
    (folder.path / CHOICE).write_text("{}")
    assert "state     finished\n" in text_of(standing(folder.path))


def test_the_end_comes_after_what_follows_the_trials(make: Make) -> None:
    folder = make(trials=1)
    add_trial(folder, 0, 10, "finished", 0.7)
    with folder.lock():
        assert standing(folder.path).state == "finishing"
    assert standing(folder.path).state == "interrupted"
    (folder.path / CHOICE).write_text("{}")
    assert standing(folder.path).state == "finished"
    assert "state     finished\ntable     mrisweep best" in text_of(standing(folder.path))


def test_finalists_are_counted(make: Make) -> None:
    folder = make(trials=1)
    config = folder.config().replace({"finalists": {"seeds": 2}, "data.test": [3]})
    folder.write_config(config)
    add_trial(folder, 0, 10, "finished", 0.7)
    (folder.path / CHOICE).write_text("{}")
    assert standing(folder.path).state == "interrupted"
    place = folder.path / "finalists"
    place.mkdir()
    (place / "plan.json").write_text(json.dumps({"runs": [{"name": "a"}, {"name": "b"}]}))
    (place / "a.json").touch()
    assert standing(folder.path).state == "interrupted"
    assert "finalists 1 of 2 trained" in text_of(standing(folder.path))
    (place / "b.json").touch()
    assert standing(folder.path).state == "finished"


def test_trials_that_wait_are_told_from_those_that_run(make: Make) -> None:
    folder = make(scheduler="topk", grace_epochs=2, keep=1)
    add_trial(folder, 0, 2, value=0.7)
    add_trial(folder, 1, 1, value=0.8)
    with folder.lock():
        found = standing(folder.path)
        assert [one.state for one in found.under_way] == ["waiting", "running"]
        assert "0 of 4 ended, 1 running, 1 waiting" in line(found)
        assert "trial-0000 group 2/10 0.700 2 waiting" in " ".join(text_of(found).split())
        add_trial(folder, 1, 2, "pruned", 0.8)
        assert [one.state for one in standing(folder.path).under_way] == ["running"], "it goes on"


def test_a_limit_in_time_is_the_end(make: Make) -> None:
    folder = make(limits={"hours": 0.6})
    add_trial(folder, 0, 4, value=0.8)
    folder.write_time_used(1900.0, 0.0)
    with folder.lock():
        assert standing(folder.path).seconds_left == pytest.approx(0.6 * 3600 - 1900)


def test_looked_at_again_it_says_what_has_ended_since(make: Make) -> None:
    folder = make()
    add_trial(folder, 0, 10, "finished", 0.7)
    watcher = Watcher(folder.path)
    assert watcher.look().fresh == ()
    add_trial(folder, 1, 4, value=0.8)
    assert watcher.look().fresh == ()
    add_trial(folder, 1, 5, "finished", 0.8)
    add_trial(folder, 2, 0, "failed", error="no")
    found = watcher.look()
    assert [ended_line(entry, found) for entry in found.fresh] == [
        f"trial-0001 group    finished  5 epochs, best {METRIC} 0.800 at epoch 5",
        "trial-0002 group    failed   no",
    ]
    assert watcher.look().fresh == ()
    folder.write_config(folder.config().replace({"search.trials": 9}))
    assert watcher.look().total == 9


def test_a_low_terminal_has_room_for_the_first_trials_under_way(make: Make) -> None:
    folder = make(trials=40)
    for number in range(30):
        add_trial(folder, number, 1, value=0.5)
    found = standing(folder.path)
    assert len([row for row in lines(found) if row.startswith("  trial-")]) == 30
    shown = lines(found, height=20)
    assert len(shown) < 20
    assert any(row.endswith("more") for row in shown)


def test_nothing_is_written(make: Make) -> None:
    folder = make()
    add_trial(folder, 0, 10, "finished", 0.7)

    def files() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in folder.path.rglob("*")}

    before = files()
    assert standing(folder.path).ended == {"finished": 1}
    assert files() == before


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 100_000, '{"seconds": 1e400}', '{"seconds": -1}', f'{{"seconds": 1{"0" * 400}}}'],
)
def test_a_damaged_file_of_time_that_was_used_takes_no_answer_away(make: Make, text: str) -> None:
    folder = make()
    add_trial(folder, 0, 1)
    (folder.path / "used.json").write_text(text)
    found = standing(folder.path)
    assert found.seconds == 0
    assert lines(found)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"runs": [{"name": "../../x"}]}', "pipe"])
def test_a_damaged_plan_of_finalists_is_none(make: Make, text: str) -> None:
    folder = make()
    folder.write_config(folder.config().replace({"data.test": [3], "finalists": {}}))
    place = folder.path / "finalists"
    place.mkdir()
    if text == "pipe":
        os.mkfifo(place / "plan.json")
        os.mkfifo(folder.path / "used.json")
    else:
        (place / "plan.json").write_text(text)
    assert standing(folder.path).finalists is None


def test_a_file_that_is_named_as_no_record_is_none(make: Make) -> None:
    """Such as the copy that some programs make of a file."""
    folder = make()
    known = add_trial(folder, 0, 1)
    for name in ("trial-0000 (1).json", "trial-.json", "trial-0000.json.json"):
        (folder.path / "trials" / name).write_text("{")
    assert [one.trial for one in standing(folder.path).under_way] == [known.trial]
    assert folder.trials() == [known]


def test_damage_is_one_error(make: Make) -> None:
    folder = make()
    add_trial(folder, 0, 1)
    (folder.path / "used.json").write_text("{")
    assert standing(folder.path).seconds == 0
    (folder.path / "trials" / "trial-0000.json").write_text("{")
    with pytest.raises(WorkError, match="the record of a trial cannot be read"):
        standing(folder.path)
    os.remove(folder.path / "sweep.yaml")
    with pytest.raises(UserError, match="not a sweep's"):
        standing(folder.path)
