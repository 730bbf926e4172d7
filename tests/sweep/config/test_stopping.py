"""Settings of early stopping: at which epochs trials are compared, and what is refused."""

from typing import Any

import pytest

from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError

KINDS = ("asha", "hyperband", "median", "topk", "pasha")
SPACE: dict[str, Any] = {
    "model.norm": {"choice": ["batch", "group", "layer"]},
    "train.lr": {"log": [1e-4, 1e-2]},
}


def sweep(epochs: int = 16, space: dict[str, Any] | None = None, **search: Any) -> SweepConfig:
    return SweepConfig.from_dict(
        {
            "name": "s",
            "data": {"store": "s.h5", "train": [1], "validation": [2]},
            "search": {"space": {**SPACE, **(space or {})}, "scheduler": "asha", **search},
            "train": {"epochs": epochs},
        }
    )


@pytest.mark.parametrize(
    ("epochs", "search", "rungs"),
    [
        (16, {}, (4, 8)),
        (17, {}, (5, 10)),
        (1, {}, ()),
        (2, {}, (1,)),
        (16, {"grace_epochs": 1}, (1, 2, 4, 8)),
        (16, {"grace_epochs": 2, "reduction": 1.5}, (2, 3, 5, 7, 11)),
        (8, {"grace_epochs": 1, "reduction": 1.2}, (1, 2, 3, 4, 5, 6, 7)),
        (16, {"scheduler": "hyperband"}, (4, 8)),
        (16, {"scheduler": "pasha", "grace_epochs": 3}, (3, 6, 12)),
        (16, {"scheduler": "topk"}, (2,)),
        (8, {"scheduler": "topk"}, (1,)),
        (16, {"scheduler": "topk", "grace_epochs": 3}, (3,)),
        (1, {"scheduler": "topk"}, ()),
        (16, {"scheduler": "median"}, ()),
        (16, {"scheduler": "none"}, ()),
    ],
)
def test_the_epochs_at_which_trials_are_compared(
    epochs: int, search: dict[str, Any], rungs: tuple[int, ...]
) -> None:
    assert sweep(epochs, **search).search.rungs(epochs) == rungs


def test_no_trial_is_stopped_before_a_quarter_of_its_epochs_unless_said() -> None:
    assert sweep(16).search.grace(16) == 4
    assert sweep(17, scheduler="median").search.grace(17) == 5
    assert sweep(16, grace_epochs=1).search.grace(16) == 1


@pytest.mark.parametrize(
    ("dimension", "rungs"),
    [
        ({"choice": [4, 32]}, (8, 16)),
        ({"int": [4, 32]}, (8, 16)),
        ({"choice": [4, 8], "when": {"model.norm": "group"}}, (4, 8)),
    ],
)
def test_where_the_epochs_are_searched_the_longest_trial_decides(
    dimension: dict[str, Any], rungs: tuple[int, ...]
) -> None:
    search = sweep(16, {"train.epochs": dimension}).search
    assert search.rungs(16) == rungs
    assert search.rungs(search.most_epochs(16)) == rungs


@pytest.mark.parametrize("kind", KINDS)
def test_where_trials_are_stopped_early_tpe_learns_of_them(kind: str) -> None:
    if kind == "topk":
        assert sweep(scheduler=kind).search.method() == "sobol"
        return
    assert sweep(scheduler=kind).search.method() == "tpe"
    assert sweep(scheduler=kind, equal="epochs", trials=20).search.total == 20


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"keep": 2}, r"topk alone keeps .*received keep 2 with the scheduler asha; leave it out"),
        (
            {"scheduler": "topk", "sampler": "tpe"},
            r"sampler learns from trials that have ended, .*; received tpe; set it to auto, sobol",
        ),
        (
            {"scheduler": "topk", "from": "sweeps/one"},
            r"from is set, and with topk no sampler learns from trials; received sweeps/one; leave",
        ),
        ({"scheduler": "topk", "equal": "epochs"}, r"topk deals out all trials before .* trials"),
        (
            {"scheduler": "median", "screen": {"full": [4]}},
            r"screen.full is set, and median compares means .*; received \[4\]; leave it out",
        ),
        (
            {"screen": {"full": [4, 17]}},
            r"screen.full has epochs that no trial .*; received \[17\] of 16 epochs; lower them",
        ),
        ({"keep": 0, "scheduler": "topk"}, r"keep cannot take this value; received 0; give 1 or"),
        (
            {"keep": 4, "scheduler": "topk", "trials": 12},
            r"not below the trials of a stratum.*; received 4 of 4; lower it",
        ),
        (
            {"scheduler": "median", "reduction": 3},
            r"reduction is set, and median has no rungs.*; leave it out, or set .* to one of asha",
        ),
        ({"scheduler": "topk", "reduction": 3}, r"reduction is set, and topk has no rungs"),
        ({"grace_epochs": 17}, r"grace_epochs is above the epochs .*; received 17 for 16 epochs;"),
        ({"grace_epochs": 0}, r"grace_epochs cannot take this value"),
        (
            {"scheduler": "pasha", "reduction": 4},
            r"rankings of two rungs; received the rungs \[4\] for 16 epochs.*; lower search.grace",
        ),
        ({"scheduler": "median", "trials": 4}, r"dealt equally to 3 strata"),
        ({"scheduler": "halving"}, r"search.scheduler"),
    ],
)
def test_what_means_nothing_is_refused(search: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        sweep(**search)


def test_one_setting_switches_early_stopping_off() -> None:
    assert sweep(scheduler="none", grace_epochs=17, reduction=3, keep=5).search.rungs(16) == ()
