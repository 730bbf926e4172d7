"""Searches replayed on recorded trials: what is counted, and what is found where all is tried."""

from typing import Any

import numpy as np
import pytest

from benchmarks.replay import Recorded, Setting, chosen, replayed, seen_of
from sweep.config.sweep import SweepConfig
from sweep.core.keys import generator
from sweep.core.records import CLEAN, Cell

NORMS = ("batch", "group", "layer")
POINTS, SEEDS, EPOCHS, SHARES = 6, 2, 8, (0.5, 1.0)
CELLS = (CLEAN, *(Cell(name, level) for name in ("rician", "bias") for level in (1, 3)))
SLICES = {"train": 100, "0.5": 15, "1.0": 40}
RATES = np.geomspace(2e-4, 2e-2, POINTS)
WHOLE = EPOCHS * (2 * SLICES["train"] + len(CELLS) * SLICES["1.0"])


@pytest.fixture
def recorded() -> Recorded:
    """Every trial scores something else."""
    drawn = generator("recorded").random(
        (len(NORMS), POINTS, SEEDS, EPOCHS, len(SHARES), len(CELLS))
    )
    sweep = SweepConfig.from_dict(
        {
            "name": "recorded",
            "data": {"store": "none", "train": [1], "validation": [2]},
            "search": {
                "trials": 3,
                "space": {
                    "model.norm": {"choice": list(NORMS)},
                    "train.lr": {"log": [1e-4, 3e-2]},
                },
            },
            "train": {"epochs": EPOCHS},
        }
    )
    return Recorded(sweep, NORMS, {"train.lr": RATES}, CELLS, SHARES, drawn, SLICES)


def everything(**changes: Any) -> dict[str, Any]:
    """A search that tries every norm at every point."""
    space = {"model.norm": {"choice": list(NORMS)}, "train.lr": {"choice": RATES.tolist()}}
    return {"space": space, "sampler": "grid", "scheduler": "none", "screen": None, **changes}


def test_a_grid_finds_the_best_of_all_and_costs_all(recorded: Recorded) -> None:
    trials = replayed(Setting.of(recorded, everything()), POINTS, 0)
    assert sum(trial.passes for trial in trials) == recorded.grid_passes()
    assert recorded.grid_passes() == len(NORMS) * POINTS * WHOLE
    assert {trial.place[:2] for trial in trials} == {
        (n, p) for n in range(3) for p in range(POINTS)
    }
    seen = {trial.place: recorded.full[trial.place].max() for trial in trials}
    for number, norm in enumerate(NORMS):
        best = max((place for place in seen if place[0] == number), key=seen.__getitem__)
        assert chosen(trials)[norm].place == best
        assert seen_of(chosen(trials)[norm]) == (True, seen[best])


def test_what_a_configuration_is_worth_is_the_mean_of_its_seeds(recorded: Recorded) -> None:
    """The worst quarter of four stressed cells is the worst of them."""
    worst = recorded.auroc[:, :, :, :, SHARES.index(1.0), 1:].min(axis=-1)
    assert np.allclose(recorded.truth, worst.max(axis=-1).mean(axis=-1))


def test_values_are_those_of_the_nearest_point_on_a_logarithmic_scale(recorded: Recorded) -> None:
    between = np.sqrt(RATES[1] * RATES[2])
    assert recorded.nearest({"train.lr": between * 0.99}) == 1
    assert recorded.nearest({"train.lr": between * 1.01}) == 2


def test_a_stopped_trial_costs_what_it_had_and_what_it_trained_ahead(recorded: Recorded) -> None:
    screen = {"patients": 0.5, "levels": 1, "full": [4]}
    setting = Setting.of(recorded, {"screen": screen, "sampler": "random", "scheduler": "asha"})
    trials = replayed(setting, 12, 0, behind=1)
    stopped = [trial for trial in trials if not trial.over]
    assert {len(trial.history) for trial in stopped} == {2, 4}
    part = SLICES["0.5"] * 3  # the clean images, and a level of each artifact
    whole = SLICES["1.0"] * len(CELLS)
    two, four = (2 * SLICES["train"] * epochs for epochs in (3, 5))
    costs = {2: two + 2 * part, 4: four + 3 * part + whole}
    for trial in stopped:
        assert trial.passes == costs[len(trial.history)]


def test_nothing_is_stopped_where_nothing_stops(recorded: Recorded) -> None:
    trials = replayed(
        Setting.of(recorded, {"sampler": "sobol", "scheduler": "none", "screen": None}), 5, 1
    )
    assert all(trial.over and trial.passes == WHOLE for trial in trials)
    assert len(trials) == 15


def test_where_all_wait_the_best_few_of_the_first_epoch_go_on(recorded: Recorded) -> None:
    search = {"sampler": "random", "scheduler": "topk", "keep": 2, "screen": None}
    trials = replayed(Setting.of(recorded, search), 9, 0)
    for norm in NORMS:
        own = [trial for trial in trials if trial.norm == norm]
        first = sorted((recorded.full[trial.place][0] for trial in own), reverse=True)
        went_on = [trial for trial in own if trial.over]
        assert sorted((recorded.full[one.place][0] for one in went_on), reverse=True) == first[:2]
        assert {len(trial.history) for trial in own if not trial.over} == {1}
