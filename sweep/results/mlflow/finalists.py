"""Finalists in MLflow: a run for each training, with what it scored at every place."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any

from sweep.config.arms import group_of
from sweep.config.settings import LevelKnobs
from sweep.config.sweep import SweepConfig
from sweep.core.finals import VALIDATION, FinalistRecord, FinalistRun, Place
from sweep.core.records import CLEAN, Basis, Cell
from sweep.metrics import metric_for
from sweep.results.finalists import FinalistFolder, Plan
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.data import used_by_finalists
from sweep.results.mlflow.log_tables import log_tables
from sweep.results.mlflow.names import SEPARATOR, Role, Tag, basis_tag, digest
from sweep.results.mlflow.params import params_of_trial
from sweep.results.mlflow.server import Experiment, Opened
from sweep.results.mlflow.source import source_tags
from sweep.stats.checkpoint import basis_of

EVALUATION = "evaluation.json"  # what a finalist scored, cell by cell


class FinalistRuns:
    """Writes the finalists of a sweep.

    Args:
        experiment: Where.
        folder: The folder of the sweep.
        config: The sweep as resolved.
        parent: The id of the sweep's run.

    """

    def __init__(
        self, experiment: Experiment, folder: SweepFolder, config: SweepConfig, parent: str
    ) -> None:
        self.experiment, self.config, self.parent = experiment, config, parent
        self.folder, self.finalists = folder, FinalistFolder(folder)
        self._basis: dict[str, Basis] = {}

    def log(self, record: FinalistRecord) -> None:
        """Log one training; one that diverged is a run that failed, without scores."""
        plan = self.finalists.plan()
        status = "FINISHED" if record.metrics else "FAILED"
        told = digest(asdict(record), None if plan is None else plan.knobs)
        opened = self._opened(record, plan, told)
        if (opened.told, opened.status) == (told, status):
            return
        run, tags = opened.id, {Tag.STATUS: str(record.status), Tag.TOLD: told}
        if not record.metrics:
            tags[Tag.ERROR] = "its loss was not finite: it has no scores, and is not replaced"
        for place, scores in record.metrics.items():
            named = {f"{place}/{name}": value for name, value in scores.items()}
            self.experiment.log(run, named, record.ended_at_ms, record.epochs[-1])
            rests = basis_tag(self._basis_at(record, place))
            tags |= {f"{name}/{place}": text for name, text in rests.items()}
        if plan is not None:
            log_tables(self.experiment, run, {EVALUATION: list(self._evaluation(record, plan))})
        self.experiment.tag(run, tags)
        self.experiment.client.set_terminated(run, status, record.ended_at_ms)

    def _opened(self, record: FinalistRecord, plan: Plan | None, told: str) -> Opened:
        identity, run = self.folder.identity, record.run
        config = self.config.fixed(run.params)
        found_by = {
            Tag.SWEEP: identity.sweep_id,
            Tag.ROLE: Role.FINALIST,
            Tag.FINALIST: run.name,
        }
        tags = {
            Tag.PARENT: self.parent,
            Tag.NAME: f"{self.folder.path.name}/{_name(run)}",
            Tag.TRIAL: run.trial,
            Tag.GROUP: group_of(run.params, run.norm),
            Tag.NORM: run.norm,
            Tag.ARCH: config.model.arch,
            Tag.SEED: str(run.seed),
            Tag.DATA: config.data.fingerprint or "",
            Tag.CODE: identity.code_version,
            Tag.FOLDER: self.folder.place,
            Tag.SEARCHED: SEPARATOR.join(run.params),
            **source_tags(identity.code_version),
        }
        params = {**params_of_trial(config, run.params), "seed": str(run.seed)}
        files = {"config.yaml": config.to_yaml()}
        data = used_by_finalists(config.data, plan.places if plan else ())
        # When it began is not recorded.
        ended = record.ended_at_ms
        return self.experiment.open(found_by, tags, ended, params, files, data, told)

    def _basis_at(self, record: FinalistRecord, place: str) -> Basis:
        """The patients of a place, who are the same for every finalist."""
        if place not in self._basis:
            _, slices = self.finalists.predictions(record.run.name, place, record.epochs[-1])
            self._basis[place] = basis_of(slices.truth, slices.labels, slices.patients)
        return self._basis[place]

    def _evaluation(self, record: FinalistRecord, plan: Plan) -> Iterator[dict[str, Any]]:
        """A row for each place, cell and label: the mean over the epochs that count.

        MLflow's page of tables begins with the first column as the row and the second as what is
        compared between runs.
        """
        metric = metric_for(self.config.search.objective).name
        for place in sorted(plan.places, key=lambda place: place.name == VALIDATION):
            if place.name not in record.metrics:
                continue
            values: dict[tuple[Cell, str], dict[str, list[float]]] = {}
            counts: dict[tuple[Cell, str], dict[str, int]] = {}
            for epoch in record.epochs:
                for score in self.finalists.scores(record.run.name, place.name, epoch).scores:
                    row = score.cell, score.label
                    values.setdefault(row, {}).setdefault(score.metric, []).append(score.value)
                    counts[row] = {"positives": score.positives, "slices": score.slices}
            for (cell, label), found in values.items():
                means = {name: fmean(of) for name, of in found.items()}
                level = f" {cell.level}" if cell.level else ""
                yield {
                    "cell": f"{place.name}, {cell.artifact}{level}, {label}",
                    metric: means.get(metric),
                    **_where(place, cell, plan.knobs),
                    "label": label,
                    **means,
                    **counts[cell, label],
                }


def _name(run: FinalistRun) -> str:
    """By which runs sort: norm or arm, configuration, seed."""
    return f"{group_of(run.params, run.norm)}-{run.trial}-seed-{run.seed:04d}"


def _where(place: Place, cell: Cell, knobs: Mapping[str, LevelKnobs]) -> dict[str, Any]:
    return {
        "place": place.name,
        "artifact": cell.artifact,
        "level": cell.level,
        "knob": 0.0 if cell == CLEAN else knobs[cell.artifact][cell.level - 1],
        "held_out": cell.artifact in place.holdout,
    }
