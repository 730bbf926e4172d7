"""A whole sweep on a network of the user's own, which every process has to import."""

from collections.abc import Callable
from pathlib import Path

import pytest

import mrimodels
from sweep.results.folder import SweepFolder
from tests.support.data import ROOT
from tests.support.networks import OWN
from tests.support.sweeps import Sweep

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_a_sweep_runs_on_a_network_of_the_user_s_own(
    make_sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    sweep = make_sweep(
        model={"arch": OWN, "norm": "keep"},
        search={"trials": 2, "space": {"model.norm": {"choice": ["keep", "group"]}}},
        train={"epochs": 1, "batch_size": 16},
        stress={"artifacts": ["bias"], "levels": [5], "grid": "physical"},
    )
    done = sweep.run()
    assert done.returncode == 0, done.stderr
    rows = sweep.best()
    assert {row["params"]["model.norm"] for row in rows} == {"keep", "group"}
    folder = SweepFolder.open(sweep.folder)
    for record in folder.trials():
        assert record.best_epoch == 1
        _, spec = mrimodels.load(folder.checkpoint(record.trial, 1))
        assert (spec.arch, spec.norm) == (OWN, record.norm)
    assert Path(sweep.folder / "sweep.yaml").read_text().count(OWN) == 1
