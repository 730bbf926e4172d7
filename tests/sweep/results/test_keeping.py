"""What stays of a sweep's folder: by its settings, and never less than is still to be read."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sweep.config.keep import KeepSettings
from sweep.core.errors import UserError
from sweep.core.finals import FinalistRecord, FinalistRun
from sweep.core.records import ModeRow, Status, TrialRecord
from sweep.results.inventory import Held, Kind
from sweep.results.keeping import Choosing, Standing, champions, chosen, is_over, plan

HOUR_NS = 3600 * 10**9
NOW = 1000 * HOUR_NS
CHOOSING = Choosing("robust/auroc_cvar", ("clean/auroc", "robust/auroc_mean"), 2, 1, "clean/auroc")
WORDS = ("all", "each", "none", "best", "front", "finalists", ("best", "front"))


def trial(number: int, status: Status = "finished", **changes: Any) -> TrialRecord:
    draw = random.Random(number)
    names = ("robust/auroc_cvar", "clean/auroc", "robust/auroc_mean")
    metrics = {name: draw.random() for name in names}
    if status == "pruned":
        metrics = {f"screen/{name}": value for name, value in metrics.items()}
    made = TrialRecord(
        f"trial-{number:04d}",
        number,
        {},
        ("batch", "group")[number % 2],
        0,
        status,
        1,
        best_epoch=2,
        metrics=metrics,
        intervals={"clean/auroc": (0.0, 1.0)},
        collapsed=(),
    )
    return replace(made, **changes)


TRIALS = [trial(number, ("finished", "pruned", "failed")[number % 3]) for number in range(12)]


def files_of(name: str) -> list[Held]:
    """Two epochs and a mode of a trial, and what it goes on from."""
    place = f"checkpoints/{name}"
    return [
        Held(f"{place}/epoch-0001.pt", Kind.CHECKPOINT, 1, 0, name, 1),
        Held(f"{place}/epoch-0002.pt", Kind.CHECKPOINT, 1, 0, name, 2),
        Held(f"{place}/epoch-0002.precise.pt", Kind.CHECKPOINT, 1, 0, name, 2, "precise"),
        Held(f"{place}/state.pt", Kind.STATE, 1, 0, name),
        Held(f"predictions/{name}/epoch-0001.parquet", Kind.PREDICTIONS, 1, 0, name, 1),
        Held(f"predictions/{name}/epoch-0002.parquet", Kind.PREDICTIONS, 1, 0, name, 2),
        Held(f"predictions/{name}/modes/blend.parquet", Kind.PREDICTIONS, 1, 0, name, None, "b"),
    ]


def standing(records: list[TrialRecord], **changes: Any) -> Standing:
    keep = KeepSettings(**changes.pop("keep", {}))
    over = [one for one in records if is_over(one)]
    made = Standing(
        keep=keep,
        trials={one.trial: one for one in records},
        in_full=lambda name, epoch: int(name[-4:]) % 3 != 1,  # the others were stopped before
        now_ns=NOW,
        chosen=chosen(over, CHOOSING, keep.of_some),
        measured=True,
    )
    return replace(made, **changes)


def staying(records: list[TrialRecord], **changes: Any) -> set[str]:
    files = [file for one in records for file in files_of(one.trial)]
    return {one.file.path for one in plan(files, standing(records, **changes)) if one.stays}


def settings() -> Iterator[dict[str, Any]]:
    """Every way to keep checkpoints and predictions."""
    for checkpoints, predictions in itertools.product(WORDS, (*WORDS, "scored")):
        yield {"checkpoints": checkpoints, "predictions": predictions}


def test_by_default_the_best_epoch_of_each_trial_and_what_was_scored_in_full() -> None:
    records = [trial(0), trial(1, "pruned")]
    assert staying(records) == {
        "checkpoints/trial-0000/epoch-0002.pt",
        "checkpoints/trial-0000/epoch-0002.precise.pt",
        "checkpoints/trial-0001/epoch-0002.pt",
        "checkpoints/trial-0001/epoch-0002.precise.pt",
        "predictions/trial-0000/epoch-0001.parquet",
        "predictions/trial-0000/epoch-0002.parquet",
        "predictions/trial-0000/modes/blend.parquet",
        "predictions/trial-0001/epoch-0002.parquet",
        "predictions/trial-0001/modes/blend.parquet",
    }


def test_of_a_trial_under_way_all_stays_whatever_is_set() -> None:
    running = trial(0, "running")
    for keep in settings():
        assert staying([running], keep=keep) == {file.path for file in files_of(running.trial)}


def test_what_is_of_no_known_trial_stays_whatever_is_set() -> None:
    for keep in settings():
        found = plan(files_of("trial-0099"), standing(TRIALS, keep=keep))
        assert all(one.stays for one in found)


def test_records_scores_and_what_is_not_known_stay_whatever_is_set() -> None:
    kinds = (Kind.RECORD, Kind.SCORES, Kind.FINAL_PREDICTIONS, Kind.OTHER)
    files = [Held("it", kind, 1, 0, "trial-0000", 1) for kind in kinds]
    for keep in settings():
        assert all(one.stays for one in plan(files, standing(TRIALS, keep=keep)))


def test_nothing_but_the_settings_of_a_kind_decides_on_it() -> None:
    for keep in settings():
        whole = staying(TRIALS, keep=keep)
        alone = staying(TRIALS, keep={"checkpoints": keep["checkpoints"]})
        assert {one for one in whole if one.startswith("ch")} == {
            one for one in alone if one.startswith("ch")
        }


def test_until_the_choice_is_measured_it_finds_all_that_it_reads() -> None:
    read = {
        file.path
        for one in TRIALS
        for file in files_of(one.trial)
        if file.kind == Kind.PREDICTIONS and file.epoch and one.number % 3 != 1
    }
    for keep in settings():
        assert staying(TRIALS, keep=keep, measured=False) >= read
    assert not staying(TRIALS, keep={"predictions": "none"}) & read


def test_a_trial_that_is_to_be_scored_in_modes_keeps_its_checkpoint() -> None:
    keep = {"checkpoints": "none"}
    needed = staying(TRIALS, keep=keep, unmade=["trial-0003"])
    assert {one for one in needed if one.startswith("checkpoints")} == {
        "checkpoints/trial-0003/epoch-0002.pt",
        "checkpoints/trial-0003/epoch-0002.precise.pt",
    }


def test_a_trial_without_intervals_keeps_what_they_are_made_of() -> None:
    unsettled = trial(0, intervals={}, basis=None, collapsed=None)
    for keep in settings():
        assert staying([unsettled], keep=keep) >= {
            "checkpoints/trial-0000/epoch-0002.pt",
            "predictions/trial-0000/epoch-0002.parquet",
        }


def test_a_trial_that_never_scored_keeps_no_weights() -> None:
    lost = trial(0, "failed", best_epoch=None, metrics={})
    assert not {one for one in staying([lost]) if one.startswith("checkpoints")}
    kept = staying([lost], keep={"checkpoints": "all"})
    assert "checkpoints/trial-0000/epoch-0001.pt" in kept


def test_the_best_are_those_of_each_norm_by_the_objective_in_their_best_mode() -> None:
    found = chosen(TRIALS, CHOOSING)["best"]
    for norm in ("batch", "group"):
        own = [one for one in TRIALS if one.norm == norm and one.status != "pruned"]
        own.sort(key=lambda one: -one.metrics["robust/auroc_cvar"])
        assert {one.trial for one in own[:2]} == {one.trial for one in own if one.trial in found}
    last = min(
        (one for one in TRIALS if one.status != "pruned"),
        key=lambda one: one.metrics["robust/auroc_cvar"],
    )
    row = ModeRow(2, 1, {"robust/auroc_cvar": 1.0}, {}, (), {}, None)
    others = [one for one in TRIALS if one != last]
    assert last.trial not in found
    better = replace(last, modes={"blend": row})
    assert better.trial in chosen([*others, better], CHOOSING)["best"]


def test_finalists_may_come_of_screenings_where_a_norm_has_nothing_else() -> None:
    screened = [trial(number, "pruned") for number in (0, 2, 4)]
    (name,) = chosen(screened, CHOOSING)["finalists"]
    best = max(screened, key=lambda one: one.metrics["screen/clean/auroc"])
    assert name == best.trial
    assert chosen(screened, CHOOSING)["best"] == {}
    both = chosen(screened, CHOOSING, planned=["trial-0077"])["finalists"]
    assert set(both) == {name, "trial-0077"}, "and those that were planned stay"


def test_who_is_left_out_is_not_chosen_later() -> None:
    """So that a sweep may let go of a trial as soon as it has ended."""
    for key in range(20):
        draw = random.Random(key)
        order = [
            trial(draw.randrange(10**6), draw.choice(["finished", "pruned"])) for _ in range(30)
        ]
        left: list[TrialRecord] = []
        for one in order:
            known = [*left, one]
            names = {name for found in chosen(known, CHOOSING).values() for name in found}
            left = [record for record in known if record.trial in names]
        assert {one.trial for one in left} == {
            name for found in chosen(order, CHOOSING).values() for name in found
        }


def test_a_file_that_may_be_at_work_is_not_unfinished() -> None:
    old, young = (Held(".x.01234567.tmp", Kind.LEFT, 1, NOW - hours * HOUR_NS) for hours in (2, 0))
    assert [one.stays for one in plan([old, young], standing(TRIALS))] == [False, True]


def test_what_tune_leaves_goes_unless_a_run_is_at_work() -> None:
    file = Held("tune/run/state", Kind.TUNE, 1, 0)
    for driven in (False, True):
        (verdict,) = plan([file], standing(TRIALS, driven=driven))
        assert verdict.stays == driven


def test_a_trial_that_is_to_be_tried_again_keeps_what_it_goes_on_from() -> None:
    again, for_good = (
        replace(TRIALS[0], status="failed", error="e", failure=kind) for kind in ("died", "raised")
    )
    assert [is_over(one) for one in (again, for_good)] == [False, True]


def test_of_finalists_the_best_training_of_each_norm() -> None:
    runs = [FinalistRun(f"run-{at}", "t", ("batch", "group")[at % 2], {}, at) for at in range(4)]
    records = [
        FinalistRecord(run, "finished", 1, (2,), {"validation": {"clean/auroc": 0.1 * at}})
        for at, run in enumerate(runs)
    ]
    best = champions(records, "clean/auroc")
    assert best == {"run-2", "run-3"}
    known = {one.run.name: one for one in records[1:]}
    files = [
        Held(f"finalists/run-{at}/{name}", kind, 1, 0, f"run-{at}", 2 if at else None)
        for at in range(4)
        for name, kind in (("epoch-0002.pt", Kind.FINAL_CHECKPOINT), ("state.pt", Kind.STATE))
    ]

    def kept(keep: str) -> set[str]:
        of = standing([], keep={"finalists": keep}, runs=known, champions=best)
        return {one.file.path for one in plan(files, of) if one.stays}

    under_way = {"finalists/run-0/epoch-0002.pt", "finalists/run-0/state.pt"}
    assert kept("none") == under_way
    assert kept("best") == under_way | {f"finalists/run-{at}/epoch-0002.pt" for at in (2, 3)}
    assert kept("all") == under_way | {f"finalists/run-{at}/epoch-0002.pt" for at in (1, 2, 3)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("checkpoints", "bets", r"checkpoints has an unknown name; received 'bets'; did you mean"),
        ("checkpoints", ("each", "best"), "checkpoints cannot take this value"),
        ("checkpoints", "scored", "checkpoints has an unknown name; received 'scored'"),
        ("predictions", (), "predictions cannot take this value"),
        ("predictions", "best,best", "predictions cannot take this value"),
        ("top", 0, "top cannot take this value; received 0; give 1 or more"),
    ],
)
def test_what_cannot_be_kept_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        KeepSettings(**{name: value})
