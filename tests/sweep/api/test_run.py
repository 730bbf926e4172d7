"""What is refused before Ray is started or a folder made."""

from pathlib import Path

import pytest
import ray

from sweep.api.run import run
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.store import Store
from tests.support.sweeps import settings


@pytest.fixture
def config(store: Store, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return SweepConfig.from_dict(settings(store))


def test_more_than_this_machine_has(config: SweepConfig, tmp_path: Path) -> None:
    greedy = config.replace({"cluster.trial.cpu": 4000})
    with pytest.raises(UserError, match=r"received 4001 CPU \(trial 4000, evaluators 1 x 1\) for"):
        run(greedy, tmp_path / "out")
    assert not ray.is_initialized()
    assert list(tmp_path.iterdir()) == []


def test_in_a_ray_job_a_folder_that_ray_would_delete(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")  # as Ray sets it in a job
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is not an absolute path.*; received 'here'; add --out"):
        run(config, Path("here"))
    assert list(tmp_path.iterdir()) == []
