"""The section on the search: what each norm or arm was given, and what came of it."""

import math
from collections import Counter
from statistics import fmean
from typing import Any

from sweep.core.objective import value_of
from sweep.core.records import (
    TRAINED,
    TrialRecord,
    is_missing,
    is_screened,
    null_if_missing,
)
from sweep.core.states import DIVERGED, FAILED, PRUNED, state_of
from sweep.core.text import sentence
from sweep.report.document import Block, Figure, Section, Table, Text
from sweep.report.drawing import FAINT, INK, by_group
from sweep.report.evidence import Evidence, group_of_trial
from sweep.report.numbers import NONE, value
from sweep.results import advice, choice_file
from sweep.results.ranking import goodness
from sweep.results.render import short, shown_value
from sweep.results.savings import savings
from sweep.stats.budget import expected_best

SHORT_OF_THE_END = (PRUNED, FAILED, DIVERGED)


def search_section(evidence: Evidence) -> Section:
    """Trials, epochs, the best of each group with its remarks, modes, budget, coordinates."""
    config, trials = evidence.config, evidence.trials
    said = [f"Searched: {config.search.described()}; objective `{config.search.objective}`."]
    of = config.search, config.train.epochs
    saved = savings(*of, trials, evidence.folder.last_reported)
    said += [sentence(saved)] if saved else []
    if (kept := choice_file.kept(evidence.folder.path)) and (line := choice_file.choice_text(kept)):
        said.append(sentence(line))
    remarks = list(map(sentence, advice.remarks(*of, trials, config.data.caution)))
    blocks: list[Block] = [Text(tuple(said)), _table(evidence)]
    if remarks:
        blocks.append(Text(tuple(remarks), is_list=True))
    if modes := _modes(evidence):
        blocks.append(modes)
    blocks += [one for one in (_budget(evidence), _coordinates(evidence)) if one]
    return Section("search", "The search", blocks)


def _table(evidence: Evidence) -> Table:
    config, objective = evidence.config, evidence.config.search.objective
    dimensions = [name for name in config.search.dimensions() if name not in ("arm", "model.norm")]
    header = [evidence.kind, "trials", *SHORT_OF_THE_END, "epochs"]
    header += [f"best {short(name)}" for name in dimensions] + [f"best {objective}", "at epoch"]
    rows, data = [], []
    for group in evidence.config.groups():
        own = [trial for trial in evidence.trials if group_of_trial(trial) == group]
        best = max(
            (trial for trial in own if _scored(trial)),
            key=lambda trial: goodness(trial.metrics, objective),
            default=None,
        )
        states = Counter(map(state_of, own))
        counts = [
            len(own),
            *(states[state] for state in SHORT_OF_THE_END),
            sum(evidence.folder.last_reported(trial.trial) for trial in own),
        ]
        chosen = [best.params.get(name) if best else None for name in dimensions]
        score = value_of(best.metrics, objective) if best else math.nan
        epoch = best.best_epoch if best else None
        rows.append(
            [group, *map(str, counts), *map(shown_value, chosen), value(score), shown_value(epoch)],
        )
        plain = [group, *counts, *chosen, null_if_missing(score), epoch]
        data.append(dict(zip(header, plain, strict=True)))
    return Table(
        "search",
        "What was searched, and the best trial of each on validation patients",
        header,
        rows,
        data,
    )


def _scored(trial: TrialRecord) -> bool:
    return trial.best_epoch is not None and not is_screened(trial.metrics)


def _modes(evidence: Evidence) -> Table | None:
    """Modes of the same checkpoints, each less the trained one, on validation patients."""
    names = list(dict.fromkeys(mode for trial in evidence.trials for mode in trial.modes))
    clean, robust = evidence.metric.clean, evidence.metric.robust("mean")
    rows, data = [], []
    for group in evidence.groups:
        own = [one for one in evidence.trials if group_of_trial(one) == group and _scored(one)]
        for mode in [TRAINED, *names]:
            there = [one for one in own if mode == TRAINED or mode in one.modes]
            if not there or not any(one.modes for one in own):
                continue
            found = {
                name: [
                    (one.metrics if mode == TRAINED else one.modes[mode].metrics)[name]
                    for one in there
                ]
                for name in (clean, robust)
            }
            sign = 1 if evidence.metric.higher_is_better else -1
            gain = [
                sign * (new - one.metrics[robust])
                for new, one in zip(found[robust], there, strict=True)
            ]
            cells = [fmean(found[clean]), fmean(found[robust]), fmean(gain)]
            rows.append(
                [
                    group,
                    mode,
                    str(len(there)),
                    value(cells[0]),
                    value(cells[1]),
                    NONE if mode == TRAINED else value(cells[2], "+.3f"),
                    NONE if mode == TRAINED else f"{sum(one > 0 for one in gain)}/{len(gain)}",
                ]
            )
            data.append(
                {evidence.kind: group, "mode": mode, "trials": len(there)}
                | {
                    clean: null_if_missing(cells[0]),
                    robust: null_if_missing(cells[1]),
                    "gain": null_if_missing(cells[2]),
                }
            )
    if not rows:
        return None
    header = [evidence.kind, "mode", "trials", clean, robust, "gain over trained", "trials gained"]
    caption = (
        "Modes of the same checkpoints, such as batch norm with statistics of the batches at hand: "
        "means over the trials of the search, on validation patients"
    )
    return Table("modes", caption, header, rows, data)


def _budget(evidence: Evidence) -> Figure | Text | None:
    search = evidence.config.search
    if search.scheduler != "none" or search.method() not in ("sobol", "random", "grid"):
        return Text(
            (
                "No curve of the expected best over the budget: it holds for trials that were "
                "drawn "
                "alike and each trained to its end, and here weak ones were stopped or a sampler "
                "learnt from those before.",
            )
        )
    data: list[dict[str, Any]] = []
    for group in evidence.groups:
        own = [one for one in evidence.trials if group_of_trial(one) == group]
        scores = [value_of(one.metrics, search.objective) for one in own]
        found = expected_best(scores)
        for n, mean, low, high in zip(found.trials, found.mean, found.low, found.high, strict=True):
            if not is_missing(float(mean)):
                data.append(
                    {"group": group, "trials": int(n), "expected best": float(mean)}
                    | {"low": float(low), "high": float(high)}
                )
    if len({row["trials"] for row in data}) < 2:
        return None
    colour, shape = by_group(evidence.groups)
    counts = sorted({row["trials"] for row in data})
    x = {"field": "trials", "type": "quantitative", "axis": {"values": counts, "format": "d"}}
    y = {
        "field": "expected best",
        "type": "quantitative",
        "scale": {"zero": False},
        "title": f"expected best {search.objective}",
    }
    spec = {
        "width": 420,
        "height": 260,
        "data": {"name": "rows"},
        "mark": {"type": "line", "point": {"size": 45, "filled": True}},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "group", "type": "nominal", "scale": colour, "title": evidence.kind},
            "shape": {"field": "group", "type": "nominal", "scale": shape, "title": evidence.kind},
        },
    }
    return Figure(
        "budget",
        "What more trials are worth",
        "The best of so many trials of each, as it is to be expected (Dodge et al. 2019), on the "
        "validation patients: where lines still rise, the search was short; where they cross, "
        "who is ahead depends on the budget.",
        spec,
        data,
    )


def _coordinates(evidence: Evidence) -> Figure | None:
    """Every trial as a line over its searched values and its scores."""
    config = evidence.config
    dimensions = {
        name: one
        for name, one in config.search.dimensions().items()
        if name not in ("arm", "model.norm")
    }
    scores = [evidence.metric.clean, config.search.objective]
    data: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    trials = [one for one in evidence.trials if _scored(one)]
    axes = [*dimensions, *dict.fromkeys(scores)]
    for axis in axes:
        known = {one.trial: _number(one, axis, dimensions) for one in trials}
        values = [v for v in known.values() if not is_missing(v)]
        if not values:
            continue
        low, high = min(values), max(values)
        for one in trials:
            number = known[one.trial]
            if not is_missing(number):
                place = 0.5 if high == low else (number - low) / (high - low)
                data.append(
                    {"trial": one.trial, "group": group_of_trial(one), "axis": short(axis)}
                    | {"place": place, "value": _written(one, axis, dimensions)}
                )
        for place, wanted in ((0, low), (1, high)):
            one = next(one for one in trials if known[one.trial] == wanted)
            ends.append(
                {"axis": short(axis), "end": place, "text": _written(one, axis, dimensions)}
            )
    if len(trials) < 3 or len({row["axis"] for row in data}) < 2:
        return None
    colour, _ = by_group(evidence.groups)
    order = [short(axis) for axis in axes]
    x = {
        "field": "axis",
        "type": "nominal",
        "sort": order,
        "title": None,
        "axis": {"labelAngle": 0, "labelFontSize": 12, "domain": False, "ticks": False},
        "scale": {"type": "point", "padding": 0.3},
    }
    lines = {
        "mark": {"type": "line", "opacity": 0.55},
        "encoding": {
            "x": x,
            "y": {
                "field": "place",
                "type": "quantitative",
                "axis": None,
                "scale": {"domain": [-0.08, 1.08]},
            },
            "detail": {"field": "trial"},
            "color": {"field": "group", "type": "nominal", "scale": colour, "title": evidence.kind},
        },
    }
    rules = {
        "mark": {"type": "rule", "color": FAINT},
        "encoding": {"x": x},
    }
    texts = [
        {
            "transform": [{"filter": f"datum.end == {end}"}],
            "mark": {"type": "text", "dy": 10 if end == 0 else -10, "color": INK, "fontSize": 11},
            "encoding": {
                "x": x,
                "y": {"field": "end", "type": "quantitative"},
                "text": {"field": "text"},
            },
            "data": {"values": ends},
        }
        for end in (0, 1)
    ]
    spec = {
        "width": max(420, 130 * len(order)),
        "height": 260,
        "data": {"name": "rows"},
        "layer": [rules, lines, *texts],
    }
    return Figure(
        "coordinates",
        "From settings to scores",
        f"A line is a trial that was scored in full, {len(trials)} of {len(evidence.trials)}; "
        "settings on a logarithmic range are spread so. Lines that end high on the right and begin "
        "close together say which settings matter.",
        spec,
        data,
    )


def _number(trial: TrialRecord, axis: str, dimensions: Any) -> float:
    if axis not in dimensions:
        return value_of(trial.metrics, axis)
    chosen = trial.params.get(axis)
    if chosen is None:
        return float("nan")
    if dimensions[axis].kind == "choice":
        return float(dimensions[axis].values.index(chosen))
    return math.log(chosen) if "log" in dimensions[axis].kind else float(chosen)


def _written(trial: TrialRecord, axis: str, dimensions: Any) -> str:
    if axis in dimensions:
        return shown_value(trial.params.get(axis))
    return value(value_of(trial.metrics, axis))
