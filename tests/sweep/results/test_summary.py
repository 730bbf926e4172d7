"""The table of all trials: it says what the files say, whatever has happened to either."""

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sweep
from sweep.cli import main
from sweep.config.sweep import SweepConfig
from sweep.core.errors import WorkError
from sweep.core.records import (
    CLEAN,
    Basis,
    Cell,
    Composition,
    ModeRow,
    TrialRecord,
    is_screened,
)
from sweep.results import ranking
from sweep.results.folder import SweepFolder
from sweep.results.summary import FILE, GRAIN_NS, LEAST, summary

BY = "robust/auroc_cvar"
BASIS = Basis(40, {"tear": 12}, {BY: 17.5, "clean/auroc": 30.25})
FULL = TrialRecord(
    trial="trial-0000",
    number=0,
    params={"model.norm": "batch", "train.lr": 1e-05, "train.augment.levels": [1, 2]},
    norm="batch",
    seed=3,
    status="finished",
    started_at_ms=1_700_000_000_001,
    ended_at_ms=1_700_000_000_002,
    best_epoch=4,
    metrics={"clean/auroc": 0.1 + 0.2, "clean/auroc_tear": math.nan, BY: 1 / 3},
    intervals={BY: (0.25, 0.5), "clean/auroc": (0.2, 0.4)},
    collapsed=(CLEAN, Cell("motion", 5)),
    basis=BASIS,
    modes={
        "blend": ModeRow(
            epoch=4,
            evaluated_at_ms=5,
            metrics={"clean/auroc": 0.75, BY: math.nan},
            intervals={"clean/auroc": (0.5, 0.875)},
            collapsed=(),
            settings={"batch_size": 16},
            composition=Composition(32, 2, 16, 16, {"tear": (0.1, 0.2, 0.3)}),
            basis=Basis(40, {"tear": 12}, {}, None),
        ),
        "ema": ModeRow(4, 6, {BY: 0.5}, {}, (CLEAN,), {}, None),
    },
)
SCREENED = dataclasses.replace(
    FULL, status="pruned", metrics={f"screen/{BY}": 0.5}, intervals={}, modes={}, basis=None
)
KINDS = (
    FULL,
    SCREENED,
    dataclasses.replace(SCREENED, metrics={f"screen/{BY}": math.nan, "screen/clean/auroc": 0.5}),
    dataclasses.replace(FULL, intervals={}, modes={}, basis=Basis(4, {"tear": 2}, {}, "few")),
    dataclasses.replace(FULL, status="running", ended_at_ms=None, collapsed=None, modes={}),
    dataclasses.replace(SCREENED, status="failed", best_epoch=None, metrics={}, error='it "fell"'),
)


def record(number: int) -> TrialRecord:
    name = f"trial-{number:04d}"
    return dataclasses.replace(KINDS[number % len(KINDS)], trial=name, number=number)


@pytest.fixture
def many(config: SweepConfig, tmp_path: Path) -> SweepFolder:
    """A sweep with trials of every kind, which were written a while ago."""
    folder = SweepFolder.create(tmp_path / "many", config)
    for number in range(2 * len(KINDS)):
        folder.write_trial(record(number))
    age(folder)
    return folder


def file_of(folder: SweepFolder, number: int) -> Path:
    return folder.path / "trials" / f"trial-{number:04d}.json"


def age(folder: SweepFolder) -> None:
    """As if the files of trials had been written before the last tick of any clock."""
    for path in (folder.path / "trials").iterdir():
        then = path.stat().st_mtime_ns - 2 * GRAIN_NS
        os.utime(path, ns=(then, then))


def overwrite(path: Path, text: str) -> None:
    """Another text in the place of a file, of the same size and time."""
    known = path.stat()
    path.write_text(text.ljust(known.st_size))
    os.utime(path, ns=(known.st_mtime_ns, known.st_mtime_ns))


def read(folder: SweepFolder) -> list[TrialRecord]:
    return summary(folder.path, least=1).trials


def test_with_the_table_and_without_trials_are_the_same_whatever_changes(
    many: SweepFolder,
) -> None:
    def same() -> None:
        of_files = many.trials()
        assert summary(many.path, least=99).trials == of_files
        assert read(many) == of_files
        assert read(many) == of_files, "of the table that was just written"
        age(many)

    same()
    many.write_trial(dataclasses.replace(record(3), metrics={BY: 0.875, "clean/brier": 0.5}))
    same()
    many.write_trial(dataclasses.replace(record(99), params={"seed": 7}))
    same()
    file_of(many, 0).unlink()
    same()
    for path in (many.path / "trials").iterdir():
        path.unlink()
    same()


def test_what_has_not_changed_is_not_read_again(many: SweepFolder) -> None:
    before = read(many)
    for number in range(1, len(before)):
        overwrite(file_of(many, number), "nobody reads this")
    assert read(many) == before
    many.write_trial(dataclasses.replace(before[0], seed=8))
    assert [one.seed for one in read(many)] == [8, *(one.seed for one in before[1:])]


def test_a_change_that_no_clock_tells_is_seen(many: SweepFolder) -> None:
    """Within a tick of the file system's clock a file may be written, read and written again."""
    many.write_trial(dataclasses.replace(record(0), seed=3))
    assert read(many)[0].seed == 3
    overwrite(file_of(many, 0), file_of(many, 0).read_text().replace('"seed": 3', '"seed": 4'))
    assert read(many)[0].seed == 4


def flipped(content: bytes) -> bytes:
    at = len(content) // 3
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not a table",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"mrisweep.version", b"mrisweep.Version"),
        flipped,
    ],
)
def test_a_damaged_table_or_one_of_another_version_is_made_anew(
    many: SweepFolder, damage: Callable[[bytes], bytes]
) -> None:
    expected = read(many)
    table = many.path / FILE
    whole = table.read_bytes()
    table.write_bytes(damage(whole))
    assert read(many) == expected
    for number in range(len(expected)):
        overwrite(file_of(many, number), "nobody reads this")
    assert read(many) == expected, "it is whole again"


def test_where_nothing_can_be_written_there_is_an_answer_all_the_same(many: SweepFolder) -> None:
    (many.path / FILE).mkdir()
    assert read(many) == read(many) == many.trials()
    assert not list(many.path.glob(".*.tmp"))


def test_what_the_table_cannot_hold_is_in_the_answer_all_the_same(many: SweepFolder) -> None:
    for strange in ({"seed": 2**63}, {"error": "a path \udcff that is no text"}):
        many.write_trial(dataclasses.replace(record(0), **strange))
        assert read(many) == many.trials()


def test_readers_at_the_same_time_do_no_harm(many: SweepFolder) -> None:
    expected = many.trials()
    (many.path / f".{FILE}.0123.tmp").write_bytes(b"half of it, of a process that was killed")
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(lambda _: read(many), range(8)))


@pytest.mark.parametrize("names", [{BY}, {"clean/auroc"}, {"none/such"}])
def test_the_metrics_that_are_needed_are_there_and_the_fidelity_is_known(
    many: SweepFolder, names: set[str]
) -> None:
    expected = read(many)
    found = summary(many.path, names, least=1).trials
    assert [one.trial for one in found] == [one.trial for one in expected]
    for some, all_ in zip(found, expected, strict=True):
        assert is_screened(some.metrics) == is_screened(all_.metrics)
        kept = {name: value for name, value in all_.metrics.items() if name in some.metrics}
        assert some.metrics == kept
        assert names & all_.metrics.keys() <= some.metrics.keys()
        assert some.modes.keys() == all_.modes.keys()
        assert some.basis is None or some.basis.reason == all_.basis.reason
        rest = {"metrics": {}, "intervals": {}, "modes": {}, "basis": None}
        assert dataclasses.replace(some, **rest) == dataclasses.replace(all_, **rest)


def test_the_last_epoch_of_an_ended_trial_is_known_without_its_results(
    folder: SweepFolder,
) -> None:
    reported = {one.trial: folder.last_reported(one.trial) for one in folder.trials()}
    assert summary(folder.path, least=1).ended == reported
    running = dataclasses.replace(folder.trials()[0], status="running")
    folder.write_trial(running)
    found = summary(folder.path, least=1)
    assert running.trial not in found.ended
    assert {one: found.last_reported(one) for one in reported} == reported


ASK = """
import sys
import sweep
from sweep.cli import main
assert main(["best", *sys.argv[1:], "--top", "3"]) == 0
slow = {"torch", "pandas", "scipy", "ray", "mlflow", "optuna", "h5py"} & set(sys.modules)
assert not slow, slow
"""


def test_best_of_many_trials_imports_nothing_that_takes_long(
    config: SweepConfig, tmp_path: Path
) -> None:
    """And it leaves a table; of few trials, which are read faster without, it leaves none."""
    paths = []
    for name, count in (("few", 6), ("many", LEAST)):
        folder = SweepFolder.create(tmp_path / name, config)
        (folder.path / "trials").mkdir()
        for number in range(count):
            folder.write_trial(record(number))
        age(folder)
        assert len(summary(folder.path).trials) == count
        paths.append(str(folder.path))
    done = subprocess.run(
        [sys.executable, "-c", ASK, *paths], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [(Path(path) / FILE).exists() for path in paths] == [False, True]
    assert len(done.stdout.split("\n\n")[0].splitlines()) == 2 + 3


def test_a_damaged_record_is_named_with_a_remedy(
    many: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs no answer on the others; a script, which sees no remark, gets none."""
    for text in ('{"trial": "tri', "[]", '{"metrics": {}}'):
        file_of(many, 2).write_text(text)
        assert main(["best", str(many.path)]) == 1
        said = capsys.readouterr()
        assert "trial-0000" in said.out
        assert "trial-0002" not in said.out
        assert "the answer lacks something: the record of a trial cannot be read; rec" in said.err
        assert "trial-0002.json" in said.err
        with pytest.raises(WorkError, match=r"trial-0002\.json"):
            sweep.best(many.path)
    file_of(many, 0).write_text("[]")
    with pytest.raises(WorkError, match=r"records of 2 trials cannot .*-0000.*-0002"):
        sweep.best(many.path)


def test_rows_name_the_folder_that_they_are_of(many: SweepFolder) -> None:
    rows = ranking.of_folder(many.path)
    assert {row.folder for row in rows} == {str(many.path)}
    for row in rows:
        assert row.checkpoint == str(many.checkpoint(row.trial, row.epoch, row.mode))
