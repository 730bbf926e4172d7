"""The configurations that a search tries are known before, as far as it does not learn."""

from pathlib import Path
from typing import Any

import pytest

from sweep.config.search import SearchSettings
from sweep.search.points import points
from sweep.search.study import Study

SPACE = {
    "model.norm": {"choice": ["batch", "group", "layer"]},
    "model.width": {"int": [4, 64]},
    "train.epochs": {"choice": [2, 4, 8]},
    "model.norm_groups": {"choice": [2, 4], "when": {"model.norm": "group"}},
}
GRID = {"model.norm": {"choice": ["batch", "group"]}, "model.width": {"choice": [4, 8]}}


@pytest.mark.parametrize(
    "settings",
    [
        {"sampler": "sobol", "space": SPACE, "trials": 12},
        {"sampler": "tpe", "space": SPACE, "trials": 12},
        {"sampler": "sobol", "space": SPACE, "trials": 10, "stratify": None},
        {"sampler": "grid", "space": GRID},
    ],
)
def test_they_are_those_that_a_study_begins_with(settings: dict[str, Any], tmp_path: Path) -> None:
    search = SearchSettings(**settings)
    study = Study(tmp_path / "journal.log", "x", search, seed=3)
    asked = [study.ask().params for _ in range(search.total)]
    assert points(search, 3) == asked
    assert points(search, 4) != asked
