"""Early stopping in a whole sweep: what it saves is said, and a kill changes no decision."""

import signal
from collections.abc import Callable

import pytest

from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.sweeps import Sweep, settings, study_statuses

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.mark.long  # test_killed.py does it with ASHA, and no cluster is needed to ask every rule
def test_a_sweep_that_is_killed_stops_the_trials_that_it_would_have_stopped(
    make_sweep: Callable[..., Sweep], store: Store
) -> None:
    """PASHA has most to remember; trials run one after the other, so that their order is fixed."""
    plain = settings(store)
    space = {**plain["search"]["space"], "model.norm": {"choice": ["batch", "group"]}}
    changes = {
        "search": {"trials": 4, "space": space, "scheduler": "pasha", "grace_epochs": 1},
        "train": {**plain["train"], "epochs": 4},
        "stress": {"artifacts": ["rician"], "levels": [3], "grid": "physical"},
        "cluster": {"concurrent": 1},
    }
    whole, killed = make_sweep(**changes), make_sweep(**changes)
    done = whole.run()
    assert done.returncode == 0, done.stderr
    assert "note: early stopping (pasha) saved " in done.stderr

    def ended() -> int:
        records = SweepFolder(killed.folder).trials()
        return sum(record.status == "pruned" for record in records)

    killed.interrupt(signal.SIGKILL, lambda: ended() >= 2, *killed.run_arguments())
    resumed = killed.command("resume", str(killed.folder))
    assert resumed.returncode == 0, resumed.stderr
    folders = [SweepFolder.open(one.folder) for one in (whole, killed)]
    ends = [
        [(trial.status, folder.last_reported(trial.trial)) for trial in folder.trials()]
        for folder in folders
    ]
    assert ends[0] == ends[1]
    assert ("pruned", 2) in ends[0], "one ended at the second rung"
    for folder in folders:
        assert study_statuses(folder) == [trial.status for trial in folder.trials()]
