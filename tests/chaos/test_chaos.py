"""Disturbances that no other test brings about; all of them, by the hundred: `make chaos`."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.store import Store
from tests.chaos.arena import small_settings
from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.harness import drawn_names, play, possible, undisturbed
from tests.support.same import unlike
from tests.support.stores import make_store
from tests.support.sweeps import Sweep

pytestmark = [
    # MLflow's own, see tests/sweep/results/test_mlflow.py.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("chaos") / "tiny.h5")


@pytest.fixture(scope="module")
def whole(own_store: Store) -> Iterator[Sweep]:
    with undisturbed(own_store) as sweep:
        yield sweep


@pytest.mark.cluster
def test_a_raylet_that_is_killed_changes_nothing(own_store: Store) -> None:
    """The driver ends in order and says how to go on; the next one comes to the end."""
    with undisturbed(own_store, small_settings) as small:
        outcome = play(own_store, small, ["kill -9 of the raylet"], "short form", small_settings)
    assert outcome.resumes == 1, outcome
    assert outcome.equal, outcome


@pytest.mark.cluster
@pytest.mark.long
@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_sweep_that_is_disturbed_comes_to_what_it_would_have_come_to(
    own_store: Store, whole: Sweep, name: str
) -> None:
    if name not in possible():
        pytest.skip("only a user who may mount a file system can bring it about")
    outcome = play(own_store, whole, [name], f"long form {name}")
    assert outcome.equal, outcome


def test_the_plan_of_a_series_has_every_disturbance_and_is_drawn_by_its_key() -> None:
    names = list(DISTURBANCES)
    plan = drawn_names(names, "0", 3 * len(names))
    for start in range(0, len(plan), len(names)):
        assert {first for first, *_ in plan[start : start + len(names)]} == set(names)
    assert plan == drawn_names(names, "0", 3 * len(names))
    assert plan != drawn_names(names, "1", 3 * len(names))
    assert {len(one) for one in plan} == {1, 2}


def change_a_score(folder: Path) -> None:
    path = min((folder / "trials").glob("*.json"))
    record = json.loads(path.read_text())
    name = min(record["metrics"])
    record["metrics"][name] = (record["metrics"][name] or 0) + 1e-12
    path.write_text(json.dumps(record))


def leave_a_file(folder: Path) -> None:
    (folder / "results" / ".epoch-0001.parquet.00000000-1-0a1b2c3d.tmp").touch()
    hour_ago = folder.stat().st_mtime - 4000
    os.utime(folder / "results" / ".epoch-0001.parquet.00000000-1-0a1b2c3d.tmp", (hour_ago,) * 2)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (change_a_score, "trial 0: "),
        (lambda folder: next(folder.glob("checkpoints/*/*")).unlink(), "file checkpoints/trial-"),
        (leave_a_file, "left over "),
        (lambda folder: None, None),
    ],
)
def test_what_differs_is_found(
    change: Callable[[Path], None], found: str | None, sweep_folder: Path, tmp_path: Path
) -> None:
    """A comparison that finds nothing proves nothing."""
    folders = [Path(shutil.copytree(sweep_folder, tmp_path / name)) for name in ("one", "other")]
    change(folders[1])
    sweeps = (Sweep(tmp_path / "none.yaml", folder) for folder in folders)
    lines = unlike(*sweeps, experiment=None)
    assert bool(lines) == (found is not None)
    assert found is None or any(line.startswith(found) for line in lines)
