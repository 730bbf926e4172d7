"""Imports point downward: what a file may import follows from where it stands."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    *("ray", "optuna", "mlflow", "pyarrow", "pydantic", "matplotlib"),
    *("h5py", "PIL", "nibabel", "pydicom", "torch"),
}

DATA = {
    *("sweep.data.geometry", "sweep.data.keys", "sweep.data.problems", "sweep.data.slices"),
    *("sweep.data.splits", "sweep.errors"),
}
# Layer by layer from the bottom. A file belongs to its longest matching prefix, and may import
# the project's modules named for it and those of HEAVY named for it; the rest is free.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "artifacts_sim": ({"artifacts_sim"}, {"torch"}),
    "artifacts_sim.acquisition": (
        {
            "artifacts_sim.acquisition",
            "artifacts_sim.checks",
            "artifacts_sim.errors",
            "artifacts_sim.params",
        },
        {"torch"},
    ),
    "artifacts_sim.kinds": (
        {
            "artifacts_sim.acquisition",
            "artifacts_sim.base",
            "artifacts_sim.checks",
            "artifacts_sim.errors",
            "artifacts_sim.keyed",
            "artifacts_sim.kinds",
            "artifacts_sim.params",
            "artifacts_sim.levels",
        },
        {"torch"},
    ),
    "artifacts_sim.levels": ({"artifacts_sim.errors"}, set()),
    "mrimodels": ({"mrimodels"}, {"torch"}),
    "sweep.errors": (set(), set()),
    "sweep.files": (set(), set()),
    "sweep.records": (set(), set()),
    "sweep.space": ({"sweep.errors"}, set()),
    "sweep.settings": ({"sweep.errors", "mrimodels"}, set()),
    "sweep.severity": ({"sweep.errors", "sweep.settings", "artifacts_sim"}, set()),
    "sweep.config": (
        {"sweep.errors", "sweep.settings", "sweep.space", "artifacts_sim"},
        {"pydantic"},
    ),
    "sweep.data": (DATA, set()),
    "sweep.data.formats": (
        {"sweep.data.formats", "sweep.data.geometry", "sweep.data.problems", "sweep.errors"},
        {"h5py", "PIL"},
    ),
    "sweep.data.formats.dicom": (
        {"sweep.data.formats", "sweep.data.geometry", "sweep.data.problems", "sweep.errors"},
        {"pydicom"},
    ),
    "sweep.data.phantom": ({"sweep.data.phantom", *DATA}, {"h5py", "PIL"}),
    "sweep.data.ingest": (
        {"sweep.data.ingest", "sweep.data.formats", "sweep.data.store", *DATA},
        set(),
    ),
    "sweep.data.inspect": (
        {"sweep.data.inspect", "sweep.data.store", "sweep.files", *DATA},
        {"PIL"},
    ),
    "sweep.data.store": ({"sweep.data.store", "sweep.files", *DATA}, {"h5py", "PIL"}),
    "sweep.learn": (
        {
            "sweep.learn",
            "sweep.data",
            "sweep.errors",
            "sweep.files",
            "sweep.records",
            "sweep.settings",
            "sweep.severity",
            "artifacts_sim",
            "mrimodels",
        },
        {"torch"},
    ),
    "sweep.ledger": (
        {
            "sweep.ledger",
            "sweep.learn",
            "sweep.config",
            "sweep.errors",
            "sweep.files",
            "sweep.records",
            "mrimodels",
        },
        set(),
    ),
    "sweep.search": (
        {"sweep.search", "sweep.config", "sweep.learn.keys", "sweep.records", "sweep.space"},
        set(),
    ),
    "sweep.cluster": (
        {
            "sweep.cluster",
            "sweep.search",
            "sweep.ledger",
            "sweep.learn",
            "sweep.data",
            "sweep.config",
            "sweep.errors",
            "sweep.records",
            "sweep.settings",
        },
        {"ray", "torch"},
    ),
    "sweep": ({"sweep", "artifacts_sim"}, {"torch"}),
}
# One importer for each heavy package, beyond what a layer allows.
ONE_FILE = {
    "sweep.ledger.tables": {"pyarrow"},
    "sweep.ledger.tracking": {"mlflow", "matplotlib"},
    "sweep.ledger.figures": {"matplotlib"},
    "sweep.preview": {"matplotlib"},
    "sweep.data.formats.nifti": {"nibabel"},
    "sweep.search.study": {"optuna"},
    "sweep.search.searcher": {"optuna", "ray"},
    "sweep.search.scheduler": {"ray"},
}
FILES = sorted(
    path
    for package in ("artifacts_sim", "mrimodels", "sweep")
    for path in (ROOT / package).rglob("*.py")
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def starts_with(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def violations(module: str, names: set[str]) -> set[str]:
    layer = max((key for key in LAYERS if starts_with(module, key)), key=len)
    ours, heavy = LAYERS[layer]
    heavy = heavy | ONE_FILE.get(module, set())
    projects = ("artifacts_sim", "mrimodels", "sweep")
    return {
        name
        for name in names
        if (name.split(".")[0] in projects and not any(starts_with(name, p) for p in ours))
        or (name.split(".")[0] in HEAVY and name.split(".")[0] not in heavy)
    }


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_import_points_upward(path: Path) -> None:
    assert not violations(module_of(path), imported(path))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("artifacts_sim.kinds.rician", "sweep.errors"),
        ("artifacts_sim.kinds.rician", "artifacts_sim.registry.get"),
        ("artifacts_sim.acquisition.signal", "artifacts_sim.kinds.motion"),
        ("mrimodels.norms", "artifacts_sim.get"),
        ("sweep.learn.fit", "ray"),
        ("sweep.learn.fit", "sweep.ledger.folder"),
        ("sweep.ledger.folder", "mlflow"),
        ("sweep.data.store.reading", "torch"),
        ("sweep.data.store.draft", "sweep.data.ingest.plan"),
        ("sweep.data.formats.fastmri.volume", "sweep.data.slices"),
        ("sweep.data.slices", "h5py"),
    ],
)
def test_an_upward_import_is_seen(module: str, name: str) -> None:
    assert violations(module, {name}) == {name}
