"""What fails alone: a trial that diverges, a tracking server that hangs."""

from collections.abc import Callable

import pytest

from sweep.results.folder import SweepFolder
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
    assert "trial-0000 (batch) failed: robust/auroc_cvar was never finite" in done.stderr
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
