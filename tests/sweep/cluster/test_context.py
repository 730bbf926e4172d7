"""A whole sweep whose trials get slices with their neighbours, some of them alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.learn.checkpoints import CheckpointInfo
from sweep.results.folder import SweepFolder
from tests.support.stores import make_volumes
from tests.support.sweeps import Sweep

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def test_a_sweep_searches_how_many_neighbours_a_slice_comes_with(
    make_sweep: Callable[..., Sweep], tmp_path: Path
) -> None:
    volumes = make_volumes(tmp_path / "volumes.h5")
    made = make_sweep(
        data={"store": str(volumes.path), "train": [1, 2], "validation": [3]},
        search={
            "trials": 2,
            "sampler": "grid",
            "scheduler": "none",
            "space": {"data.context": {"choice": [0, 1]}},
        },
        train={"epochs": 2, "batch_size": 16},
        stress={"artifacts": ["bias"], "levels": [5], "grid": "physical", "modes": ["blend"]},
    )
    done = made.run()
    assert done.returncode == 0, done.stderr
    rows = made.best()
    assert {row["params"]["data.context"] for row in rows} == {0, 1}
    folder = SweepFolder.open(made.folder)
    for record in folder.trials():
        checkpoint = folder.checkpoint(record.trial, record.best_epoch)
        context = record.params["data.context"]
        assert CheckpointInfo.read(checkpoint).config.data.context == context
        (clean, *_), _ = folder.predictions(record.trial, record.best_epoch)
        again = sweep.predict(checkpoint, volumes.path, splits=[3])
        np.testing.assert_allclose(again.log_odds, clean.log_odds, atol=1e-4)
        assert folder.in_mode(record.trial, "blend") is not None
