"""Sweeps as users run them: the command line, in a process of its own."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow

from sweep.cli import main
from sweep.results.folder import SweepFolder
from sweep.search.study import Study
from sweep.store import Store

PATIENCE_S = 180
# Of a row: where it lies, and what is said of the whole sweep; neither is a result of the trial.
PLACE = ("checkpoint", "folder", "command", "choice")


def placeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of ``best --json`` without what two sweeps with the same trials differ by."""
    return [{key: value for key, value in row.items() if key not in PLACE} for row in rows]


@dataclass(frozen=True)
class Sweep:
    """A sweep's file and folder, and what its commands find in their environment."""

    file: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command; it gets no cluster from the environment."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [sys.executable, "-m", "sweep", *arguments],
            text=True,
            env={**environment, **self.environment},
            cwd=self.file.parent,
            **{**streams, **options},
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run(self, *overrides: str) -> subprocess.CompletedProcess[str]:
        """Run the sweep to its end."""
        return self.command(*self.run_arguments(*overrides))

    def run_arguments(self, *overrides: str) -> Sequence[str]:
        """The arguments of ``run``."""
        sets = [item for override in overrides for item in ("--set", override)]
        return "run", str(self.file), "--out", str(self.folder), *sets

    def best(self, *arguments: str) -> list[dict[str, Any]]:
        """What ``best --json`` answers."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main(["best", *(arguments or (str(self.folder),)), "--json"]) == 0
        rows: list[dict[str, Any]] = json.loads(out.getvalue())
        return rows

    @property
    def uri(self) -> str:
        """Of the tracking database beside the folder."""
        return f"sqlite:///{self.folder.parent / 'mlflow.db'}"

    def runs(self, role: str) -> list[mlflow.entities.Run]:
        """The runs of a role, ``sweep`` or ``trial``, in the tracking database."""
        client = mlflow.MlflowClient(tracking_uri=self.uri)
        experiment = client.get_experiment_by_name("tiny").experiment_id
        return client.search_runs([experiment], f"tags.role = '{role}'")

    def interrupt(
        self, how: signal.Signals, when: Callable[[], bool], *command: str
    ) -> tuple[int, str]:
        """Begin a command, send a signal once ``when`` holds; exit status and messages."""
        with self.start(*command) as process:
            try:
                wait_until(when, process)
                process.send_signal(how)
                _, err = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        return process.returncode, err


def wait_until(when: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Poll; fails when the process ends first or patience does."""
    until = time.monotonic() + PATIENCE_S
    while not when():
        ended = process is not None and process.poll() is not None
        assert not ended, process.communicate()[1] if process else ""
        assert time.monotonic() < until
        time.sleep(0.05)


def study_statuses(folder: SweepFolder) -> list[str]:
    """What Optuna's study says of each trial."""
    config = folder.config()
    study = Study(folder.journal, config.name, config.search, config.seed)
    return [study.status(number) for number in range(study.asked())]


def settings(store: Store, **changes: Any) -> dict[str, Any]:
    """A sweep of three trials that takes seconds."""
    return {
        "name": "tiny",
        "data": {"store": str(store.path), "train": [1, 2], "validation": [3]},
        "model": {"width": 4},
        "search": {
            "trials": 3,
            "space": {
                "model.norm": {"choice": ["batch", "group", "layer"]},
                "train.lr": {"log": [1e-3, 1e-2]},
            },
        },
        "train": {"epochs": 3, "batch_size": 16},
        "stress": {"artifacts": ["rician", "bias"], "levels": [1, 5], "batch_size": 16},
        "tracking": {"models": 0},  # a model takes seconds to export
        **changes,
    }
