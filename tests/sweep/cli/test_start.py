"""What a command imports before its first message: nothing that takes seconds.

By what is imported, not by time, so that a busy machine does not decide it; the seconds are
measured by ``benchmarks/start.py``.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

from sweep.__main__ import start
from tests.support.data import ROOT

SLOW = (
    "shtab",
    "torch",
    "ray",
    "mlflow",
    "optuna",
    "pandas",
    "scipy",
    "pyarrow",
    "h5py",
    "matplotlib",
)
SCRIPT = f"""
import sys
from sweep.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as ended:
    status = ended.code
slow = sorted(set({SLOW}) & set(sys.modules))
print("status", status, "slow", *slow, file=sys.stderr)
"""
SWEEP = {
    "name": "small",
    "data": {"store": "none.h5", "train": [1], "validation": [2]},
    "search": {"trials": 2, "space": {"model.norm": {"choice": ["batch", "group"]}}},
    "stress": {"artifacts": ["rician", "holdout"], "levels": [1, 3]},
}


def first_message(folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """What a command says on both streams, then its exit status and what it had to import."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    *said, end = done.stderr.splitlines()
    return "\n".join([done.stdout, *said]), end.split()


def write(folder: Path, name: str, setting: object) -> None:
    raw = {**SWEEP}
    section, _, key = name.partition(".")
    raw[section] = {**raw.get(section, {}), key: setting} if key else setting  # type: ignore[dict-item]
    (folder / "sweep.yaml").write_text(yaml.safe_dump(raw))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--help",), "usage: mrisweep"),
        (("run", "--help"), "usage: mrisweep run"),
        (("--version",), "mrisweep "),
        (("list",), "no sweep is in"),
        (("presets",), "madaan2023"),
        (("settings",), "train.lr"),
        (("settings", "model"), "model.norm"),
    ],
)
def test_what_only_tells_waits_for_no_heavy_package(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    said, end = first_message(tmp_path, *arguments)
    assert says in said
    assert end == ["status", "0", "slow"]


@pytest.mark.parametrize(
    ("name", "setting", "says"),
    [
        ("trian", {}, "no such setting; received 'trian'"),
        ("train.epochs", "many", "'many'"),
        ("train.epochs", 0, "epochs cannot take this value; received 0"),
        ("model.norm", "bacth", "did you mean 'batch'?"),
        ("model.arch", "resnt18", "did you mean 'resnet18'?"),
        ("stress.artifacts", ["moton"], "did you mean 'motion'?"),
        ("stress.levels", [9], "levels of 1 to 5"),
        ("stress.options", {"moton": {}}, "no artifact"),
        ("search.objective", "robust/auroc", "robust/auroc"),
        ("search.space", {"model.norm": {"choice": ["batch", "gruop"]}}, "did you mean 'group'?"),
    ],
)
def test_a_mistake_in_a_sweep_file_is_said_at_once(
    tmp_path: Path, name: str, setting: object, says: str
) -> None:
    write(tmp_path, name, setting)
    said, end = first_message(tmp_path, "check", "sweep.yaml")
    assert says in said
    assert "Traceback" not in said
    assert end == ["status", "2", "slow"]


@pytest.mark.parametrize(
    "arguments",
    [("run", "sweep.yaml"), ("submit", "sweep.yaml", "--out", "new"), ("resume", ".")],
)
def test_every_command_that_reads_one_says_so_at_once(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    write(tmp_path, "model.norm", "bacth")
    (tmp_path / "sweep.json").write_text("{}")  # with which the folder is a sweep's
    said, end = first_message(tmp_path, *arguments)
    assert "did you mean 'batch'?" in said
    assert end == ["status", "2", "slow"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "no-preset"),
        ("run", "no-preset"),
        ("submit", "no-preset", "--out", "new"),
        ("resume", "nowhere"),
        ("best", "nowhere"),
        ("compare", "nowhere", "batch", "group"),
        ("finalists", "nowhere"),
        ("report", "nowhere"),
        ("sync", "nowhere"),
        ("gc", "nowhere"),
        ("watch", "nowhere"),
    ],
)
def test_a_file_or_folder_that_is_not_there_is_said_at_once(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said, end = first_message(tmp_path, *arguments)
    assert "there is no such" in said
    assert end == ["status", "2", "slow"]


def test_what_comes_next_is_said_before_it_is_imported(tmp_path: Path) -> None:
    """Torch cannot be imported here, and the line is there all the same."""
    write(tmp_path, "seed", 1)
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(2)\nraise SystemExit(7)")
    for command, line in (
        ("check", "read sweep.yaml; "),
        ("run", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  starting$"),  # after others where it is slow
    ):
        said, end = first_message(tmp_path, command, "sweep.yaml")
        assert re.search(f"^{line}", said, re.MULTILINE)
        assert end[:2] == ["status", "7"]


def test_ctrl_c_while_the_modules_load_ends_without_a_traceback(tmp_path: Path) -> None:
    """As the console script starts, with a signal in the midst of its imports."""
    script = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
class Signalling:
    def find_spec(self, name, *_):
        if name == "sweep.cli.check":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Signalling())
from sweep.__main__ import start
start()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "settings"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_console_script_starts_where_ctrl_c_is_heard() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert EntryPoint("mrisweep", project["scripts"]["mrisweep"], "").load() is start
