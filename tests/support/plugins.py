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
    """Lay a package named ``mine`` out with its modules, and put it on the path.

    Args:
        folder: Where to.
        monkeypatch: Takes the path back.
        groups: For each group of entry points the place of each name.
        modules: The source of each module.

    """
    lay_out(folder, groups)
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()


def lay_out(folder: Path, groups: Mapping[str, Mapping[str, str]]) -> None:
    """What pip writes of a package named ``mine``, its entry points included."""
    info = folder / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
