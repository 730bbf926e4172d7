"""Imports point downward: the rooms of ``tools/rooms.py`` hold for every module."""

from pathlib import Path

import pytest

from tests.support.data import ROOT
from tools import rooms


@pytest.mark.parametrize("path", rooms.files(), ids=rooms.module_of)
def test_no_import_points_upward(path: Path) -> None:
    assert not rooms.broken(rooms.module_of(path), rooms.imported(path))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("artifacts_sim.kinds.rician", "sweep.core.errors"),
        ("artifacts_sim.kinds.rician", "artifacts_sim.registry.get"),
        ("artifacts_sim.acquisition.signal", "artifacts_sim.kinds.motion"),
        ("artifacts_sim.keyed", "torch"),
        ("mrimodels.norms", "artifacts_sim.get"),
        ("sweep.core.errors", "sweep.config.settings"),
        ("sweep.core.keys", "torch"),
        ("sweep.config.settings", "pydantic"),
        ("sweep.metrics.table", "sweep.config.sweep"),
        ("sweep.metrics.functions", "torch"),
        ("sweep.learn.fit", "ray"),
        ("sweep.learn.fit", "sweep.results.folder"),
        ("sweep.results.folder", "mlflow"),
        ("sweep.store.reader", "torch"),
        ("sweep.store.writer", "sweep.ingest.plan"),
        ("sweep.store.slices", "h5py"),
        ("sweep.ingest.formats.manifest", "sweep.ingest.plan"),
        ("sweep.results.trials", "sweep.api.run"),
        ("sweep.api.run", "ray"),
    ],
)
def test_an_upward_import_is_seen(module: str, name: str) -> None:
    assert rooms.broken(module, {name}) == {name}


def test_every_room_says_what_belongs_there() -> None:
    for room in rooms.ROOMS:
        assert room.text().endswith("."), f"{room.name} has no docstring that says so"


def test_no_module_stands_outside_the_rooms() -> None:
    """Every package of ``sweep`` is a room: none hides in the one at the top."""
    top = {path.parent.name for path in (ROOT / "sweep").glob("*/__init__.py")}
    assert {f"sweep.{name}" for name in top} <= {room.name for room in rooms.ROOMS}
    loose = {path.name for path in (ROOT / "sweep").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py"}


def test_the_architecture_shows_these_rooms() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert rooms.table() in text, "run python tools/rooms.py --table and paste it"
