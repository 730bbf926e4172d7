"""The command that trains a ranked trial again: a sweep of one trial, as that one was set.

All that decides the outcome of a trial stands in the command or in the sweep's own ``sweep.yaml``,
so that on the same machine the scores are the same. What else the sweep was asked for, how it
searched and stopped, is not asked again: a trial that was stopped early is trained to its end.
"""

import json
import shlex
from contextlib import suppress
from typing import Any

from sweep.config.arms import without_arm
from sweep.config.reading import override
from sweep.core.errors import UserError
from sweep.results.ranking import Ranked
from sweep.results.sweep_file import FILE, Asked


def command(row: Ranked, asked: Asked) -> str:
    """What to paste into a shell, on one line.

    Args:
        row: A row of the sweep, in any mode: the modes are those of the sweep.
        asked: What that sweep was asked for.

    """
    folder = row.folder
    words = ["mrisweep", "run", f"{folder}/{FILE}", "--out", f"{folder}-{row.trial}"]
    for name, value in _settings(row, asked).items():
        words += ["--set", f"{name}={_written(value)}"]
    return shlex.join(words)


def _settings(row: Ranked, asked: Asked) -> dict[str, Any]:
    """What differs from the sweep, by dotted name."""
    search: dict[str, Any] = {
        "trials": 1,
        "scheduler": "none",
        "sampler": "random",
        "stratify": None,
        "objective": asked.search.objective,
        "screen": _screen(row, asked),
    }
    if asked.search.objectives:
        search["objectives"] = list(asked.search.objectives)
    # A name of its own, so that trackers do not take it for one of the trials that were searched.
    settings: dict[str, Any] = {"name": f"{asked.name}-{row.trial}", "search": search}
    if asked.finalists:
        settings["finalists"] = None
    if asked.keep.tells_apart:
        settings["keep"] = {}  # of the one trial, its best epoch
    params = without_arm(row.params, asked.search.arms)
    if params.get("seed", asked.seed) != row.seed:
        settings["seed"] = row.seed
    return {**settings, **params}


def _screen(row: Ranked, asked: Asked) -> dict[str, Any] | None:
    """What early epochs are scored on.

    Of a trial that came to its end it is what it was, so that the same epoch is the best. Of
    another every epoch is scored in full, that of the row among them.
    """
    screen = asked.search.screening(asked.epochs) if row.status == "finished" else None
    return None if screen is None else screen.to_plain()


def _written(value: Any) -> str:
    """A value as YAML on one line; a text as it is where it is read back so."""
    with suppress(UserError):  # of a text that is no YAML as it is
        if isinstance(value, str) and override({}, [f"it={value}"]) == {"it": value}:
            return value
    return json.dumps(value, ensure_ascii=False)
