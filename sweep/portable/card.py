"""The model card: what an exported model is, what it scored, and what nobody tested it on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import artifacts_sim
from sweep.config.artifacts import base_of
from sweep.config.levels import unreached
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell, is_missing
from sweep.core.text import MISSING, number_of, outlined, size_text
from sweep.metrics.summary import macro_by_cell
from sweep.metrics.table import SUMMARIES, metrics
from sweep.portable.evidence import Evidence
from sweep.portable.graph import least_side


def card(evidence: Evidence, said: Mapping[str, str], files: Mapping[str, str]) -> str:
    """The model card as Markdown.

    Args:
        evidence: What is known of the checkpoint.
        said: What the files say of themselves.
        files: The name of each file, and how far from the checkpoint it was found to be.

    """
    info = evidence.info
    origin = f" of the sweep {evidence.sweep}" if evidence.sweep else ""
    sections = [
        f"# Model card: {info.title}{origin}",
        "\n".join(f"- `{name}`: {found}" for name, found in files.items()),
        _table(["", ""], [[name, value] for name, value in said.items()]),
        "## Data",
        *_data(evidence),
        "## Training and stress test",
        *_training(evidence),
        "## Scores",
        *_scores(evidence),
        "## What it was not tested on",
        "\n".join(f"- {text}" for text in _untested(evidence)),
    ]
    return "\n\n".join(sections) + "\n"


def _data(evidence: Evidence) -> Iterator[str]:
    data = evidence.info.config.data
    yield f"Fingerprint of the store: `{evidence.info.fingerprint}`."
    roles = {"train": data.train, "validation": data.validation, "test": data.test}
    known = evidence.patients()
    rows = []
    for role, splits in roles.items():
        for split in map(str, splits):
            counts = map(str, known[split]) if split in known else (MISSING, MISSING)
            rows.append([role, split, *counts])
    yield _table(["role", "split", "slices", "patients"], rows)
    if evidence.store is None:
        yield f"The store is no longer at `{data.store}`, so that nothing more is known of it here."
        return
    yield f"Images of {_size(evidence)} pixels. Source:"
    yield "\n".join(["```text", *outlined(evidence.store.source, ""), "```"])


def _training(evidence: Evidence) -> Iterator[str]:
    config, stats = evidence.info.config, evidence.info.stats
    settings = {
        "seed": config.seed,
        "model": config.model.to_plain(),
        "train": config.train.to_plain(),
        "stress": config.stress.to_plain(),
    }
    yield f"The mean loss of epoch {evidence.info.epoch} was {stats.train_loss:.4g}."
    yield "\n".join(["```text", *outlined(settings, ""), "```"])


def _scores(evidence: Evidence) -> Iterator[str]:
    record = evidence.record
    if record is None:
        yield (
            "Not known here: the checkpoint does not lie in its sweep's folder, or its epoch was "
            "not scored. `mrisweep stress` scores it."
        )
        return
    if not record.scores:
        yield (
            "This epoch was scored on a part of the validation patients and cells alone, as its "
            "trial was stopped early. `mrisweep stress` scores it in full."
        )
        return
    splits = _names(evidence.info.config.data.validation)
    yield (
        f"Of the validation split {splits}, clean and under simulated artifacts: macro means over "
        "the labels, one against the rest. Robust: of the cells, artifact by level, the mean of "
        "the worst quarter (cvar), of all (mean) and of the worst (worst)."
    )
    names = {f"{metric}": _summaries(metric) for metric in metrics()}
    rows = [
        [metric, *(_score(record.metrics.get(one), evidence, one) for one in summaries)]
        for metric, summaries in names.items()
    ]
    yield _table(["metric", "clean", *(f"robust {name}" for name in SUMMARIES)], rows)
    yield (
        "In brackets 95 % bootstrap intervals over patients. They do not include the luck of "
        "having been chosen: the best epoch of its trial, of "
        f"{number_of(evidence.trials, 'trial')}."
        if evidence.intervals
        else "There are no intervals: they are found for the best epoch of a trial that has ended."
    )
    curves = [name for name, row in metrics().items() if row.has_curve]
    cells = {name: macro_by_cell(record.scores, name) for name in curves}
    shown: list[Cell] = list(next(iter(cells.values())))
    yield _table(
        ["artifact", "level", *cells],
        [
            [cell.artifact, str(cell.level), *(_number(of[cell]) for of in cells.values())]
            for cell in (one for one in shown if one != CLEAN)
        ],
    )
    yield "Of single artifacts and levels a sweep records no intervals."


def _summaries(metric: str) -> list[str]:
    row = metrics()[metric]
    return [row.clean, *map(row.robust, SUMMARIES)]


def _score(value: float | None, evidence: Evidence, name: str) -> str:
    if name not in evidence.intervals:
        return _number(value)
    low, high = evidence.intervals[name]
    return f"{_number(value)} [{low:.3f}, {high:.3f}]"


def _untested(evidence: Evidence) -> Iterator[str]:
    info = evidence.info
    stress, data = info.config.stress, info.config.data
    yield (
        "Other hospitals, scanners, sequences and patients than those of the data above; what it "
        "is worth in the clinic."
    )
    yield (
        f"Its scores are of the validation split {_names(data.validation)}, by which its epoch and "
        "its trial were chosen, so that they are favourable."
    )
    yield (
        f"The test split {_names(data.test)}, which the sweep never touched: `mrisweep stress "
        f"--split {' '.join(map(str, data.test))}` scores it."
        if data.test
        else "No test split was set apart."
    )
    tested = {base_of(name) for name in stress.artifacts}
    if others := [name for name in artifacts_sim.names() if name not in tested]:
        yield f"Artifacts that its stress test does not have: {', '.join(others)}."
    if levels := [level for level in artifacts_sim.LEVELS if level not in stress.levels]:
        yield f"Levels {_names(levels)} of 1 to 5 of the artifacts that it has."
    with suppress(UserError):  # a file of levels that is gone
        if missing := unreached(stress):
            yield f"Levels that an artifact does not reach: {', '.join(missing)}."
    yield "Several artifacts at once, and real ones: all are simulated, one in each cell."
    yield (
        f"Images of other sizes than {_size(evidence)}, or with pixels of another size in mm: the "
        f"graph takes {least_side(info)} x {least_side(info)} and more, whatever comes of it."
    )
    if data.signal == "images" and data.normalize == "none":
        yield "Intensities in another unit than the store's: they are not scaled."


def _size(evidence: Evidence) -> str:
    return "its data" if evidence.store is None else size_text(evidence.store.images.shape[1:])


def _number(value: float | None) -> str:
    return MISSING if value is None or is_missing(value) else f"{value:.3f}"


def _names(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
