"""What is said of a sweep as a whole, on its run: the choice, the finalists, their differences."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sweep.config.sweep import SweepConfig
from sweep.core.finals import FinalistRecord
from sweep.core.records import missing_as_null
from sweep.core.text import csv_text, sentence
from sweep.metrics import metric_for
from sweep.results import choice_file, differences
from sweep.results.choice_file import Choice, choice_text
from sweep.results.differences import Differences
from sweep.results.final_table import FinalistRow, final_rows, shown_of
from sweep.results.finalists import FinalistFolder, said_of_access
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.log_tables import log_tables
from sweep.results.mlflow.names import CHOICE, DIFFERENCE, ENDS, Tag, metric_part, param_text
from sweep.results.mlflow.server import Experiment
from sweep.results.mlflow.so_far import SoFar

GUIDE = (
    "How to read it: the trials are the runs below this one. `best/...` is here the score of the "
    "best trial that was scored in full, by trials that had ended, and on a trial's run that of "
    "its best epoch. Parameters are all settings; what was searched, and where, is "
    "`search.space...`. `sweep.yaml` under Artifacts is the whole sweep."
)
FINALISTS, MEANS, PAIRS = (f"finalists/{name}.json" for name in ("table", "norms", "differences"))


def log_conclusion(
    experiment: Experiment, run: str, folder: SweepFolder, config: SweepConfig
) -> None:
    """Log what the folder says of the whole sweep; nothing of what it does not say.

    Args:
        experiment: Where.
        run: The id of the sweep's run.
        folder: The folder of the sweep.
        config: The sweep as resolved.

    """
    records = FinalistFolder(folder).records()
    made, found = choice_file.kept(folder.path), differences.kept(folder)
    if made is not None:
        experiment.client.log_dict(run, asdict(made), "choice.json")
        experiment.log(run, dict(_choice_values(made)), trials_end(folder), 0)
    if found is not None:
        experiment.client.log_dict(run, asdict(found), "finalists/compared.json")
        experiment.log(run, dict(_headlines(found, config)), last_end(folder), 0)
    if records:
        _log_tables(experiment, run, records, found, config)
    if access := said_of_access(folder):
        experiment.tag(run, {Tag.ACCESS: access})


def description(folder: SweepFolder, config: SweepConfig, so_far: SoFar) -> str:
    """The description of the sweep's run: how far it is, what came of it, how to read it.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.
        so_far: Its trials.

    """
    records = FinalistFolder(folder).records()
    made, found = choice_file.kept(folder.path), differences.kept(folder)
    concluded = _sentences(folder, config, made, found, records)
    return "\n\n".join([so_far.sentence(), *concluded, GUIDE])


def trials_end(folder: SweepFolder) -> int:
    """When the last trial ended, or began and has not ended: Unix time in milliseconds."""
    times = [trial.ended_at_ms or trial.started_at_ms for trial in folder.trials()]
    return max([*times, folder.identity.started_at_ms])


def last_end(folder: SweepFolder) -> int:
    """When the last trial or finalist ended."""
    times = [record.ended_at_ms for record in FinalistFolder(folder).records()]
    return max([*times, trials_end(folder)])


def _choice_values(made: Choice) -> Iterator[tuple[str, float]]:
    groups = {"": made.best, **{f"{metric_part(norm)}/": of for norm, of in made.norms.items()}}
    for group, of in groups.items():
        if of is not None:
            yield f"{CHOICE}{group}naive", of.naive
            yield f"{CHOICE}{group}corrected", of.corrected


def _headlines(found: Differences, config: SweepConfig) -> Iterator[tuple[str, float]]:
    """The differences that a reader wants first: by the mean over cells, and the one stated."""
    for row in found.differences:
        if row["score"] in _scores(config):
            pair = f"{metric_part(row['first'])} less {metric_part(row['second'])}"
            name = f"{DIFFERENCE}{row['place']}/{pair}/{row['score']}"
            named = ("", "difference"), (ENDS[0], "low"), (ENDS[1], "high"), ("/p_holm", "p_holm")
            for end, column in named:
                if row[column] is not None:
                    yield f"{name}{end}", row[column]


def _scores(config: SweepConfig) -> set[str]:
    stated = config.finalists.primary if config.finalists else None
    mean = metric_for(config.search.objective).robust("mean")
    return {mean, stated.score} if stated else {mean}


def _log_tables(
    experiment: Experiment,
    run: str,
    records: Sequence[FinalistRecord],
    found: Differences | None,
    config: SweepConfig,
) -> None:
    rows = final_rows(records)
    shown = shown_of(metric_for(config.search.objective))
    names = list(dict.fromkeys([*shown, *(name for row in rows for name in row.mean)]))
    tables = {FINALISTS: [_wide(row, shown) for row in rows]}
    if found is not None:
        tables |= {MEANS: found.means, PAIRS: found.differences}
    log_tables(experiment, run, tables)
    experiment.client.log_text(
        run, csv_text([_wide(row, names) for row in rows]), "finalists/table.csv"
    )


def _wide(row: FinalistRow, names: Sequence[str]) -> dict[str, Any]:
    """A row of the table of finalists without anything nested: means, each with its spread."""
    about = {"place": row.place, "norm": row.norm, "trial": row.trial}
    counts = {"seeds": row.seeds, "diverged": row.diverged}
    means = missing_as_null(row.mean)
    scores: dict[str, Any] = {}
    for name in names:
        scores |= {name: means.get(name), f"{name} sd": row.sd.get(name)}
    params = {name: param_text(value) for name, value in row.params.items()}
    return {**about, **counts, **scores, **{k: v for k, v in params.items() if k != "model.norm"}}


def _sentences(
    folder: SweepFolder,
    config: SweepConfig,
    made: Choice | None,
    found: Differences | None,
    records: Sequence[FinalistRecord],
) -> Iterator[str]:
    """What is said of the sweep as a whole, as far as it is known."""
    if made is not None and (text := choice_text(made)):
        yield sentence(text)
    scores = _scores(config)
    for row in found.differences if found else ():
        if row["score"] in scores:
            yield f"**{row['place']}**, `{row['score']}`: {row['sentence']}"
    if lost := [record.run.name for record in records if not record.metrics]:
        yield f"Diverged, without a score: {', '.join(lost)}."
    if access := said_of_access(folder):
        yield sentence(access)
    if records:
        yield f"Tables under Artifacts: `{FINALISTS}`, `{MEANS}`, `{PAIRS}`."
