"""The folder: what goes in comes out, whole, and once."""

import dataclasses
import math
from collections import Counter
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
    with pytest.raises(
        UserError, match=r"exists; received .*; choose another with --out, or continue"
    ):
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
