"""A sweep's journal and the records of its trials, each mended by what the other still says.

Both know every trial. Where a file was lost, damaged and removed, or put back from an older copy,
one knows less than the other; a resumed sweep must neither run such a trial again nor forget it.
"""

from collections.abc import Iterator

from sweep.config.sweep import SweepConfig
from sweep.core.records import (
    DIVERGED,
    EpochRecord,
    Status,
    TrialRecord,
    best_epoch,
    diverged,
    is_missing,
    of_one_fidelity,
)
from sweep.core.text import number_of
from sweep.results.callbacks import Say
from sweep.results.folder import SweepFolder
from sweep.search.fidelity import Fidelity
from sweep.search.study import STATES, Study, Suggestion

LOST = "its files were lost from the sweep's folder"


def mend(folder: SweepFolder, study: Study, config: SweepConfig, say: Say) -> None:
    """Bring journal and records together.

    Args:
        folder: The folder of the sweep.
        study: Its search.
        config: The sweep as resolved.
        say: Told of what was mended.

    Raises:
        WorkError: The record of a trial is damaged, or a table of its scores.

    """
    records = folder.trials()
    known = set(study.numbers())
    if entered := [record for record in records if record.number not in known]:
        say(_said("the journal of the search lacks", entered, "entered again from their records"))
    for record in records:
        if record.number not in known:
            study.enter(record.number, record.params)
        if record.status in ("finished", "pruned") or record in entered:
            _tell(folder, study, config, record)
    there = {record.number for record in records}
    lost = [number for number in known - there if study.status(number) != "running"]
    made = [_remade(folder, config, study.suggestion(one), study.status(one)) for one in lost]
    for record in made:
        folder.write_trial(record)
    if made:
        say(_said("the folder lacks the records of", made, "made again of the journal and scores"))


def _said(wrong: str, records: list[TrialRecord], done: str) -> str:
    names = ", ".join(record.trial for record in records)
    return f"note: {wrong} {number_of(len(records), 'trial')}, {names}: {done}"


def _tell(folder: SweepFolder, study: Study, config: SweepConfig, record: TrialRecord) -> None:
    """Tell the study what a trial came to, as far as the journal does not say it."""
    if study.status(record.number) != "running":
        return
    epochs = folder.epochs(record.trial)
    for epoch, values in _reports(config, epochs):
        study.report(record.number, epoch, *values)
    if record.status != "running":
        state = STATES["pruned" if diverged(record) else record.status]
        metrics = record.metrics if record.best_epoch is not None else {}
        study.tell(record.number, state, metrics, len(epochs))


def _reports(
    config: SweepConfig, epochs: list[EpochRecord]
) -> Iterator[tuple[int, tuple[float, ...]]]:
    fidelity = Fidelity(config.search, config.train.epochs)
    for epoch in epochs:
        values = config.search.values(fidelity(epoch.epoch, epoch.metrics))
        if not any(map(is_missing, values)):
            yield epoch.epoch, values


def _remade(
    folder: SweepFolder, config: SweepConfig, suggestion: Suggestion, status: Status
) -> TrialRecord:
    """The record of an ended trial, of what it was asked for and what it has scored."""
    trial, epochs = config.trial(suggestion.params), folder.epochs(suggestion.trial)
    best = best_epoch(((one.epoch, one.metrics) for one in epochs), config.search.objective)
    times = [one.evaluated_at_ms for one in epochs] or [folder.identity.started_at_ms]
    metrics = next((one.metrics for one in epochs if best and one.epoch == best[0]), {})
    failed = best is None or status == "failed"
    error = f"{config.search.objective} {DIVERGED}" if epochs and best is None else LOST
    return TrialRecord(
        trial=suggestion.trial,
        number=suggestion.number,
        params=suggestion.params,
        norm=trial.model.norm,
        seed=trial.seed,
        status="failed" if failed else status,
        started_at_ms=times[0],
        ended_at_ms=times[-1],
        best_epoch=None if best is None else best[0],
        metrics=of_one_fidelity(metrics),
        error=error if failed else None,
    )
