"""The folder: what goes in comes out, whole, and once."""

import dataclasses
import math
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError, WorkError
from sweep.core.files import replacing
from sweep.core.records import CLEAN, Cell, EpochRecord, Predictions, Score, TrialRecord
from sweep.results import tables
from sweep.results.folder import SweepFolder
from sweep.results.tables import validation_slices
from sweep.results.trials import settle
from sweep.store import Store


def test_an_existing_folder_is_refused_and_not_touched(config: SweepConfig, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("years of work")
    message = (
        r"exists, and is not a sweep's; received .* with thesis.txt; choose another with --out$"
    )
    with pytest.raises(UserError, match=message):
        SweepFolder.create(tmp_path / "there", config)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "message"), [("none", "no such folder of a sweep; received"), (".", "no sweep.yaml")]
)
def test_what_is_no_sweep_is_not_opened(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SweepFolder.open(tmp_path / name)


def test_one_process_drives_a_sweep(folder: SweepFolder) -> None:
    with (
        folder.lock(),
        pytest.raises(UserError, match="another process drives this sweep"),
        folder.lock(),
    ):
        pass
    with folder.lock():
        pass


def test_the_settings_come_back(folder: SweepFolder, config: SweepConfig) -> None:
    assert SweepFolder.open(folder.path).config() == config


def test_an_epoch_comes_back_with_its_predictions(folder: SweepFolder, store: Store) -> None:
    slices = validation_slices(store, [3])
    rng = np.random.default_rng(0)
    cells = [
        Predictions(cell, rng.random((len(slices.keys), 2), np.float32))
        for cell in (CLEAN, Cell("rician", 5))
    ]
    scores = (
        Score(CLEAN, "a", "auroc", 0.25, 3, 9),
        Score(Cell("rician", 5), "a", "auroc", math.nan, 3, 9),
    )
    record = EpochRecord("trial-0007", 3, 0.5, 12.5, 1700000000123, scores, {})
    folder.write_epoch(record, cells, slices)
    back = folder.epoch("trial-0007", 3)
    assert dataclasses.replace(back, scores=(), metrics={}) == dataclasses.replace(
        record, scores=()
    )
    assert back.scores[0] == scores[0]
    assert math.isnan(back.scores[1].value), "missing stays missing"
    assert math.isnan(back.metrics["robust/auroc_cvar"])
    found, read = folder.predictions("trial-0007", 3)
    for one, other in zip(found, cells, strict=True):
        assert one.cell == other.cell
        np.testing.assert_array_equal(one.log_odds, other.log_odds)
    assert (read.keys, read.patients, read.labels) == (slices.keys, slices.patients, ["a", "b"])
    np.testing.assert_array_equal(read.truth, slices.truth)


def test_probabilities_of_earlier_versions_give_their_log_odds(
    folder: SweepFolder, store: Store
) -> None:
    """Those that had rounded to 0 or 1 stay the least and the greatest, and are numbers."""
    slices = validation_slices(store, [3])
    log_odds = np.linspace(-120, 40, 2 * len(slices.keys), dtype=np.float32).reshape(-1, 2)
    record = EpochRecord("trial-0007", 3, 0.5, 12.5, 1, (), {})
    tables.write_predictions(
        folder.path / "now.parquet", record.trial, 3, [Predictions(CLEAN, log_odds)], slices
    )
    table = pq.read_table(folder.path / "now.parquet")
    earlier = [name for name in table.column_names if not name.startswith("log_odds")]
    pq.write_table(table.select(earlier), folder.path / "then.parquet")
    (found,), _ = tables.read_predictions(folder.path / "then.parquet")
    assert np.isfinite(found.log_odds).all()
    assert (np.diff(found.log_odds.ravel()) >= 0).all()
    known = np.abs(log_odds) < 10
    np.testing.assert_allclose(found.log_odds[known], log_odds[known], atol=1e-2)


def test_the_last_reported_epoch_is_told_without_reading_a_table(folder: SweepFolder) -> None:
    for trial in folder.trials():
        assert folder.last_reported(trial.trial) == folder.epochs(trial.trial)[-1].epoch
    assert folder.last_reported("trial-9999") == 0


def test_the_tables_are_what_a_reader_with_pandas_expects(folder: SweepFolder) -> None:
    results = pq.read_table(folder.path / "results")
    fidelity = Counter(results["fidelity"].to_pylist())
    assert fidelity["full"] == 2 * 2 * 5 * 2, "trials x epochs x cells x labels"
    assert fidelity["screening"] == 2 * 2 * 3 * 2, "of the cells the clean one and two of four"
    assert {"trial", "epoch", "artifact", "level", "label", "auroc"} <= set(results.column_names)
    predictions = pq.read_table(folder.path / "predictions")
    assert predictions.num_rows == 2 * 2 * 5 * 32, "trials x epochs x cells x slices"
    assert {"slice", "patient", "p_a", "y_a"} <= set(predictions.column_names)


def test_a_damaged_table_is_named(folder: SweepFolder) -> None:
    path = next((folder.path / "results").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WorkError, match=r"cannot be read; received '.*epoch-000\d.parquet' "):
        folder.epochs(path.parent.name)


def test_closing_keeps_the_best_checkpoint_and_adds_intervals_once(folder: SweepFolder) -> None:
    record = folder.trials()[0]
    files = sorted(path.name for path in folder.checkpoints(record.trial).iterdir())
    assert files == [f"epoch-{record.best_epoch:04d}.pt"]
    low, high = record.intervals["robust/auroc_cvar"]
    assert low <= record.metrics["robust/auroc_cvar"] <= high
    assert settle(folder, record) is record


def test_a_missing_metric_survives_json(folder: SweepFolder) -> None:
    record = TrialRecord("trial-0009", 9, {}, "batch", 0, "running", 1, metrics={"m": math.nan})
    folder.write_trial(record)
    assert math.isnan(folder.trials()[-1].metrics["m"])


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "table"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:  # noqa: PT012
        temporary.write_text("ha")
        assert target.read_text() == "old"
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("left", [[], ["sweep.json"], ["sweep.json", ".levels.json.0a1b.tmp"]])
def test_a_folder_that_a_kill_left_half_made_is_begun_again(
    config: SweepConfig, tmp_path: Path, left: list[str]
) -> None:
    """And everybody says so; a folder of anything else is no such."""
    place = tmp_path / "half"
    place.mkdir()
    for name in left:
        (place / name).write_text("{")
    message = f"was never begun, .*; begin it by `mrisweep run SWEEP.yaml --out {place}`"
    with pytest.raises(UserError, match=message):
        SweepFolder.open(place)
    folder = SweepFolder.create(place, config)
    assert SweepFolder.open(place).config() == config
    assert len(folder.identity.sweep_id) == 32
    with pytest.raises(
        UserError, match=f"no trial has begun; .* by `mrisweep resume {place}`, rem"
    ):
        SweepFolder.create(place, config)
    (place / "trials").mkdir()
    with pytest.raises(UserError, match=f"and holds a sweep; .*at it by `mrisweep best {place}`"):
        SweepFolder.create(place, config)


@pytest.mark.parametrize("name", [os.fsdecode(b"run\xfc"), "run\x1b[2J", "two\nlines"])
def test_a_path_that_not_everybody_could_name_is_refused(
    config: SweepConfig, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is that of the current folder."""
    message = r"a control character in it, or is not UTF-8; received .*(run|two).*; choose another"
    with pytest.raises(UserError, match=message):
        SweepFolder.create(tmp_path / name, config)
    assert not list(tmp_path.iterdir())
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(UserError, match=message):
        SweepFolder.create("sweep", config)
    assert not list((tmp_path / name).iterdir())


def test_where_a_process_begins_a_sweep_another_writes_nothing(
    config: SweepConfig, tmp_path: Path
) -> None:
    place = tmp_path / "new"
    place.mkdir()
    with (
        SweepFolder(place).lock(),
        pytest.raises(UserError, match="another process drives this sweep"),
    ):
        SweepFolder.create(place, config)
    assert [file.name for file in place.iterdir()] == [".lock"]


def test_of_two_that_begin_at_once_one_begins_and_the_folder_is_its(
    config: SweepConfig, tmp_path: Path
) -> None:
    """Locks of one process keep each other out as those of two do."""
    for attempt in range(5):
        place, together = tmp_path / f"{attempt}", threading.Barrier(2)

        def begin(seed: int, place: Path = place, meet: threading.Barrier = together) -> str | None:
            meet.wait(10)
            try:
                with SweepFolder.begun(place, config.replace({"seed": seed})) as folder:
                    time.sleep(0.1)
                    return f"{folder.identity.sweep_id} {seed}"
            except UserError:
                return None

        with ThreadPoolExecutor(2) as two:
            won = [one for one in two.map(begin, (1, 2)) if one is not None]
        made = SweepFolder.open(place)
        assert won == [f"{made.identity.sweep_id} {made.config().seed}"]


def test_a_sweep_that_has_begun_and_ended_meanwhile_is_not_begun_again(
    config: SweepConfig, tmp_path: Path
) -> None:
    place = tmp_path / "new"
    with SweepFolder.begun(place, config) as folder:
        known = folder.identity
        with pytest.raises(UserError, match="the folder of a new sweep exists"):
            SweepFolder.create(place, config.replace({"seed": 7}))
    assert SweepFolder.open(place).identity == known


def test_a_file_in_the_place_of_a_new_folder_is_not_touched(
    config: SweepConfig, tmp_path: Path
) -> None:
    (tmp_path / "thesis").write_text("years of work")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for name in ("thesis", "gone"):
        with pytest.raises(UserError, match="the folder of a new sweep exists"):
            SweepFolder.create(tmp_path / name, config)
    assert (tmp_path / "thesis").read_text() == "years of work"


@pytest.mark.parametrize("text", [None, "", "{}", '{"sweep_id": "a\' or 1", "started_at_ms": 1}'])
def test_what_says_which_sweep_it_is_is_held_to_it(folder: SweepFolder, text: str | None) -> None:
    file = folder.path / "sweep.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=r"which sweep it is cannot be read; .*; put it back from"):
        _ = folder.identity


def test_a_flipped_bit_in_a_table_is_found(folder: SweepFolder) -> None:
    path = next((folder.path / "predictions").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(WorkError, match="the table cannot be read; received"):
        tables.read_predictions(path)


def test_a_table_of_another_trial_or_epoch_is_refused(folder: SweepFolder) -> None:
    for kind in ("results", "predictions"):
        place = folder.path / kind
        (place / "trial-0000" / "epoch-0001.parquet").replace(
            place / "trial-0001" / "epoch-0002.parquet"
        )
    for read in (folder.epoch, folder.predictions):
        with pytest.raises(WorkError, match="it is of epoch 1 of 'trial-0000'"):
            read("trial-0001", 2)
    with pytest.raises(WorkError, match="the table is not there; received"):
        folder.epoch("trial-0000", 1)
    with pytest.raises(UserError, match="predictions of trial-0000, epoch 1, are not there"):
        folder.predictions("trial-0000", 1)
