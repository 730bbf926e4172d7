"""Packages that add to the tables of this one, installed for the time of a test."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: Mapping[str, Mapping[str, str]],
    **modules: str,
) -> None:
    """Lay a package named ``mine`` out as pip does, and put it on the path.

    Args:
        folder: Where to.
        monkeypatch: Takes the path back.
        groups: For each group of entry points the place of each name.
        modules: The source of each module.

    """
    info = folder / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
