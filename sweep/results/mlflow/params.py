"""Settings as the parameters of a run: all that were resolved, by their dotted names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sweep.config.sweep import SweepConfig
from sweep.results.mlflow.names import LONGEST_PARAM, param_text

OF_TRIAL: Final = ("data", "model", "train", "stress", "seed")  # all that decides its outcome
OF_SWEEP: Final = (*OF_TRIAL, "search", "finalists")
# What a resumed sweep may have otherwise: a parameter is written once.
CHANGING: Final = {"search.trials", "search.limits"}
NAMED = re.compile(r"[A-Za-z0-9_.-]+")


def params_of_trial(fixed: SweepConfig, searched: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a trial or of a finalist.

    Args:
        fixed: The sweep with the values of the trial set.
        searched: Those values, by dotted name.

    """
    plain = fixed.to_plain()
    own = {name: _short(param_text(value)) for name, value in searched.items()}
    return _texts({name: plain[name] for name in OF_TRIAL}) | own


def params_of_sweep(config: SweepConfig) -> dict[str, str]:
    """The settings of a sweep; of what is searched the space, and no value."""
    plain = config.to_plain()
    texts = _texts({name: plain[name] for name in OF_SWEEP if name in plain})
    searched = {*config.search.space}.union(*config.search.arms.values())
    return {
        name: text
        for name, text in texts.items()
        if name not in searched and not any(_is_within(name, part) for part in CHANGING)
    }


def _is_within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: _short(param_text(value)) for name, value in _flat(settings, "")}


def _flat(settings: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and all(map(NAMED.fullmatch, map(str, value))):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_PARAM else f"{text[: LONGEST_PARAM - 3]}..."
