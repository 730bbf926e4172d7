"""`gc`: what it says goes, goes and is accounted for; every question is answered all the same."""

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sweep.api.finalists import drive_finalists
from sweep.api.gc import gc, tidy
from sweep.api.report import report_of
from sweep.api.run import sync_folder
from sweep.cli import main
from sweep.core.errors import UserError, WorkError
from sweep.results import choice, choice_file
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.inventory import inventory
from sweep.results.locks import driven
from sweep.results.rows import lost_rows, missing_rows
from sweep.results.trials import TrialLog
from sweep.stats import checkpoint
from sweep.store import Store
from tests.support.finished import run_trial

LONG_AGO = time.time() - 7200


@pytest.fixture(autouse=True)
def four_patients_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """For intervals of the tiny store."""
    monkeypatch.setattr(checkpoint, "LEAST", 2)


@pytest.fixture(scope="module")
def whole(compared_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trials of each norm, a mode, and finalists; what its choice is worth is measured."""
    made = SweepFolder(Path(shutil.copytree(compared_sweep, tmp_path_factory.mktemp("gc") / "it")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        made.write_config(made.config().replace({"search.trials": 4, "tracking.to": ["jsonl"]}))
        choice.keep_measured(made, print)
    return made.path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> SweepFolder:
    """A copy of it."""
    shutil.copytree(whole, tmp_path / "sweep")
    return SweepFolder.open(tmp_path / "sweep")


def listed(folder: SweepFolder) -> dict[str, int]:
    return {file.path: file.size for file in inventory(folder.path) if file.path != ".lock"}


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(list(arguments))
    told = capsys.readouterr()
    return status, told.out, told.err


KEEP = {"checkpoints": "best", "predictions": "best", "finalists": "best", "top": 1}


def asked(settings: dict[str, object]) -> Sequence[str]:
    return [word for name, value in settings.items() for word in ("--keep", f"{name}={value}")]


def test_by_the_settings_of_a_sweep_nothing_goes_of_one_that_ended(folder: SweepFolder) -> None:
    before = listed(folder)
    assert gc(folder.path).going == ()
    assert listed(folder) == before


def test_what_is_said_goes_and_is_written_down(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listed(folder)
    order = ["gc", str(folder.path), *asked(KEEP), "--files"]
    status, dry, _ = said(capsys, *order, "--dry-run")
    assert status == 0
    assert listed(folder) == before, "a dry run touches nothing"
    status, done, _ = said(capsys, *order)
    assert status == 0
    after = listed(folder)
    gone = before.keys() - after.keys()
    named = {line.rpartition("  ")[0] for line in done.split("\n\n")[0].splitlines()}
    assert gone == named == {line.rpartition("  ")[0] for line in dry.split("\n\n")[0].splitlines()}
    assert {path.partition("/")[0] for path in gone} == {"checkpoints", "predictions", "finalists"}
    assert after.keys() - before.keys() == {"removed.jsonl"}
    (line,) = (folder.path / "removed.jsonl").read_text().splitlines()
    assert set(json.loads(line)["files"]) == gone
    assert f"{len(gone)} files of " in done
    assert " went, " in done.splitlines()[-1]
    kept = {path.split("/")[1] for path in after if path.startswith("checkpoints/")}
    assert len(kept) == 2, "one of each norm"
    assert all(any(place.iterdir()) for place in (folder.path / "checkpoints").iterdir())
    status, again, _ = said(capsys, *order)
    assert status == 0
    assert "nothing to remove" in again
    assert listed(folder) == after


def test_a_setting_of_the_sweep_is_kept_to(folder: SweepFolder) -> None:
    folder.write_config(folder.config().replace({f"keep.{name}": v for name, v in KEEP.items()}))
    alike = {one.file.path for one in gc(folder.path, dry_run=True).going}
    less = {one.file.path for one in gc(folder.path, {"checkpoints": "each"}, dry_run=True).going}
    assert alike - less == {path for path in alike if path.startswith("checkpoints/")}
    assert {one.file.path for one in gc(folder.path).going} == alike


def test_every_question_is_answered_or_says_what_lacks(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """After everything that may go has gone."""
    path, best = str(folder.path), said(capsys, "best", str(folder.path), "--json")[1]
    of_norms = said(capsys, "compare", path, "group", "batch", "--json")
    worth = choice_file.kept(folder.path)
    gc(folder.path, {"checkpoints": "none", "predictions": "none", "finalists": "none"})
    assert not list((folder.path / "checkpoints").iterdir())
    removed = r"removed by `mrisweep gc .* --keep predictions=none .*` on \d{4}-\d\d-\d\d \d\d:\d\d"
    assert said(capsys, "best", path, "--json")[1] == best
    table = said(capsys, "best", path)[1]
    assert "its checkpoint is not there: removed by `mrisweep gc" in table
    assert said(capsys, "compare", path, "group", "batch", "--json") == of_norms, "by finalists"
    with pytest.raises(UserError, match=removed) as refused:
        folder.predictions("trial-0000", folder.trials()[0].best_epoch)
    assert "train it again with `mrisweep run" in str(refused.value)
    for pair in (("trial-0000", "trial-0001"), ("trial-0000:blend", "trial-0000")):
        status, _, err = said(capsys, "compare", path, *pair)
        assert status == 2
        assert "the predictions of trial-0000" in err
    assert report_of(path).sections, "of what finalists said"
    record = folder.trials()[0]
    weights = str(folder.checkpoint(record.trial, record.best_epoch))
    for command in (("export", weights, "--torch", "x.pt2"), ("stress", weights, "--data", "x.h5")):
        status, _, err = said(capsys, *command)
        assert status == 2
        assert "the weights of trial-0000 are not there; received removed by" in err
    config = folder.config()
    drive_finalists(folder, config, Store.open(config.data.store))
    sync_folder(folder.path)
    choice.keep_measured(folder, print)
    assert choice_file.kept(folder.path) == worth, "what was measured before stays"


def test_without_finalists_the_search_is_compared_by_all_or_not_at_all(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(FinalistFolder(folder).path)
    gc(folder.path, {"predictions": "best", "top": 1})
    status, _, err = said(capsys, "compare", str(folder.path), "group", "batch")
    assert status == 2
    assert "2 of 4 trials without them, such as trial-000" in err
    assert "removed by `mrisweep gc" in err
    assert f"run `mrisweep finalists {folder.path}`" in err
    with pytest.raises(UserError, match="2 of 4 trials without them"):
        report_of(folder.path)


def test_more_trials_after_predictions_went_leave_the_choice_unmeasured_and_say_so(
    folder: SweepFolder, store: Store
) -> None:
    gc(folder.path, {"predictions": "each"})
    config = folder.config()
    run_trial(folder, config, store, 4)
    choice.keep_measured(folder, print)
    reason = choice_file.kept(folder.path).reason
    assert reason == "the predictions of 4 of the 10 epochs are not there"


def test_rows_of_modes_are_not_missed_of_checkpoints_that_are_not_kept(
    folder: SweepFolder,
) -> None:
    config = folder.config().replace({"stress.modes": ["blend", "adabn"]})
    lacking = {row.trial.trial for row in missing_rows(folder, config)}
    assert lacking == {"trial-0000", "trial-0002"}, "of batch norm"
    gc(folder.path, {"checkpoints": "best", "top": 1})
    (left,) = missing_rows(folder, config)
    (lost,) = lost_rows(folder, config)
    assert {left.trial.trial, lost.trial.trial} == lacking
    assert lost.gone is not None
    assert lost.gone.startswith("removed by")


def test_a_sweep_that_is_driven_is_left_alone_and_may_be_asked(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    order = "gc", str(folder.path), *asked(KEEP)
    with folder.lock():
        before = listed(folder)
        status, _, err = said(capsys, *order)
        assert status == 2
        assert "another process drives this sweep" in err
        status, out, err = said(capsys, *order, "--dry-run")
        assert status == 0
        assert "another process drives this sweep; this is how it stands now" in err
        assert "would go" in out
        assert listed(folder) == before
        with pytest.raises(UserError, match="another process"), folder.lock():
            pass
    assert driven(folder.path) is False


def test_killed_in_the_midst_the_next_one_goes_on(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = {one.file.path for one in gc(folder.path, KEEP, dry_run=True).going}
    left, unlink = 3, Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        if path.name.endswith((".pt", ".parquet")):
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        unlink(path, missing_ok)

    before = listed(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            gc(folder.path, KEEP)
    gone = before.keys() - listed(folder).keys()
    assert len(gone) == 3
    assert gone < going
    again = {one.file.path for one in gc(folder.path, KEEP).going}
    assert again == going - gone
    lines = (folder.path / "removed.jsonl").read_text().splitlines()
    assert going == {path for line in lines for path in json.loads(line)["files"]}


def test_nothing_outside_of_the_folder_is_touched(folder: SweepFolder, tmp_path: Path) -> None:
    """Neither through links nor by the names in records."""
    victim = tmp_path / "victim"
    shutil.copytree(folder.checkpoints("trial-0000"), victim / "epochs")
    (victim / "state.pt").write_bytes(b"mine")
    (victim / ".it.01234567.tmp").write_bytes(b"mine")
    os.utime(victim / ".it.01234567.tmp", (LONG_AGO, LONG_AGO))
    own = {path: path.read_bytes() for path in victim.rglob("*") if path.is_file()}
    nothing = {"checkpoints": "none", "predictions": "none", "finalists": "none"}
    plain = json.loads((folder.path / "trials" / "trial-0000.json").read_text())
    plain |= {"trial": "../../victim", "number": 9}
    (bad := folder.path / "trials" / "trial-0009.json").write_text(json.dumps(plain))
    with pytest.raises(WorkError, match=r"the record of a trial cannot be read.*victim"):
        gc(folder.path, nothing)
    bad.unlink()
    (folder.path / "tune").symlink_to(victim)
    (folder.path / "elsewhere").symlink_to(victim)
    gc(folder.path, nothing)
    place = folder.path / "checkpoints" / "trial-0000"
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to(victim / "epochs")
    with pytest.raises(UserError, match="a link in the sweep's folder leads out of it"):
        gc(folder.path, nothing)
    assert {path: path.read_bytes() for path in victim.rglob("*") if path.is_file()} == own


def test_what_kills_have_left_goes(folder: SweepFolder) -> None:
    record = folder.trials()[0]
    state = folder.checkpoints(record.trial) / "state.pt"
    (stray := folder.checkpoints(record.trial) / "epoch-0099.pt").write_bytes(b"weights")
    tune = folder.path / "tune" / "20260101T000000"
    (tune / "trial-0001-b").mkdir(parents=True)
    old, young = (folder.path / "results" / f".epoch.{at}1234567.tmp" for at in "ab")
    for file in (state, tune / "tuner.pkl", old, young):
        file.write_bytes(b"left")
    os.utime(old, (LONG_AGO, LONG_AGO))
    gone = {one.file.path for one in gc(folder.path).going}
    expected = {state, stray, tune / "tuner.pkl", old}
    assert gone == {path.relative_to(folder.path).as_posix() for path in expected}
    assert young.exists(), "somebody may be writing it"
    assert not (folder.path / "tune").exists()


def test_a_sweep_that_goes_on_keeps_what_it_needs(folder: SweepFolder) -> None:
    """One trial is under way, and what the choice is worth is to be measured of all."""
    under_way = dataclasses.replace(folder.trials()[0], status="running", modes={})
    folder.write_trial(under_way)
    (folder.checkpoints(under_way.trial) / "state.pt").write_bytes(b"goes on from it")
    shutil.rmtree(FinalistFolder(folder).path)
    before = listed(folder)
    gc(folder.path, {"checkpoints": "none", "predictions": "none"})
    gone = before.keys() - listed(folder).keys()
    assert not [path for path in gone if under_way.trial in path or "predictions/" in path]
    assert {path.split("/")[1] for path in gone} == {f"trial-000{at}" for at in (1, 2, 3)}


@pytest.mark.parametrize("keep", [{"checkpoints": "best", "top": 1}, {"checkpoints": "none"}])
def test_a_sweep_lets_go_as_its_trials_end_of_what_the_plan_of_the_whole_does(
    store: Store, tmp_path: Path, whole: Path, keep: dict[str, object]
) -> None:
    settings = {f"keep.{name}": value for name, value in keep.items()}
    config = SweepFolder.open(whole).config()
    config = config.replace({**settings, "finalists": None, "stress.modes": {"names": []}})
    folder = SweepFolder.create(tmp_path / "sweep", config)
    for number in range(4):
        run_trial(folder, config, store, number)
        ended = [one.trial for one in folder.trials()]
        left = {path.name for path in (folder.path / "checkpoints").glob("*")}
        assert left < set(ended) or number < 2, "at once, not at the end"
    states = [path for path in listed(folder) if path.endswith("state.pt")]
    assert not states
    assert not gc(folder.path, dry_run=True).going
    assert len(list((folder.path / "checkpoints").glob("*/*"))) == 2 * (keep.get("top") or 0)
    with TrialLog(folder, config.search.objective):
        pass
    assert not gc(folder.path, dry_run=True).going


def test_where_a_sweep_ends_its_settings_are_kept_to(folder: SweepFolder) -> None:
    changed = folder.config().replace({f"keep.{name}": value for name, value in KEEP.items()})
    expected = {one.file.path for one in gc(folder.path, KEEP, dry_run=True).going}
    before = listed(folder)
    tidy(folder, changed)
    assert before.keys() - listed(folder).keys() == expected
    folder.write_config(changed)
    (one, *_) = (
        record
        for record in folder.trials()
        if not folder.has_predictions(record.trial, record.best_epoch)
    )
    with pytest.raises(UserError, match=r"received not kept, as keep.predictions is best; train"):
        folder.predictions(one.trial, one.best_epoch)


def test_a_sweep_of_before_there_was_a_choice_keeps_its_predictions(folder: SweepFolder) -> None:
    file = folder.path / "sweep.yaml"
    text = file.read_text()
    assert "\nkeep:\n" in text
    file.write_text(text[: text.index("\nkeep:\n") + 1])
    config = folder.config()
    assert (config.keep.checkpoints, config.keep.predictions) == ("each", "all")


def test_a_log_that_is_damaged_takes_no_answer_away(folder: SweepFolder) -> None:
    gc(folder.path, {"predictions": "each"})
    file = folder.path / "removed.jsonl"
    endless = '{"at_ms": 1e400, "command": "gc", "files": []}'
    other_lines = "\n".join(('{"at_ms": 1}', "no JSON", endless, "[" * 100_000))
    file.write_text(f'{other_lines}\n{file.read_text()}{{"torn')
    record = folder.trials()[0]
    other = next(one for one in folder.reported(record.trial) if one != record.best_epoch)
    with pytest.raises(UserError, match="removed by `mrisweep gc"):
        folder.predictions(record.trial, other)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match="are not there; received"):
        folder.predictions(record.trial, other)
