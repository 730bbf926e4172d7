"""What fails, and what that costs: a trial, its worker, its disk, a tracking server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.core.records import TrialRecord
from sweep.learn.checkpoints import CheckpointInfo
from sweep.results.folder import SweepFolder
from tests.support import failing
from tests.support.data import ROOT
from tests.support.servers import silent
from tests.support.sweeps import Sweep, study_statuses

SECRET = "pl4nted"  # the password of the tracking server

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_a_diverging_trial_fails_alone_and_a_hanging_server_leaves_every_trial_settled(
    make_sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes connections and never answers, for the whole of the sweep."""
    with silent() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{SECRET}@{address}")
        sweep = make_sweep(
            tracking={"uri": "env", "to": ["mlflow", "jsonl"]},
            search={
                "trials": 3,
                "scheduler": "none",
                "stratify": "train.lr",
                "space": {"train.lr": {"choice": [1e30, 0.005, 0.003]}},
            },
        )
        done = sweep.run("train.epochs=2", "train.schedule=constant")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    files = [path for path in sweep.folder.parent.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert "trial-0000 (batch) diverged: robust/auroc_cvar was never finite" in done.stderr
    assert f"run `mrisweep sync {sweep.folder}`" in done.stderr
    folder = SweepFolder.open(sweep.folder)
    records = folder.trials()
    assert [record.status for record in records] == ["failed", "finished", "finished"]
    assert study_statuses(folder) == ["pruned", "finished", "finished"], (
        "nothing is to be found there"
    )
    for record in records[1:]:
        assert record.basis is not None
        assert "fewer than 10" in record.basis.reason, "the intervals were looked at, and refused"
        kept = {path.name for path in folder.checkpoints(record.trial).iterdir()}
        assert kept == {f"epoch-{record.best_epoch:04d}.pt"}
    assert (sweep.folder / "log.jsonl").read_text().count('"event": "ended"') == 3


def test_what_fails_is_named_and_tried_again_where_that_makes_sense(
    make_sweep: Callable[..., Sweep], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults of a trial's own end it; those of its surroundings cost no trial, now or later."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(failing.FLAGS, str(tmp_path))
    for flag in ("hangs", "dies", "full"):
        (tmp_path / flag).touch()
    kinds = ("FullDisk", "Fine", "Raises", "Greedy", "Hangs", "Dies")
    archs = [f"{failing.__name__}:{kind}" for kind in kinds]
    sweep = make_sweep(
        model={"arch": archs[0], "norm": "keep"},
        search={
            "sampler": "grid",
            "scheduler": "none",
            "screen": None,
            "trials": len(archs),
            "stratify": None,
            "space": {"model.arch": {"choice": archs}},
        },
        train={"epochs": 1, "batch_size": 16},
        stress={"artifacts": ["bias"], "levels": [5], "grid": "physical"},
        cluster={"retries": 1, "hang_minutes": 0.3, "smaller_batch": True},
    )

    def by_kind() -> dict[str, TrialRecord]:
        trials = SweepFolder.open(sweep.folder).trials()
        return {one.params["model.arch"].partition(":")[2]: one for one in trials}

    stopped = sweep.run()
    assert stopped.returncode == 1, stopped.stderr
    assert "the sweep is stopped, as what it needs fails" in stopped.stderr
    full = "the disk is full; received epoch-0001.pt (No space left on device); make room; then run"
    assert f"{full} `mrisweep resume " in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert by_kind()["FullDisk"].status == "running", "a full disk is no result"

    (tmp_path / "full").unlink()
    done = sweep.command("resume", str(sweep.folder))
    assert done.returncode == 0, done.stderr
    found = by_kind()
    assert {kind: (one.status, one.failure) for kind, one in found.items()} == {
        "FullDisk": ("finished", None),
        "Fine": ("finished", None),
        "Raises": ("failed", "raised"),
        "Greedy": ("finished", None),
        "Hangs": ("finished", None),
        "Dies": ("failed", "died"),
    }
    assert "ValueError: no head for 16 slices" in (found["Raises"].error or "")
    traceback = (sweep.folder / "errors" / f"{found['Raises'].trial}.txt").read_text()
    assert traceback.startswith("Traceback")
    assert "failing.py" in traceback
    assert found["Greedy"].params["train.batch_size"] == 8
    folder = SweepFolder.open(sweep.folder)
    checkpoint = folder.checkpoint(found["Greedy"].trial, found["Greedy"].best_epoch or 0)
    assert CheckpointInfo.read(checkpoint).config.train.batch_size == 8
    assert "its worker hung" in stopped.stderr + done.stderr
    told = json.loads(sweep.command("best", str(sweep.folder), "--failed", "--json").stdout)
    assert {one["kind"]: one["again"] for one in told} == {"raised": False, "died": True}

    (tmp_path / "dies").unlink()
    again = sweep.command("resume", str(sweep.folder))
    assert again.returncode == 0, again.stderr
    assert f"{found['Dies'].trial} is tried again" in again.stderr
    assert by_kind()["Dies"].status == "finished"
    assert by_kind()["Raises"] == found["Raises"], "its fault is its own"
    assert sorted(study_statuses(folder)) == ["failed", *["finished"] * 5]
    assert {run.info.status for run in sweep.runs("trial")} == {"FINISHED", "FAILED"}
