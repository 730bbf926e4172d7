"""Searches whose best is known: what a trial scores is a formula of its values, plus noise."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from sweep.config.search import SearchSettings
from sweep.core.keys import generator
from sweep.search.study import Study


@dataclass(frozen=True)
class Landscape:
    """Norms that are best at learning rates of their own.

    The score falls from a norm's peak with the squares of the distances of log10 of the learning
    rate from the norm's best one, and of log10 of the weight decay from -2.5.

    Attributes:
        norms: Norm -> its best learning rate and its score there.
        diverges_above: Trials of a greater learning rate have no score; None: none.
        noise: Standard deviation of what a trial scores.

    """

    norms: Mapping[str, tuple[float, float]]
    diverges_above: float | None = None
    noise: float = 0.01

    def space(self) -> dict[str, Any]:
        """The search space, five decades of each."""
        return {
            "model.norm": {"choice": list(self.norms)},
            "train.lr": {"log": [1e-5, 1e-1]},
            "train.weight_decay": {"log": [1e-5, 1e-1]},
        }

    def score(self, params: Mapping[str, Any]) -> float | None:
        """Without noise; None of a trial that diverges."""
        if self.diverges_above is not None and params["train.lr"] > self.diverges_above:
            return None
        best, peak = self.norms[params["model.norm"]]
        rate = math.log10(params["train.lr"] / best)
        decay = math.log10(params["train.weight_decay"]) + 2.5
        return peak - 0.08 * rate**2 - 0.01 * decay**2


DIFFERENT = Landscape({"batch": (3e-3, 0.86), "group": (3e-4, 0.85), "layer": (1e-3, 0.84)})


def diverging(best: float) -> Landscape:
    """One norm whose trials diverge above a learning rate of 3e-3."""
    return Landscape({"batch": (best, 0.86)}, diverges_above=3e-3)


@dataclass(frozen=True)
class Trial:
    """What was tried.

    Attributes:
        norm: Its norm.
        score: Without noise; None: it diverged.
        seen: With noise.

    """

    norm: str
    score: float | None
    seen: float | None


def search(
    landscape: Landscape, settings: SearchSettings, seed: int, diverged: TrialState
) -> list[Trial]:
    """Search one trial after the other, as a sweep does.

    Args:
        landscape: What the trials score.
        settings: The search.
        seed: The seed of the search and of the noise.
        diverged: What a trial that diverged is told as; PRUNED is what a sweep says.

    """
    tried = []
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder) / "journal", "synthetic", settings, seed)
        for number in range(settings.total):
            params = study.ask().params
            score = landscape.score(params)
            if score is None:
                seen = None
                study.tell(number, diverged)
            else:
                noise = generator(seed, "landscape", number).standard_normal()
                seen = score + landscape.noise * float(noise)
                study.tell(number, TrialState.COMPLETE, {settings.objective: seen})
            tried.append(Trial(params["model.norm"], score, seen))
    return tried


def chosen(tried: Sequence[Trial]) -> dict[str, Trial]:
    """Of each norm the trial that was seen to be best."""
    best: dict[str, Trial] = {}
    for trial in tried:
        if trial.seen is not None and trial.seen > getattr(best.get(trial.norm), "seen", -math.inf):
            best[trial.norm] = trial
    return best


def regret(landscape: Landscape, tried: Sequence[Trial]) -> float:
    """How far below its norm's peak the chosen trial is, of the norm where it is most."""
    found = chosen(tried)
    return max(
        peak - (found[norm].score or 0) if norm in found else peak
        for norm, (_, peak) in landscape.norms.items()
    )


def in_order(landscape: Landscape, tried: Sequence[Trial]) -> bool:
    """Whether the chosen trials rank the norms as their peaks do."""
    found = chosen(tried)
    ranked = sorted(found, key=lambda norm: -(found[norm].seen or 0))
    return ranked == sorted(landscape.norms, key=lambda norm: -landscape.norms[norm][1])
