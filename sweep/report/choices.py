"""What choosing by one score or another brings: the finalist that each chooses, where it was asked.

On validation patients a configuration is chosen by clean images, or under simulated artifacts; what
it then does on other patients says what the way to choose is worth.
"""

from contextlib import suppress
from typing import Any

from sweep.config.arms import RULE
from sweep.core.errors import UserError
from sweep.core.records import null_if_missing
from sweep.report.document import Table
from sweep.report.evidence import At, Evidence
from sweep.report.numbers import NONE, between, chance, value
from sweep.results.finalists import FinalistFolder, chosen_by
from sweep.results.trainings import effects


def choices_table(evidence: Evidence) -> Table | None:
    """The finalist of each way to choose, less the reference, at every place.

    Returns:
        None without finalists or without a reference.

    """
    if evidence.plan is None or evidence.first.reference is None:
        return None
    metric = evidence.metric
    scores = [metric.clean, metric.robust("mean"), evidence.config.search.objective]
    ways: dict[str, list[str]] = {}
    for score in dict.fromkeys(scores):
        with suppress(UserError):  # one that no finalist has chooses nothing
            ways.setdefault(chosen_by(FinalistFolder(evidence.folder), score), []).append(score)
    rows, data = [], []
    for trial, by in ways.items():
        group = next(one.group for one in evidence.first.found.scored if one.config == trial)
        for at in evidence.places:
            for name, found in _differences(at, trial).items():
                rows.append([", ".join(by), trial, group, at.place, name, *found[1]])
                data.append(
                    {"chosen by": ", ".join(by), "trial": trial, evidence.kind: group}
                    | {"place": at.place, "score": name, **found[0]}
                )
    if not rows:
        return None
    reference = evidence.first.reference
    header = ["chosen by", "trial", evidence.kind, "place", "score", "chosen", reference]
    header += ["difference", "95 %", "P"]
    caption = (
        "What choosing brings: the finalist that is the best by a score on validation patients, in "
        f"the mean over seeds, less {reference}. P is not adjusted; on validation patients the "
        "chosen one has its luck"
    )
    return Table("choices", caption, header, rows, data)


def _differences(at: At, trial: str) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """By score, the difference of a configuration to the reference, as values and as text."""
    rule, reference = f"{RULE}{trial}", str(at.reference)
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for name in at.by_score:
        pairs = [
            (one._replace(group=rule) if one.config == trial else one, one.scores[name])
            for one in at.found.scored
        ]
        said = effects(pairs, at.margin, reference, at.higher_is_better, at.found.basis.reason)
        means = {one.norm: one.mean for one in said.norms}
        own, other = means.get(rule, float("nan")), means.get(reference, float("nan"))
        one = next((one for one in said.differences if one.first == rule), None)
        values: dict[str, Any] = {"it": null_if_missing(own), "reference": null_if_missing(other)}
        texts = [value(own), value(other)]
        if one is None:
            found[name] = values, [*texts, NONE, NONE, NONE]
            continue
        found[name] = (
            values
            | {
                "difference": null_if_missing(one.difference),
                "low": null_if_missing(one.interval[0]),
                "high": null_if_missing(one.interval[1]),
                "p": null_if_missing(one.p),
            },
            [
                *texts,
                value(one.difference, "+.3f"),
                between(one.interval, "+.3f"),
                chance(one.p),
            ],
        )
    return found
