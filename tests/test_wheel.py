"""What is shipped: the wheel has all that it needs, and other packages can add to it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.data import ROOT

pytestmark = pytest.mark.slow
PACKAGES = ("sweep", "mrimodels", "artifacts_sim")
PLUGIN = Path(__file__).parent / "plugin_package"


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def built(source: Path, folder: Path) -> Path:
    """The wheel of a project, built without a network."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(site: Path, *arguments: str) -> str:
    """Python in an empty folder, with a folder of installed packages before all others."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # From a copy, as setuptools builds beside the sources and takes what an earlier build left.
    copy = tmp_path_factory.mktemp("sources")
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        else:
            shutil.copy(source, copy)
    return built(copy, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("wheel") / "site"
    pip("install", "--no-deps", "--target", str(site), str(wheel))
    return site


def test_every_module_and_every_file_of_data_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".json", ".yaml", ".html", ".typed")
    }
    modules = {name for name in shipped if not name.startswith("mrisweep-")}
    assert modules == wanted


def test_the_installed_wheel_runs_without_the_sources(site: Path) -> None:
    where = run(site, "-c", "import sweep, mrimodels, artifacts_sim as a; print(sweep.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    assert "usage: mrisweep" in run(site, "-m", "sweep", "--help")
    made = run(site, "-m", "sweep", "phantom", "--out", "phantom", "--patients", "5")
    assert "5 patients" in made
    assert run(site, "-m", "sweep", "presets").startswith("madaan2023 ")
    assert "\nmrnet " in run(site, "-m", "sweep", "ingest", "presets")
    levels = "from artifacts_sim import get; print(get('rician').at(3))"
    assert float(run(site, "-c", levels)) > 0
    presets = (
        "from sweep.ingest.fastmri.rule import load_rule; print(*load_rule('madaan2023').labels)"
    )
    assert run(site, "-c", presets).split() == ["acl", "mtear", "cartilage", "abnormal"]


USE = """
import sys, dataclasses
from pathlib import Path
import artifacts_sim, mrimodels
from sweep import fit
from sweep.config.sweep import SweepConfig
from sweep.metrics import objectives
from sweep.results.folder import SweepFolder
from sweep.results.trackers import check_trackers, start_trackers
from sweep.results.trials import TrialLog
from sweep.store import Store

store = Store.open(sys.argv[1])
config = SweepConfig.from_dict({
    "name": "plugins",
    "data": {"store": str(store.path), "train": [1, 2], "validation": [3]},
    "model": {"norm": "plain", "width": 4},
    "search": {"trials": 1, "objective": "robust/gini_mean"},
    "train": {"epochs": 1, "batch_size": 16},
    "stress": {"artifacts": ["dimming"], "levels": [1, 5], "grid": "physical"},
    "tracking": {"to": ["notes"]},
})
check_trackers(config)
folder = SweepFolder.create(Path("sweep"), config)
result = fit(config.trial({}), store, folder.checkpoints("trial-0000"), trial="trial-0000")
(epoch,) = result.history
assert {item.cell.artifact for item in epoch.scores} == {"clean", "dimming"}
assert epoch.metrics["robust/gini_mean"] == 2 * epoch.metrics["robust/auroc_mean"] - 1
(tracker,) = start_trackers(folder, config, print)
with TrialLog(folder, config.search.objective, [tracker]) as log:
    log.began("trial-0000", 0, {}, "plain", 0)
print((folder.path / "notes.txt").read_text(), end="")
"""


def test_an_installed_package_adds_an_artifact_a_norm_a_metric_and_a_tracker(
    site: Path, tmp_path: Path, store: object
) -> None:
    both = tmp_path / "both"
    pip("install", "--no-deps", "--target", str(both), str(built(PLUGIN, tmp_path / "dist")))
    for path in site.iterdir():
        (both / path.name).symlink_to(path)
    told = run(both, "-c", USE, str(store.path))
    assert told.splitlines() == ["began trial-0000", "closed False"], "the trial has not ended"
