"""What ``mrisweep check`` says that a sweep takes, against what it takes.

Five sweeps of phantom data, of different shape:

- ``tiny``: three trials of three epochs, most of it start and end;
- ``many``: 24 short trials, of which ASHA stops some;
- ``few``: six long trials of a larger network, of which ASHA stops some;
- ``follow``: modes after the trials, then finalists;
- ``searched``: epochs, batch size, width, network and norm are searched.

Each is estimated by what ``check`` prints, in a process of its own, and is then run as a user runs
it. Run it on an idle machine with two cores, about 15 minutes: ``python benchmarks/check_cost.py
--save``, or a shape at a time: ``--shapes tiny many --save`` leaves what is known of the others.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from results import FOLDER, Record, read

from sweep.core.text import between, span
from sweep.results.folder import SweepFolder

NAME, TABLE = "check_cost", "a sweep"
ESTIMATE = """
import dataclasses, json, sys
from sweep.api.check import estimate
from sweep.api.measure import start_seconds
from sweep.api.pace import Room
from sweep.api.preflight import open_data
from sweep.cluster.survey import survey
from sweep.config.sweep import SweepConfig
config = SweepConfig.from_yaml(sys.argv[1])
found = survey(config.cluster)
room = Room(found.trials, found.finalists, found.cpus, start_seconds())
parts = estimate(config, open_data(config), room).parts
whole = {name: getattr(parts, name) for name in ("expected", "low", "high", "most")}
print(json.dumps({**dataclasses.asdict(parts), **whole}))
"""
RATE = {"log": [1e-3, 1e-2]}
THREE, TWO = ({"choice": ["batch", "group", "layer"][:count]} for count in (3, 2))


def base(store: Path) -> dict[str, Any]:
    """What all of them have."""
    return {
        "data": {"store": str(store), "train": [1, 2, 3], "validation": [4], "test": [5]},
        "model": {"width": 8, "stem_stride": 2},
        "train": {"epochs": 3, "batch_size": 16},
        "stress": {
            "artifacts": ["rician", "motion", "bias"],
            "levels": [1, 3],
            "grid": "physical",
        },
    }


SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"search": {"trials": 3, "space": {"model.norm": THREE, "train.lr": RATE}}},
    "many": {
        "train": {"epochs": 6},
        "search": {
            "trials": 24,
            "scheduler": "asha",
            "space": {"model.norm": THREE, "train.lr": RATE},
        },
    },
    "few": {
        "model": {"width": 24},
        "train": {"epochs": 16},
        "search": {
            "trials": 6,
            "scheduler": "asha",
            "space": {"model.norm": TWO, "train.lr": RATE},
        },
    },
    "follow": {
        "model": {"width": 16},
        "train": {"epochs": 5},
        "stress": {"modes": ["blend", "adabn"]},
        "search": {"trials": 6, "space": {"model.norm": TWO, "train.lr": RATE}},
        "finalists": {"per_norm": 1, "seeds": 2, "holdout": ["spike"]},
    },
    "searched": {
        "search": {
            "trials": 12,
            "scheduler": "none",
            "space": {
                "model.norm": TWO,
                "model.arch": {"choice": ["preact_resnet18", "preact_resnet34"]},
                "model.width": {"choice": [4, 8, 16]},
                "train.batch_size": {"choice": [8, 16, 32]},
                "train.epochs": {"choice": [2, 4, 8]},
                "train.lr": RATE,
            },
        },
    },
}


class Outcome(NamedTuple):
    """Seconds of a sweep, predicted and measured.

    Attributes:
        predicted: By name of the part, and of the whole.
        start: Measured until the first trial began.
        trials: Until the last had ended.
        rest: Until the command had ended.

    """

    predicted: dict[str, float]
    start: float
    trials: float
    rest: float

    @property
    def measured(self) -> float:
        """The whole command."""
        return self.start + self.trials + self.rest


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The same with other settings, section by section."""
    both = {
        key: {**one[key], **other[key]} if isinstance(one.get(key), dict) else other[key]
        for key in other
    }
    return {**one, **both}


def command(*arguments: str | Path) -> None:
    """Run ``mrisweep`` to its end."""
    asked = [sys.executable, "-m", "sweep", *map(str, arguments)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(asked)} failed: {done.stderr}")


def make_store(folder: Path) -> Path:
    """Phantoms of forty patients."""
    command("phantom", "--out", folder / "phantom", "--patients", "40")
    tables = {
        f"--{name}": folder / "phantom" / file
        for name, file in (
            ("labels", "labels.csv"),
            ("reviewed", "file_list.csv"),
            ("rule", "rule.yaml"),
        )
    }
    given = [part for pair in tables.items() for part in pair]
    store = folder / "knee.h5"
    command("ingest", "fastmri", folder / "phantom" / "volumes", *given, "--out", store)
    return store


def tried(name: str, store: Path, folder: Path) -> Outcome:
    """Estimate a shape, then run it."""
    folder.mkdir()
    file, out = folder / f"{name}.yaml", folder / "sweep"
    file.write_text(yaml.safe_dump({"name": name, **merged(base(store), SHAPES[name])}))
    said = subprocess.run(
        [sys.executable, "-c", ESTIMATE, str(file)], capture_output=True, text=True, check=True
    )
    began = time.time()
    command("run", file, "--out", out)
    ended = time.time()
    trials = SweepFolder.open(out).trials()
    first = min(one.started_at_ms for one in trials) / 1000
    last = max(one.ended_at_ms or 0 for one in trials) / 1000
    return Outcome(json.loads(said.stdout), first - began, last - first, ended - last)


def note(record: Record, name: str, found: Outcome) -> None:
    """Keep what became of a shape, and print it."""
    said, measured = found.predicted, found.measured
    after = said["rows"] + said["finalists"] + said["end"]
    row: dict[str, str | float] = {
        "predicted": span(said["expected"]),
        "between": between(said["low"], said["high"]),
        "at most": span(said["most"]),
        "measured": span(measured),
        "ratio": measured / said["expected"],
        "ratio, start": found.start / said["start"],
        "ratio, trials": found.trials / said["trials"],
        "ratio, the rest": found.rest / after,
    }
    for column, value in row.items():
        record.add(TABLE, name, column, value)
    print(name, *(f"{key}: {v if isinstance(v, str) else f'{v:.2f}'}" for key, v in row.items()))
    print(
        f"  start {said['start']:.1f} / {found.start:.1f} s, "
        f"trials {said['trials']:.1f} / {found.trials:.1f} s, "
        f"the rest {after:.1f} / {found.rest:.1f} s (predicted / measured)",
        flush=True,
    )


def main() -> None:
    """Measure the shapes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument(
        "--save", action="store_true", help=f"write benchmarks/results/{NAME}.json, shape by shape"
    )
    options = parser.parse_args()
    record = Record(NAME)
    if (FOLDER / f"{NAME}.json").exists():
        record.figures = read(NAME)["figures"]
    with tempfile.TemporaryDirectory() as scratch:
        store = make_store(Path(scratch))
        for name in options.shapes:
            record.figures = [one for one in record.figures if one["row"] != name]
            note(record, name, tried(name, store, Path(scratch) / name))
            record.figures.sort(key=lambda one: list(SHAPES).index(one["row"]))
            if options.save:
                record.save()


if __name__ == "__main__":
    main()
