"""A value is what its annotation says, or is refused with its place."""

import dataclasses
import math
from typing import Any, Literal

import pytest

from sweep.core.kinds import LATEST_MS, require_kind, require_part
from sweep.core.records import Cell, TrialRecord

RECORD = TrialRecord(
    trial="trial-0000",
    number=0,
    params={"train.lr": 1e-3, "model.norm": "batch", "train.augment.levels": [1, [2, None]]},
    norm="batch",
    seed=2**63,
    status="running",
    started_at_ms=1,
    metrics={"clean/auroc": math.nan},
    intervals={"clean/auroc": (0.1, 1)},
    collapsed=(Cell("rician", 5),),
)


def test_what_is_written_is_taken() -> None:
    require_kind(TrialRecord, RECORD)
    require_kind(dict[str, float | None], {"zoë": None, "b": math.inf, "c": 3})
    require_kind(tuple[int, ...], ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"norm": 3}, "norm: 3 is no text"),
        ({"norm": "a\x1b[2J"}, r"norm: 'a\\x1b\[2J' is a text that no name is"),
        ({"norm": "\udcff"}, "norm: .* is a text that no name is"),
        ({"seed": True}, "seed: True is no whole number"),
        ({"seed": 10**30}, "seed: 10+ is no whole number"),
        ({"status": "done"}, "status: 'done' is none of 'running', 'finished'"),
        ({"best_epoch": 1.0}, "best_epoch: 1.0 is no whole number"),
        ({"started_at_ms": -1}, "started_at_ms: -1 is no Unix time in ms"),
        ({"ended_at_ms": LATEST_MS + 1}, "ended_at_ms: .* is no"),
        ({"metrics": {"clean/auroc": "1"}}, "metrics.clean/auroc: '1' is no number"),
        ({"metrics": [1]}, r"metrics: \[1\] is no dictionary"),
        ({"intervals": {"a": (1.0,)}}, "intervals.a: .* is no list of 2"),
        ({"collapsed": (("rician", 5),)}, "collapsed.0: .* is no Cell"),
        ({"params": {"a": {1, 2}}}, "params.a: .* is no whole number"),
        ({"params": {"a": {"b": object()}}}, "params.*is no whole number"),
    ],
)
def test_what_is_of_another_kind_is_refused_with_its_place(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        require_kind(TrialRecord, dataclasses.replace(RECORD, **change))


def test_what_nests_or_shares_without_end_is_refused_or_seen_once() -> None:
    circle: list[Any] = []
    circle.append(circle)
    require_kind(Any, circle)  # it holds nothing but itself
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="more than 50 levels"):
        require_kind(Any, deep)
    laughs: Any = "x"
    for _ in range(40):
        laughs = [laughs, laughs, laughs]
    require_kind(Any, laughs)


def test_a_kind_without_a_check_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="no check of the kind"):
        require_kind(set[int], {1})
    with pytest.raises(ValueError, match="is none of 1"):
        require_kind(Literal[1], True)


@pytest.mark.parametrize("name", ["trial-0000", "trial-0001-seed-1000", "epoch-0001.pt", "zoë+b"])
def test_names_of_files(name: str) -> None:
    require_part(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "a/b", "/a", ".hidden", "a\nb", "a\0", 3])
def test_names_that_lead_elsewhere(name: object) -> None:
    with pytest.raises(ValueError, match="is no name of a file of the sweep"):
        require_part(name)
