"""Strata, two objectives, early stopping and screenings: a kill changes nothing of the outcome."""

import signal
from collections.abc import Callable

import pytest

from sweep.api.gc import gc
from sweep.results.folder import SweepFolder
from sweep.results.inventory import inventory
from sweep.store import Store
from tests.support.same import unlike
from tests.support.sweeps import Sweep, placeless, settings, study_statuses

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def files(sweep: Sweep) -> set[str]:
    """Every file of the folder; nothing of Tune is left."""
    return {file.path for file in inventory(sweep.folder)}


def test_a_sweep_that_is_killed_time_and_again_has_the_table_of_one_that_never_was(
    make_sweep: Callable[..., Sweep], store: Store
) -> None:
    """Trials run one after the other, so that the order in which they are compared is fixed."""
    plain = settings(store)
    space = {**plain["search"]["space"], "model.norm": {"choice": ["batch", "group"]}}
    changes = {
        "search": {
            "trials": 6,
            "space": space,
            "scheduler": "asha",
            "grace_epochs": 1,
            "objectives": ["clean/auroc", "robust/auroc_mean"],
            "screen": {"patients": 0.5, "levels": 1},
        },
        "train": {**plain["train"], "epochs": 4},
        "cluster": {"concurrent": 1},
        "keep": {"checkpoints": ["best", "front"], "predictions": "each", "top": 1},
    }
    whole, killed = make_sweep(**changes), make_sweep(**changes)
    done = whole.run()
    assert done.returncode == 0, done.stderr

    def reported() -> int:
        return len(list((killed.folder / "results").glob("*/epoch-*.parquet")))

    command = killed.run_arguments()
    for _ in range(2):
        so_far = reported()
        killed.interrupt(signal.SIGKILL, lambda so_far=so_far: reported() >= so_far + 4, *command)
        command = ("resume", str(killed.folder))
    done = killed.command(*command)
    assert done.returncode == 0, done.stderr
    assert not unlike(whole, killed)
    assert files(killed) == files(whole)
    assert not gc(killed.folder, dry_run=True).going, "what is not kept went, and what was left"
    folder = SweepFolder.open(killed.folder)
    trials = folder.trials()
    assert {trial.status for trial in trials} == {"finished", "pruned"}
    assert study_statuses(folder) == [trial.status for trial in trials]
    screened_only = [trial for trial in trials if all("screen/" in name for name in trial.metrics)]
    assert screened_only
    assert all(trial.status == "pruned" for trial in screened_only)
    ranked = {row["trial"] for row in killed.best()}
    assert ranked == {trial.trial for trial in trials} - {one.trial for one in screened_only}
    fronts = [placeless(one.best("--pareto", str(one.folder))) for one in (whole, killed)]
    assert fronts[0] == fronts[1]
    server = ("--mlflow", killed.uri, "--experiment", "tiny")
    assert killed.best(*server) == killed.best()
