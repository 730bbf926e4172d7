"""What a command costs before its first message: CPU seconds, most of them of imports.

    python benchmarks/start.py
    python benchmarks/start.py --before OLD --save

Each command is run in a process of its own, in a folder with nothing but sweep files, so that it
ends with its first message: a text that was asked for, or what is wrong. A figure is the user and
system time of the whole process, the median of five, after one that reads the files from the disk.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from results import Record

ROOT = Path(__file__).resolve().parents[1]
TIMES = 5
MAIN = "from sweep.cli import command_line; command_line()"
SWEEP = {
    "name": "small",
    "data": {"store": "none.h5", "train": [1], "validation": [2]},
    "search": {"trials": 2, "space": {"model.norm": {"choice": ["batch", "group"]}}},
}
MISTAKES = {
    "an unknown setting": {"trian": {}},
    "a wrong value": {"train": {"epochs": "many"}},
    "an unknown norm": {"model": {"norm": "bacth"}, "search": {}},
    "an unknown artifact": {"stress": {"artifacts": ["moton"]}},
}
TOLD = ("--help", "--version", "list", "presets", "settings search")


def cpu_s(command: Sequence[str], root: Path, folder: Path) -> float:
    """The CPU time of a process, median of some; the first, which may read from a disk, is left."""
    seen = []
    for _ in range(TIMES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seen.append(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )
    return statistics.median(seen[1:])


def commands(folder: Path) -> dict[str, list[str]]:
    """The arguments of Python by what they show; the sweep files that they read are written."""
    found = {f"`mrisweep {one}`": ["-c", MAIN, *one.split()] for one in TOLD}
    for number, (what, changes) in enumerate(MISTAKES.items()):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump({**SWEEP, **changes}))
        for name in ("check", "run"):
            found[f"`{name}`: {what}"] = ["-c", MAIN, name, f"{number}.yaml"]
    (folder / "sweep").mkdir()
    (folder / "sweep" / "sweep.json").write_text("{}")
    (folder / "sweep" / "sweep.yaml").write_text(yaml.safe_dump({**SWEEP, "trian": {}}))
    found["`check`: an unknown preset"] = ["-c", MAIN, "check", "no-preset"]
    found["`resume`: an unknown setting"] = ["-c", MAIN, "resume", "sweep"]
    for name in ("resume", "best", "report", "finalists"):
        found[f"`{name}`: no such folder"] = ["-c", MAIN, name, "nowhere"]
    return found


def main() -> int:
    """Measure, and print or save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout, which is measured as well")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/start.json")
    options = parser.parse_args()
    record = Record("start")
    roots = {"before": options.before, "now": ROOT} if options.before else {"now": ROOT}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = {
            "Python alone": ["-c", ""],
            "importing argparse": ["-c", "import argparse"],
            **commands(folder),
        }
        for row, command in rows.items():
            for column, root in roots.items():
                taken = cpu_s(command, root.resolve(), folder)
                record.add("CPU seconds of", row, column, f"{taken:.2f}")
                print(f"{taken:6.2f} s  {column:6} {row}", flush=True)
    if options.save:
        print(record.save())
    return 0


if __name__ == "__main__":
    sys.exit(main())
