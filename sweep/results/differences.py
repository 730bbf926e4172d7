"""How the norms or arms of a sweep differ by their finalists, kept as tables in its folder.

``finalists/differences.json`` is measured when the last finalist has ended, as it reads all that
finalists said of every slice. It names the trainings that it rests on: with others it is stale.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sweep.config.finalists import FinalistSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import told
from sweep.core.files import write_text
from sweep.core.finals import VALIDATION
from sweep.core.kinds import require_kind
from sweep.core.reading import read_json, readable
from sweep.metrics import metric_for
from sweep.results.callbacks import Say
from sweep.results.comparison_text import effects_plain
from sweep.results.finalists import FinalistFolder
from sweep.results.folder import SweepFolder
from sweep.results.trainings import effects, trainings_at

INTERVAL = "interval"  # with what is behind it, the name of a pair of ends


@dataclass(frozen=True)
class Differences:
    """What is said of norms or arms at every place but that where they were chosen.

    Attributes:
        basis: The trainings and settings that it rests on.
        means: A row for each place, score and norm or arm, as ``compare --json`` names things, with
            the ends of intervals as ``low`` and ``high``; None where a value is missing.
        differences: A row for each place, score and pair.
        notes: By place, what a reader has to know.

    """

    basis: tuple[str, ...]
    means: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)


def measure(folder: SweepFolder, config: SweepConfig) -> Differences:
    """Compare the norms or arms of a sweep by its finalists, at every place of the plan.

    Args:
        folder: With finalists that have scores.
        config: The sweep; its margin and its reference are meant.

    """
    settings = config.finalists or FinalistSettings()
    metric = metric_for(config.search.objective)
    found = Differences(_basis(folder, config))
    plan = FinalistFolder(folder).plan()
    for place in plan.places if plan else ():
        if place.name == VALIDATION:
            continue  # they were chosen there
        there = trainings_at(folder, metric, place.name)
        for score in there.scored[0].scores:
            values = [(one, one.scores[score]) for one in there.scored]
            asked_of = settings.margin, settings.reference, metric.higher_is_better
            said = effects(values, *asked_of, there.basis.reason)
            plain, where = effects_plain(said), {"place": place.name, "score": score}
            found.means.extend(where | _flat(row) for row in plain["means"])
            found.differences.extend(where | _flat(row) for row in plain["differences"])
            notes = found.notes.setdefault(place.name, [])
            notes.extend(one for one in (*there.notes, *said.notes) if one not in notes)
    return found


def keep_measured(folder: SweepFolder, config: SweepConfig, say: Say) -> None:
    """Measure what is not kept yet, where there are finalists; a failure is said and costs no more.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        say: Says something to the user.

    """
    if not FinalistFolder(folder).have_scores():
        return
    try:
        known = kept(folder)
        if known is None or known.basis != _basis(folder, config):
            write_text(_file(folder), json.dumps(asdict(measure(folder, config)), indent=1))
    except Exception as error:  # whatever it is, the finalists and their scores are there
        say(
            f"how the finalists differ is not measured; received {told(error)}; their scores are "
            f"there: mend the cause, and `mrisweep sync {folder.path}` measures it again"
        )


def kept(folder: SweepFolder) -> Differences | None:
    """Back from ``keep_measured``; None before.

    Raises:
        UserError: Somebody has changed the file, so that it is none.

    """
    file = _file(folder)
    wrong = "how the finalists differ cannot be read"
    remedy = f"remove it; `mrisweep sync {folder.path}` measures it again"
    with suppress(FileNotFoundError), readable(wrong, file, remedy):
        plain = read_json(file)
        found = Differences(**{**plain, "basis": tuple(plain["basis"])})
        require_kind(Differences, found)
        _check(found.means, ("place", "score", "norm"), ("mean", "low", "high"))
        texts = "place", "score", "first", "second", "sentence"
        _check(found.differences, texts, ("difference", "low", "high", "p_holm"))
        return found
    return None


def _check(rows: Iterable[Mapping[str, Any]], texts: Iterable[str], numbers: Iterable[str]) -> None:
    """Raise ``ValueError`` or ``KeyError`` unless rows have what those who read them take of it."""
    for row in rows:
        for kind, names in ((str, texts), (float | None, numbers)):
            for name in names:
                require_kind(kind, row[name])


def _basis(folder: SweepFolder, config: SweepConfig) -> tuple[str, ...]:
    settings = config.finalists or FinalistSettings()
    stated = (config.search.objective, f"margin {settings.margin}", str(settings.reference))
    records = FinalistFolder(folder).records()
    return (*stated, *(f"{record.run.name} {record.ended_at_ms}" for record in records))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without lists: the two ends of an interval have names of their own."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith(INTERVAL):
            kind = name.removeprefix(INTERVAL)
            flat |= {f"low{kind}": value[0], f"high{kind}": value[1]}
        else:
            flat[name] = value
    return flat


def _file(folder: SweepFolder) -> Path:
    return FinalistFolder(folder).path / "differences.json"
