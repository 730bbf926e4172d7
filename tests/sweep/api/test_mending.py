"""The journal of a search and the records of its trials, each mended by the other."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages.journal._storage import JournalOperation

from sweep.api.mending import LOST
from sweep.core.records import TrialRecord
from sweep.results.folder import SweepFolder
from sweep.search.study import Study
from sweep.stats import checkpoint
from tests.support.commands import ask, without_a_cluster
from tests.support.furnished import write_journal


@pytest.fixture(autouse=True)
def no_cluster() -> Iterator[None]:
    with without_a_cluster():
        yield


@pytest.fixture
def folder(sweep_folder: Path, tmp_path: Path) -> SweepFolder:
    """Two finished trials, and their search."""
    shutil.copytree(sweep_folder, tmp_path / "sweep")
    folder = SweepFolder.open(tmp_path / "sweep")
    folder.write_config(folder.config().replace({"tracking.to": ["jsonl"]}))
    write_journal(folder, folder.config())
    return folder


def study_of(folder: SweepFolder) -> Study:
    config = folder.config()
    return Study(folder.journal, config.name, config.search, config.seed, config.train.epochs)


def searched(folder: SweepFolder) -> list[tuple[object, ...]]:
    """What the journal says of every trial, but when it was."""
    return [
        (one.state, one.params, one.values, one.intermediate_values, one.user_attrs)
        for one in study_of(folder).trials()
    ]


def resumed(folder: SweepFolder) -> str:
    answer = ask("resume", folder.path)
    assert answer.status == 0, answer.err
    return answer.err


def timeless(record: TrialRecord) -> TrialRecord:
    """Without its times, and without the seed, which of these trials is not that of the sweep."""
    return dataclasses.replace(record, started_at_ms=0, ended_at_ms=0, seed=0)


def test_a_resume_of_what_is_whole_changes_nothing(folder: SweepFolder) -> None:
    before, records = searched(folder), folder.trials()
    said = resumed(folder)
    assert "lacks" not in said, said
    assert (searched(folder), folder.trials()) == (before, records)


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 6, 8])
def test_a_journal_that_was_cut_is_filled_from_the_records(folder: SweepFolder, kept: int) -> None:
    """Lines that were lost, the whole file among them: no trial is run again, none forgotten."""
    before, records = searched(folder), folder.trials()
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    assert len(lines) > 8
    folder.journal.write_bytes(b"".join(lines[:kept]))
    said = resumed(folder)
    assert searched(folder) == before
    assert folder.trials() == records
    known = sum(
        json.loads(line)["op_code"] == JournalOperation.CREATE_TRIAL for line in lines[:kept]
    )
    assert ("the journal of the search lacks" in said) == (known < len(records)), said
    assert study_of(folder).ask().number == 2


def test_a_journal_that_is_gone_is_made_of_the_records(folder: SweepFolder) -> None:
    before = searched(folder)
    folder.journal.unlink()
    assert "lacks 2 trials, trial-0000, trial-0001: entered again" in resumed(folder)
    assert searched(folder) == before


def test_a_journal_with_a_damaged_line_says_what_to_do(folder: SweepFolder) -> None:
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    before = searched(folder)
    for damage in (b"\0" * 40 + b"\n", b"{}\n", b'{"op_code": 4}\n', b"[" * 100_000 + b"\n"):
        folder.journal.write_bytes(b"".join([*lines[:3], damage, *lines[4:]]))
        answer = ask("resume", folder.path)
        assert answer.status == 1
        assert "journal of the search cannot be read, or is not of the search of " in answer.err
        assert "move it away, and `mrisweep resume` makes it again of the records" in answer.err
    folder.journal.rename(folder.path / "optuna.journal.damaged")
    resumed(folder)
    assert searched(folder) == before


def test_a_number_that_both_have_lost_is_asked_for_again(folder: SweepFolder) -> None:
    asked = study_of(folder).suggestion(0)
    folder.journal.unlink()
    (folder.path / "trials" / "trial-0000.json").unlink()
    resumed(folder)
    study = study_of(folder)
    assert study.numbers() == [1]
    assert study.ask() == asked, "with the values that it had"
    assert study.ask().number == 2


def test_a_record_that_is_gone_is_made_again(folder: SweepFolder) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        before = folder.trials()
        (folder.path / "trials" / "trial-0001.json").write_text("[]")
        answer = ask("resume", folder.path)
        assert answer.status == 1
        assert "without one remove it, and `mrisweep resume` makes it again" in answer.err
        (folder.path / "trials" / "trial-0001.json").unlink()
        assert "the folder lacks the records of 1 trial, trial-0001: made again" in resumed(folder)
    assert list(map(timeless, folder.trials())) == list(map(timeless, before))
    assert [row["trial"] for row in json.loads(ask("best", folder.path, "--json").out)]


def test_a_trial_of_which_nothing_is_left_has_failed_and_not_diverged(folder: SweepFolder) -> None:
    (folder.path / "trials" / "trial-0001.json").unlink()
    shutil.rmtree(folder.path / "results" / "trial-0001")
    resumed(folder)
    record = folder.trial("trial-0001")
    assert (record.status, record.error) == ("failed", LOST)
    assert "trial-0001" in ask("best", folder.path, "--failed").out
