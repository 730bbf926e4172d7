"""What is remarked on a search, and that nothing is where there is nothing to remark."""

from typing import Any

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.records import DIVERGED, TrialRecord
from sweep.results import advice

NORMS = ["batch", "group"]
SCORE = "robust/auroc_cvar"


def remarks(config: SweepConfig, trials: list[TrialRecord]) -> list[str]:
    return advice.remarks(config.search, config.train.epochs, trials)


def config(trials: int = 8, **space: Any) -> SweepConfig:
    space = {"model.norm": {"choice": NORMS}, "train.lr": {"log": [1e-4, 1e-2]}, **space}
    return SweepConfig.from_dict(
        {
            "name": "s",
            "data": {"store": "s.h5", "train": [1], "validation": [2]},
            "search": {"trials": trials, "space": space},
            "train": {"epochs": 6},
        }
    )


def trial(number: int, score: float | None, epoch: int = 4, **params: Any) -> TrialRecord:
    """A trial of the norm whose turn it is; without a score one that diverged."""
    norm = NORMS[number % 2]
    return TrialRecord(
        trial=f"trial-{number:04d}",
        number=number,
        params={"model.norm": norm, "train.lr": 1e-3, **params},
        norm=norm,
        seed=0,
        status="finished" if score is not None else "failed",
        started_at_ms=0,
        best_epoch=None if score is None else epoch,
        metrics={} if score is None else {SCORE: score},
        error=None if score is not None else f"{SCORE} {DIVERGED}",
    )


def test_a_sound_search_gets_no_remark() -> None:
    assert remarks(config(), [trial(n, 0.5 + n / 100) for n in range(8)]) == []
    assert remarks(config(), []) == []


@pytest.mark.parametrize(
    ("rate", "remark"),
    [
        (1.5e-4, "in the lowest tenth of 0.0001 to 0.01; what lies below may be better"),
        (1.7e-4, None),
        (5.9e-3, None),
        (6.5e-3, "in the highest tenth of 0.0001 to 0.01; what lies above may be better"),
    ],
)
def test_a_best_value_in_the_outer_tenth_on_the_scale_of_its_range(
    rate: float, remark: str | None
) -> None:
    trials = [trial(n, 0.5) for n in range(8)]
    trials[3] = trial(3, 0.7, **{"train.lr": rate})  # the best of group, not of batch
    trials[5] = trial(5, 0.6, **{"train.lr": 1e-4})
    found = remarks(config(), trials)
    expected = remark and f"group: the best train.lr, {rate:.3g} (trial-0003), is {remark}"
    assert found == ([expected] if expected else [])


def test_an_edge_of_a_range_of_whole_numbers() -> None:
    def found(width: int) -> list[str]:
        trials = [trial(n, 0.5 + n / 100, **{"model.width": width}) for n in range(8)]
        return remarks(config(**{"model.width": {"int": [4, 8]}}), trials)

    assert len(found(8)) == 2, "one for each norm"
    assert found(7) == []


def test_a_norm_that_mostly_diverged() -> None:
    trials = [trial(n, None if n in (1, 3, 5) else 0.6) for n in range(8)]
    (line,) = remarks(config(), trials)
    assert line.startswith("group: 3 of 4 trials diverged")
    trials[1] = trial(1, 0.6)
    assert remarks(config(), trials) == []


def test_trials_that_died_did_not_diverge() -> None:
    dead = [
        TrialRecord(**{**vars(trial(n, None)), "error": "its worker died"}) for n in (1, 3, 5, 7)
    ]
    assert remarks(config(), [*dead, *(trial(n, 0.6) for n in (0, 2, 4, 6))]) == []


def test_few_trials_are_remarked_once_all_have_begun() -> None:
    trials = [trial(n, 0.6) for n in range(6)]
    (line,) = remarks(config(6), trials)
    assert line.startswith("fewer than 4 trials of batch (3), group (3); ")
    assert remarks(config(12), trials) == []


@pytest.mark.parametrize(("epoch", "word"), [(1, "first"), (6, "last"), (2, None), (5, None)])
def test_a_winner_at_an_end_of_its_training(epoch: int, word: str | None) -> None:
    trials = [trial(n, 0.6) for n in range(8)]
    trials[2] = trial(2, 0.7, epoch=epoch)
    trials[3] = trial(3, 0.65, epoch=1)  # no winner
    found = remarks(config(), trials)
    assert len(found) == (word is not None)
    assert all(f"the winner, trial-0002, is at its {word} epoch" in line for line in found)


def test_a_winner_that_was_stopped_early() -> None:
    trials = [trial(n, 0.6) for n in range(8)]
    trials[2] = TrialRecord(**{**vars(trial(2, 0.7)), "status": "pruned"})
    (line,) = remarks(config(), trials)
    assert line == "the winner, trial-0002, was stopped early; more epochs may make it better"


def test_a_winner_that_does_not_meet_the_conditions_of_the_search() -> None:
    asked = config().replace({"search.subject_to": ["clean/auroc >= 0.9"]})
    (line,) = remarks(asked, [trial(n, 0.6) for n in range(8)])
    assert "trial-0000, does not meet clean/auroc >= 0.9" in line
    meeting = trial(0, 0.7)
    meeting.metrics["clean/auroc"] = 0.95
    assert remarks(asked, [meeting, *(trial(n, 0.6) for n in range(1, 8))]) == []


def test_what_flatters_scores_by_how_the_store_was_made_is_said_first() -> None:
    of = config()
    said = advice.remarks(of.search, of.train.epochs, [trial(0, 0.5)], "nobody knows whose")
    assert said[0] == "nobody knows whose"
    assert said[1:] == remarks(of, [trial(0, 0.5)])
