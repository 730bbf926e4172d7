"""A checkpoint on the slices of a store: what the sweep recorded, whatever the batch size."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import sweep
from sweep.core.errors import UserError
from sweep.core.records import CLEAN
from sweep.learn.outputs import log_odds
from sweep.results.folder import SweepFolder
from sweep.results.tables import read_predictions
from sweep.store import Store
from tests.support.stores import make_store


def checkpoint_of(folder: Path, number: int = 0) -> Path:
    (path,) = (folder / "checkpoints" / f"trial-{number:04d}").glob("epoch-*.pt")
    return path


@pytest.mark.parametrize("batch_size", [None, 1, 7, 500])
@pytest.mark.parametrize("number", [0, 1])
def test_predictions_are_those_that_the_sweep_recorded(
    number: int, batch_size: int | None, sweep_folder: Path, store: Store
) -> None:
    outputs = sweep.predict(
        checkpoint_of(sweep_folder, number), store.path, splits=[3], batch_size=batch_size
    )
    (clean, *_), slices = SweepFolder.open(sweep_folder).predictions(outputs.trial, outputs.epoch)
    assert clean.cell == CLEAN
    assert (outputs.keys, outputs.patients) == (slices.keys, slices.patients)
    np.testing.assert_allclose(outputs.probability, clean.probability, rtol=0, atol=1e-6)
    assert (np.stack(list(outputs.truth.values()), axis=1) == slices.truth).all()


def test_the_file_has_a_row_for_each_slice_and_reads_as_a_sweeps_own(
    sweep_folder: Path, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "predictions.parquet"
    outputs = sweep.predict(checkpoint_of(sweep_folder), store.path, out)
    table = pq.read_table(out)
    assert table.column_names == [
        *("trial", "epoch", "artifact", "level", "slice", "patient", "scan", "split"),
        *("log_odds_a", "p_a", "y_a", "log_odds_b", "p_b", "y_b"),
    ]
    assert table["slice"].to_pylist() == store.keys.tolist()
    assert table["split"].to_pylist() == store.splits.tolist()
    assert table["scan"].to_pylist() == store.scans.tolist()
    p = table["p_a"].to_numpy().astype(float)
    np.testing.assert_allclose(table["log_odds_a"], np.log(p / (1 - p)), atol=1e-4)
    (read,), slices = read_predictions(out)
    assert (read.probability == outputs.probability).all()
    assert (slices.truth == store.labels.astype(bool)).all()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_name_that_ends_in_csv_is_of_a_csv_file(
    store: Store, sweep_folder: Path, tmp_path: Path
) -> None:
    outputs = sweep.predict(checkpoint_of(sweep_folder), store.path, tmp_path / "p.csv")
    sweep.predict(checkpoint_of(sweep_folder), store.path, tmp_path / "p.parquet")
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == pq.read_table(tmp_path / "p.parquet").column_names
    assert tuple(row["slice"] for row in rows) == tuple(outputs.keys)
    found = np.array([float(row["p_a"]) for row in rows], np.float32)
    np.testing.assert_array_equal(found, outputs.probability[:, 0])


def test_a_store_of_other_labels_gets_predictions_without_truth(
    sweep_folder: Path, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other.h5", patients=6, labels=("b", "c"))
    said: list[str] = []
    out = tmp_path / "p.parquet"
    outputs = sweep.predict(checkpoint_of(sweep_folder), other.path, out, say=said.append)
    assert list(outputs.truth) == ["b"]
    assert (outputs.truth["b"] == other.labels[:, 0]).all()
    assert outputs.probability.shape == (len(other), 2)
    assert {"p_a", "p_b", "y_b"} < set(pq.read_table(out).column_names)
    assert "y_a" not in pq.read_table(out).column_names
    assert said[0].startswith("truth: the store does not have a of the checkpoint's labels, so")


def test_slices_that_were_trained_on_are_said(sweep_folder: Path, store: Store) -> None:
    said: list[str] = []
    sweep.predict(checkpoint_of(sweep_folder), store.path, say=said.append)
    assert said == [
        "training: 16 of the 24 patients (64 of 96 slices, of split 1, 2) were trained on; what it "
        "says of those is no test"
    ]
    sweep.predict(checkpoint_of(sweep_folder), store.path, splits=["3"], say=said.append)
    assert len(said) == 1


def test_what_exists_is_kept_unless_it_shall_be_replaced(
    sweep_folder: Path, store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "p.parquet"
    out.write_text("mine")
    with pytest.raises(UserError, match=r"the output exists; received .*; remove it"):
        sweep.predict(checkpoint_of(sweep_folder), store.path, out)
    assert out.read_text() == "mine"
    sweep.predict(checkpoint_of(sweep_folder), store.path, out, splits=[3], force=True)
    assert pq.read_table(out).num_rows == 32


def test_stopped_in_between_nothing_is_left(
    sweep_folder: Path, store: Store, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.predict(checkpoint_of(sweep_folder), store.path, tmp_path / "p", progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_log_odds_are_those_of_the_probability(task: str) -> None:
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    double = logits.double()
    p = double.softmax(dim=1) if task == "multiclass" else double.sigmoid()
    torch.testing.assert_close(
        log_odds(logits, task).double(), torch.log(p / (1 - p)), atol=1e-4, rtol=0
    )


def test_log_odds_go_on_where_the_probability_ends() -> None:
    logits = torch.tensor([[200.0, 0.0, 1.0], [-300.0, 0.0, 0.0]])
    assert (logits.softmax(dim=1)[:, 0] == torch.tensor([1.0, 0.0])).all()
    assert log_odds(logits, "multiclass")[:, 0].tolist() == pytest.approx(
        [200 - np.log(1 + np.e), -300 - np.log(2)], rel=1e-6
    )
