"""A tracker that appends a line of JSON for every epoch, ended trial, mode and finalist to a file.

``log.jsonl`` in the sweep's folder is for ``tail -f``, ``jq`` and ``pandas.read_json(lines=True)``.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweep.config.sweep import SweepConfig
from sweep.core.finals import FinalistRecord
from sweep.core.mirrors import publish
from sweep.core.reading import read_bytes
from sweep.core.records import (
    EpochRecord,
    TrialRecord,
    is_screened,
    missing_as_null,
    null_if_missing,
)
from sweep.results.folder import SweepFolder
from sweep.results.trial_files import mode_to_plain, trial_to_plain

Key = tuple[str, str, int | None, str | None, str | None, str | None]


class JsonLinesTracker:
    """Writes ``log.jsonl``; what stands there already is not written again.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.

    """

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self._file = folder.inside("log.jsonl")
        self._known = _known(self._file)

    def began(self, trial: TrialRecord) -> None:
        """Nothing to write before the first epoch."""

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """A line for an epoch; one that was screened has another once it is scored in full."""
        fidelity = {"fidelity": "screening"} if is_screened(epoch.metrics) else {}
        self._append(
            {
                "event": "epoch",
                **fidelity,
                "trial": trial.trial,
                "epoch": epoch.epoch,
                "at_ms": epoch.evaluated_at_ms,
                "norm": trial.norm,
                "params": trial.params,
                "train_loss": null_if_missing(epoch.train_loss),
                "metrics": missing_as_null(epoch.metrics),
            }
        )

    def ended(self, trial: TrialRecord) -> None:
        """A line for the settled record of a trial."""
        record = trial_to_plain(trial)
        del record["modes"]  # each has a line of its own, and none is there when a trial ends
        self._append({"event": "ended", "epoch": trial.best_epoch, **record})

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        """A line for the best epoch in another mode."""
        said = {"event": "mode", "trial": trial.trial, "mode": mode, "norm": trial.norm}
        self._append({**said, "params": trial.params, **mode_to_plain(trial.modes[mode])})

    def finalist(self, record: FinalistRecord) -> None:
        """A line for what a training of a finalist came to."""
        run = record.run
        metrics = {place: missing_as_null(found) for place, found in record.metrics.items()}
        self._append(
            {
                "event": "finalist",
                **asdict(run),
                "epoch": record.epochs[-1] if record.epochs else None,
                "status": record.status,
                "metrics": metrics,
            }
        )

    def concluded(self) -> None:
        """Nothing to write: it is in JSON beside the file."""

    def close(self, finished: bool) -> None:
        """In a bucket, which adds to no object, the file is put at the end; it is open nowhere."""
        if self._file.exists():
            publish(self._file, self._file)

    def _append(self, line: dict[str, Any]) -> None:
        if (key := _key(line)) in self._known:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._known.add(key)


def _known(file: Path) -> set[Key]:
    """What stands in the file; a line that a kill has torn is cut off."""
    if not file.exists():
        return set()
    lines = read_bytes(file, None).splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < len(lines):
        with file.open("r+b") as torn:
            torn.truncate(sum(map(len, whole)))
    return {_key(json.loads(line)) for line in whole}


def _key(line: dict[str, Any]) -> Key:
    event, trial, epoch = line["event"], line["trial"], line["epoch"]
    return event, trial, epoch, line.get("mode"), line.get("fidelity"), line.get("name")
