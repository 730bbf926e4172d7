"""Ranking: order, filters, ties, and what is missing."""

import math
from dataclasses import replace

import pytest

from sweep.core.errors import UserError
from sweep.results.ranking import Ranked, best, hypervolumes
from sweep.results.render import ranked_table, screened_note, shown_metrics
from sweep.results.where import Where, nearest_miss


def row(trial: str, robust: float, clean: float = 0.9, norm: str = "batch") -> Ranked:
    metrics = {"robust/auroc_cvar": robust, "clean/auroc": clean}
    return Ranked(
        trial=trial,
        norm=norm,
        seed=0,
        epoch=2,
        params={"model.norm": norm, "train.lr": 0.00123456},
        checkpoint=f"/s/{trial}.pt",
        metrics={name: value for name, value in metrics.items() if not math.isnan(value)},
        intervals={"clean/auroc": (0.8, 0.95)},
        status="finished",
    )


BY = "robust/auroc_cvar"
ROWS = [row("t2", 0.7), row("t1", 0.7), row("t0", 0.6, 0.95, "group"), row("t3", math.nan)]

MUST = ["#", "trial", "norm", BY]  # in a table of any width


def trials(rows: list[Ranked]) -> list[str]:
    return [item.trial for item in rows]


def test_best_first_ties_by_trial_missing_last() -> None:
    assert trials(best(ROWS, BY)) == ["t1", "t2", "t0", "t3"]
    assert trials(best(ROWS, by="clean/auroc", top=1)) == ["t0"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["clean/auroc>=0.95"], ["t0"]),
        (["clean/auroc > 0.95"], []),
        (["robust/auroc_cvar<0.7"], ["t0"]),
        (["robust/auroc_cvar<=7e-1", "clean/auroc<0.92"], ["t1", "t2"]),
        (["robust/auroc_cvar==0.7"], ["t1", "t2"]),
        (["norm==group"], ["t0"]),
        (["norm != batch", "train.lr<2e-3"], ["t0"]),
        (["train.lr>2e-3"], []),
        (["seed=0", "clean/auroc>0.9"], ["t0"]),
        (["trial==t2"], ["t2"]),
    ],
)
def test_conditions_hold_together_and_never_for_a_missing_value(
    where: list[str], expected: list[str]
) -> None:
    assert trials(best(ROWS, BY, where=where)) == expected


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("clean/auroc>=0.99", "nearest to clean/auroc>=0.99: 0.95, of t0"),
        ("train.lr<1e-3", "nearest to train.lr<0.001: 0.001235, of t2"),
        ("robust/auroc_cvar<0.6", "nearest to robust/auroc_cvar<0.6: 0.6, of t0"),
        ("model.norm==grup", "none has model.norm==grup; there are batch, group"),
        ("norm==group", None),  # which is fulfilled
        ("train.ema>0.5", None),  # which nothing has
    ],
)
def test_what_comes_nearest_to_a_condition_that_none_fulfils(where: str, said: str | None) -> None:
    assert nearest_miss(Where.parse(where), ROWS) == said


def test_only_one_norm() -> None:
    assert trials(best(ROWS, BY, norm="group")) == ["t0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "robust/auroc_cvr"}, "'robust/auroc_cvr'; did you mean 'robust/auroc_cvar'"),
        ({"norm": "gruop"}, "no trial has this norm; received 'gruop'; did you mean 'group'"),
        ({"where": ["clean/auroc"]}, "--where cannot be read; received .*; give NAME>=VALUE"),
        ({"where": ["clean/auroc>="]}, "--where cannot be read; received .*; give NAME>=VALUE"),
        ({"where": ["clean/auroc>=high"]}, "not a number; received 'high' in .*; of texts =="),
        ({"where": ["clean/auroc>=1e"]}, "not a number; received '1e' in"),
        ({"where": ["clean/roc>=1"]}, "metric or searched setting; received 'clean/roc'; did you"),
        ({"where": ["status==runing"]}, "no such status of a trial; .*; did you mean 'running'"),
        ({"top": 0}, "--top is below 1; received 0; give 1 or more"),
    ],
)
def test_a_wrong_question_is_answered_with_what_exists(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        best(ROWS, **{"by": BY, **arguments})


def test_the_table_shows_intervals_and_says_what_is_missing() -> None:
    table, _, missing = ranked_table(best(ROWS, BY), "robust/auroc_cvar").split("\n\n")
    lines = table.splitlines()
    assert lines[0].split()[:5] == ["#", "trial", "norm", "lr", "epoch"]
    assert "0.900 [0.800, 0.950]" in lines[2]
    assert "0.00123" in lines[2]
    assert lines[-1].split()[-1] == "-"
    assert missing.startswith("- for a score: it is missing")
    whole = dict.fromkeys(shown_metrics(BY, ()), 0.5)
    assert "missing" not in ranked_table([replace(ROWS[0], metrics=whole)], BY)


def test_a_narrow_terminal_gets_what_fits_and_the_names_of_the_rest() -> None:
    whole = ranked_table(best(ROWS, BY), BY)
    needed = max(map(len, whole.split("\n\n")[0].splitlines()))
    assert ranked_table(best(ROWS, BY), BY, needed).split("\n\n")[0] == whole.split("\n\n")[0]
    headers = []
    for width in range(needed - 1, 0, -1):
        table, *notes = ranked_table(best(ROWS, BY), BY, width).split("\n\n")
        said_of = (" ".join(one.split()) for one in notes)
        (note,) = (one for one in said_of if one.startswith("left out"))
        head, *lines = table.splitlines()
        shown, said = head.split(), note.split(": ")[1].split("; ")[0].split(", ")
        assert sorted([*shown, *said]) == sorted(whole.splitlines()[0].split())
        assert len(lines) == 1 + len(ROWS)
        assert max(map(len, [head, *lines])) <= width or shown == MUST
        headers.append(shown)
    assert headers[-1] == MUST
    lost = [name for name in whole.splitlines()[0].split() if name not in MUST]
    assert {len(head) for head in headers} == {len(MUST) + kept for kept in range(len(lost))}


CLEAN = "clean/auroc"
PAIR = (CLEAN, BY)
MANY = [
    row("t0", 0.6, 0.95, "group"),
    row("t1", 0.7, 0.9),
    row("t2", 0.7, 0.9),  # equal to t1: both are on the front
    row("t3", 0.65, 0.85),
    row("t4", math.nan, 0.99),
    row("t5", 0.8, 0.7, "group"),
    row("t6", 0.5, 0.5),
]


def test_ranks_are_of_the_rows_that_are_kept() -> None:
    ranked = best(MANY, CLEAN, objectives=PAIR)
    found = {item.trial: item.pareto_rank for item in ranked}
    assert found == {"t0": 0, "t1": 0, "t2": 0, "t3": 1, "t4": None, "t5": 0, "t6": 2}
    assert trials(best(MANY, CLEAN, objectives=PAIR, front=True)) == ["t0", "t1", "t2", "t5"]
    assert trials(best(MANY[::-1], CLEAN, objectives=PAIR, front=True)) == ["t0", "t1", "t2", "t5"]
    below = best(MANY, CLEAN, where=["clean/auroc<0.9"], objectives=PAIR, front=True)
    assert trials(below) == ["t3", "t5"]
    assert trials(best(MANY, CLEAN, "batch", objectives=PAIR, front=True)) == ["t1", "t2"]
    assert all(item.pareto_rank is None for item in best(MANY, CLEAN))


def test_what_trials_cover_is_said_for_all_and_for_each_norm() -> None:
    found = hypervolumes([*MANY, replace(MANY[1], mode="blend", metrics={CLEAN: 1, BY: 1})], PAIR)
    assert list(found) == [None, "batch", "group"]
    assert found["batch"] == pytest.approx(0.63)
    assert found["group"] == pytest.approx(0.95 * 0.6 + 0.7 * 0.2)
    assert found[None] == pytest.approx(0.95 * 0.6 + 0.9 * 0.1 + 0.7 * 0.1)


def test_a_weighted_sum_ranks_and_has_a_column_that_is_explained() -> None:
    by = f"0.5 {CLEAN} + 0.5 {BY}"
    ranked = best(MANY, by, objectives=PAIR)
    assert trials(ranked) == ["t1", "t2", "t0", "t3", "t5", "t6", "t4"]
    table, _, about, front, _ = ranked_table(ranked, by, None, PAIR).split("\n\n")
    assert table.splitlines()[0].split()[:6] == ["#", "trial", "norm", "front", "lr", "epoch"]
    assert table.splitlines()[0].split()[6] == "objective"
    assert about == f"objective: {by}."
    assert front.startswith("front: * of a row that no other beats, at least as good in both clean")
    marked = {line.split()[1] for line in table.splitlines()[2:] if line.split()[3] == "*"}
    assert marked == {"t0", "t1", "t2", "t5"}
    assert [line.split()[6] for line in table.splitlines()[2:4]] == ["0.800", "0.800"]
    with pytest.raises(UserError, match=r"no trial has this metric; received 'clean/roc'"):
        best(MANY, "0.5 clean/roc + 0.5 clean/auroc")


def test_the_objectives_stay_in_a_narrow_table() -> None:
    table = ranked_table(best(MANY, CLEAN, objectives=PAIR), CLEAN, 1, PAIR)
    head = table.splitlines()[0].split()
    assert head == ["#", "trial", "norm", "front", CLEAN, BY]


def test_a_condition_on_scores_that_no_ranked_row_has_says_why() -> None:
    rows = [row("t0", 0.6), screened("t1", 0.8)]
    by = f"screen/{BY}"
    assert trials(best(rows, by, where=[f"{by}>=0.5"])) == ["t1"]
    with pytest.raises(
        UserError, match=f"were scored in full.*rank the screened trials by --by {by}"
    ):
        best(rows, BY, where=[f"{by}>=0.5"])
    with pytest.raises(UserError, match=f"screened alone.*ask for {by}"):
        best(rows, by, where=[f"{BY}>=0.5"])


def test_the_table_says_how_it_is_read() -> None:
    table = ranked_table(best(ROWS, BY), BY)
    for said in (
        "how to read it: the scores of a row are of its epoch, the best of its trial",
        "clean: no artifact; mean: over all artifacts and levels; worst: the worst artifact and "
        "level; cvar: the mean of the worst quarter of artifacts and levels.",
    ):
        assert said in table


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [replace(one, status="interrupted") for one in best(ROWS, BY)]
    text = ranked_table(rows, BY, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(name in text.splitlines()[0] for name in ("trial", "norm", BY))


@pytest.mark.parametrize("status", ["finished", "running", "interrupted"])
def test_an_ended_trial_without_intervals_is_explained(status: str) -> None:
    bare = replace(ROWS[0], intervals={}, status=status)
    assert ("no interval, as too few patients" in ranked_table([bare], BY)) == (
        status == "finished"
    )
    assert "no interval" not in ranked_table(ROWS[:1], BY)


def screened(trial: str, robust: float, status: str = "pruned") -> Ranked:
    full = row(trial, robust)
    metrics = {f"screen/{name}": value for name, value in full.metrics.items()}
    return replace(full, metrics=metrics, status=status)


def test_scores_of_screenings_and_of_full_tests_are_ranked_apart_and_counted_beside() -> None:
    rows = [
        row("t0", 0.6),
        screened("t1", 0.8),
        screened("t2", 0.9),
        screened("t3", 0.7, "running"),
    ]
    rows.append(replace(rows[0], mode="blend"))
    by = f"screen/{BY}"
    assert trials(best(rows, BY, mode="trained")) == ["t0"], "not below a better screening"
    assert trials(best(rows, by)) == ["t2", "t1", "t3"]
    rows.append(screened("t4", 0.6, "interrupted"))
    note = screened_note(rows, BY)
    assert note.startswith("not ranked here: 4 trials scored on a part of the patients and cells")
    assert note.endswith(f"1 of them running, 1 of them interrupted; --by {by} ranks such")
    other = screened_note(rows, by)
    assert other.startswith("not ranked here: 1 trial scored on all patients and cells; --by ")
    assert other.endswith(f"--by {BY} ranks such")
    assert screened_note(rows[:1], BY) == screened_note(rows[1:4], by) == ""


def test_arms_stand_where_norms_do() -> None:
    found = [
        replace(row(name, score, score, norm), params={"arm": arm})
        for name, norm, arm, score in (
            ("t0", "batch", "batch", 0.8),
            ("t1", "batch", "batch+artifacts", 0.9),
            ("t2", "batch", "batch+artifacts", 0.7),
            ("t3", "layer", "layer", 0.6),
        )
    ]
    assert trials(best(found, BY, per_norm=True)) == ["t1", "t0", "t3"]
    assert trials(best(found, BY, norm="batch+artifacts")) == ["t1", "t2"]
    assert trials(best(found, BY, norm="layer")) == ["t3"]
