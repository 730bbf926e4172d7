"""A sweep of two objectives from its file to its front."""

from collections.abc import Callable

import pytest

from sweep.api.best import hypervolumes
from sweep.store import Store
from tests.support.sweeps import Sweep, settings

pytestmark = [
    pytest.mark.cluster,
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_a_sweep_says_its_front_and_what_it_covers(
    make_sweep: Callable[..., Sweep], store: Store
) -> None:
    plain = settings(store)
    space = {**plain["search"]["space"], "model.norm": {"choice": ["batch", "group"]}}
    search = {
        "space": space,
        "trials": 6,
        "grace_epochs": 1,
        "objectives": ["clean/auroc", "robust/auroc_mean"],
    }
    changes = {"search": search, "cluster": {"concurrent": 1}}  # in a fixed order
    whole = make_sweep(**changes)
    done = whole.run()
    assert done.returncode == 0, done.stderr
    covered = hypervolumes(whole.folder)
    assert f"hypervolume  {covered[None]:.3f} of the square from 0 to 1" in done.stdout
    rows = whole.best()
    front = [row["trial"] for row in rows if row["pareto_rank"] == 0]
    assert front
    said = next(line for line in done.stdout.splitlines() if line.startswith("front  "))
    assert all(trial in said for trial in front)
    (parent,) = whole.runs("sweep")
    assert parent.data.metrics["pareto/hypervolume"] == covered[None]
    tags = {run.data.tags["trial"]: run.data.tags.get("pareto") for run in whole.runs("trial")}
    assert [trial for trial in sorted(tags) if tags[trial] == "front"] == sorted(front)
