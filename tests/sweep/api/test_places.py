"""A sweep whose places on a cluster are lost, without the cluster."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sweep.api import run as api
from sweep.cluster.packing import Plan
from sweep.cluster.room import NoRoomError
from sweep.config.sweep import SweepConfig
from sweep.core.errors import WorkError
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.sweeps import settings


def test_a_sweep_that_loses_its_places_goes_on_in_its_folder_once_there_are_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    given: list[tuple[Path, int]] = []

    def room(cluster: object, say: object, again: bool = False) -> Plan:
        asked.append(again)
        return Plan((), len(asked), ())

    def run_trials(folder: SweepFolder, config: SweepConfig, plan: Plan, *_: Any) -> None:
        given.append((folder.path, plan.trials))
        if len(given) < 3:
            raise NoRoomError("the sweep lost its places", "a lost node", "resume the sweep")

    monkeypatch.setattr(api, "session", lambda *_: nullcontext())
    monkeypatch.setattr(api, "wait_for_room", room)
    monkeypatch.setattr(api, "run_trials", run_trials)
    config = SweepConfig.from_dict(settings(store, tracking={"to": ["jsonl"]}))
    with pytest.raises(WorkError, match="no trial came to a result"):
        api.run(config, tmp_path / "out")
    assert asked == [False, True, True]
    assert given == [(tmp_path / "out", at) for at in (1, 2, 3)]
