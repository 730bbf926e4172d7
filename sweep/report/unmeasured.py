"""The section on what a sweep did not measure."""

from collections.abc import Iterator

from sweep.config.levels import unreached
from sweep.core.finals import TEST
from sweep.core.records import is_missing
from sweep.core.text import number_of, sentence
from sweep.report.document import Section, Text
from sweep.report.evidence import Evidence
from sweep.report.numbers import listed
from sweep.results.finalists import accesses, said_of_access
from sweep.stats.checkpoint import LEAST

FEW_SEEDS = 5
PATIENTS_OF_INTERVALS = "an interval over so few is wide, and one of extreme scores too narrow"


def unmeasured_section(evidence: Evidence) -> Section:
    """What a reviewer would ask, and this sweep cannot say."""
    lines = tuple(map(sentence, _lines(evidence)))
    return Section("not-measured", "What was not measured", [Text(lines, is_list=True)])


def _lines(evidence: Evidence) -> Iterator[str]:
    yield from evidence.remarks
    yield from _of_patients(evidence)
    yield from _of_cells(evidence)
    yield from _of_trainings(evidence)
    if not any(one.place not in (TEST, "validation") for one in evidence.places):
        yield (
            "no store of elsewhere was asked (`finalists.external`): what another scanner or "
            "hospital does beyond what these test patients bring is not known"
        )
    modes = sorted({mode for trial in evidence.trials for mode in trial.modes})
    if modes and evidence.plan:
        yield (
            f"the modes {listed(modes)} were asked of the trials of the search on validation "
            "patients, not of finalists"
        )
    yield (
        "one network architecture at one image size, trained for "
        f"{number_of(evidence.config.train.epochs, 'epoch')} at most: other sizes and longer "
        "trainings may order norms otherwise"
        if not _searches(evidence, "model.arch")
        else "image sizes other than that of the store"
    )
    yield (
        "simulated artifacts, one at a time: real ones come together, and with other changes of "
        "the acquisition"
    )


def _of_patients(evidence: Evidence) -> Iterator[str]:
    at = evidence.first
    few = [
        f"{label} ({count})"
        for label, count in at.found.basis.positive.items()
        if count < 2 * LEAST
    ]
    if few:
        yield f"fewer than {2 * LEAST} patients at {at.place} show {listed(few)}: " + (
            PATIENTS_OF_INTERVALS
        )
    access = said_of_access(evidence.folder)
    if access and len(accesses(evidence.folder)) > 1:
        yield f"test patients were looked at more than once: {access}"


def _of_cells(evidence: Evidence) -> Iterator[str]:
    stress, at = evidence.config.stress, evidence.first
    if lost := unreached(stress):
        yield f"levels that an artifact does not reach have no cell: {listed(lost)}"
    missing = [
        f"{cell.artifact} {cell.level}"
        for cell in at.cells
        if any(is_missing(one.cells[cell].value) for one in at.found.scored)
    ]
    if missing:
        yield f"cells in which a score is missing, and with them the means: {listed(missing)}"
    if not at.held_out:
        yield "no artifact was held out: that other artifacts do the same is not shown"


def _of_trainings(evidence: Evidence) -> Iterator[str]:
    seeds = {one.seed for one in evidence.first.found.scored}
    configurations = {
        group: len({one.config for one in evidence.first.found.scored if one.group == group})
        for group in evidence.groups
    }
    if evidence.plan and len(seeds) < FEW_SEEDS:
        yield (
            f"{number_of(len(seeds), 'seed')} of each configuration: how much seeds differ is "
            + ("known roughly")
        )
    one = [group for group, count in configurations.items() if count == 1]
    if one:
        yield (
            f"one configuration of {listed(one)}: what belongs to the {evidence.kind} and what to "
            "the configuration cannot be told apart"
        )
    absent = [group for group in evidence.config.groups() if group not in evidence.groups]
    if absent:
        yield f"no training of {listed(absent)} has a score"
    if lost := sum(record.status == "diverged" for record in evidence.records):
        yield f"{number_of(lost, 'training')} of finalists diverged and are not replaced"


def _searches(evidence: Evidence, name: str) -> bool:
    return name in evidence.config.search.dimensions()
