"""What the tests of `deploy/` share: its folders, stand-ins for programs, files read."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.data import ROOT

DEPLOY = ROOT / "deploy"


def pinned() -> dict[str, str]:
    """The versions of constraints.txt, by the package's name as an index writes it."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {normal(name): version for name, version in pairs}


def normal(name: str) -> str:
    """A package's name as every index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def program(name: str) -> str:
    """A program of the environment or of the system; the test is skipped, visibly, without it."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}; `make deploy-check` has it")
    return found


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of that name in the folder, which tests put first on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/usr/bin/env bash\n{script}", encoding="utf-8")
    (folder / name).chmod(0o755)


def bash(
    *arguments: str | Path, first: Path, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script with a folder of stand-ins first on PATH."""
    return subprocess.run(
        ["bash", *map(str, arguments)],
        env={**os.environ, **environment, "PATH": f"{first}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def settings(path: Path) -> Mapping[str, str]:
    """NAME=VALUE lines of a file for a container's environment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    return dict(pairs)
