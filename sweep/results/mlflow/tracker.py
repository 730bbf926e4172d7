"""The tracker that writes a sweep to MLflow."""

from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import RunTag

from sweep.config.sweep import SweepConfig
from sweep.config.tracking import ALL
from sweep.core.finals import FinalistRecord
from sweep.core.reading import read_text
from sweep.core.records import TRAINED, EpochRecord, TrialRecord
from sweep.results import ranking
from sweep.results.callbacks import REPORT
from sweep.results.figures import severity_curves
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.conclusion import description, last_end, log_conclusion
from sweep.results.mlflow.data import used_by_trials
from sweep.results.mlflow.epochs import best_values, curves, interval_values
from sweep.results.mlflow.finalists import FinalistRuns
from sweep.results.mlflow.models import log_model
from sweep.results.mlflow.names import (
    BEST,
    HYPERVOLUME,
    RUN_STATUS,
    SEPARATOR,
    Role,
    Tag,
    basis_tag,
    cells_text,
    digest,
)
from sweep.results.mlflow.page import KIND, arrange
from sweep.results.mlflow.params import params_of_sweep, params_of_trial
from sweep.results.mlflow.refusals import in_our_words_throughout
from sweep.results.mlflow.server import Experiment, Opened, artifacts_beside, metrics_of
from sweep.results.mlflow.so_far import SoFar
from sweep.results.mlflow.source import source_tags
from sweep.results.ranking import Interval
from sweep.results.trial_files import mode_to_plain, trial_to_plain


@in_our_words_throughout
class MLflowTracker:
    """Writes one sweep to a tracking server; what a run has been told whole is not told again.

    Args:
        folder: The folder of the sweep.
        config: The sweep as resolved.

    Raises:
        UserError: The environment is to have the address, and has none.
        WorkError: The server cannot be used, here and in each method.

    """

    def __init__(self, folder: SweepFolder, config: SweepConfig) -> None:
        self.folder, self.config = folder, config
        self.address = config.tracking.server(folder.path)
        artifacts = artifacts_beside(self.address, folder.path)
        self.experiment = Experiment(self.address, config.name, artifacts, KIND)
        arrange(self.experiment, config, folder.identity.started_at_ms)
        self.client = self.experiment.client
        self.parent, self._interrupted = self._parent()
        self._so_far, self._said = SoFar(config.search, folder.trials()), dict[str, str]()
        self._log_so_far()
        self.runs: dict[tuple[str, str], str] = {}
        self._whole: set[str] = set()  # runs that were told all that they are to have
        self.finalists = FinalistRuns(self.experiment, folder, config, self.parent)

    def began(self, trial: TrialRecord) -> None:
        """Write the best epoch first: its metrics are then the first that MLflow's pages offer."""
        if self._interrupted:
            self.client.update_run(self.parent, status="RUNNING")
            self._interrupted = False
        if trial.best_epoch is not None and self._run(trial) not in self._whole:
            self.reported(trial, self.folder.epoch(trial.trial, trial.best_epoch))

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        """Log one epoch of a trial in one call."""
        run = self._run(trial)
        if run in self._whole:
            return
        values = {
            **epoch.metrics,
            "train/loss": epoch.train_loss,
            "train/images_per_s": epoch.images_per_s,
        }
        # Where epochs are screened, an earlier one may turn out to be the best when the trial ends,
        # and MLflow shows a metric at its last step: `best/` is then written once, by `ended`.
        if epoch.epoch == trial.best_epoch and self.config.search.screen is None:
            values |= best_values(epoch)
        self._log_values(run, values, epoch)

    def ended(self, trial: TrialRecord) -> None:
        """Log what is known once a trial has ended: intervals, severity curves."""
        run, every_model = self._run(trial), self.config.tracking.models == ALL
        self._so_far.note(trial)
        self._log_so_far()
        if run in self._whole:
            return
        if trial.best_epoch is not None:
            best = self.folder.epoch(trial.trial, trial.best_epoch)
            title = f"{trial.trial} ({trial.norm}), epoch {best.epoch}"
            if self.config.search.screen is not None:
                self._log_values(run, best_values(best), best)
            self._log_details(run, best, trial.intervals, title)
            if every_model:
                self.keeps_model(trial)
        tags: dict[str, str] = {Tag.STATUS: trial.status}
        wrong = {Tag.ERROR: trial.error, Tag.FAILURE: trial.failure}
        tags |= {name: value for name, value in wrong.items() if value}
        if trial.collapsed is not None:
            tags[Tag.COLLAPSED] = cells_text(trial.collapsed)
        told = {Tag.TOLD: self._digest(trial)}
        self.experiment.tag(run, {**tags, **basis_tag(trial.basis), **told})
        self.client.set_terminated(run, RUN_STATUS[trial.status], trial.ended_at_ms)

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        """Log a mode as a run of its own, which stands beside the trials."""
        run, row = self._run(trial, mode), trial.modes[mode]
        if run in self._whole:
            return
        self._log_values(run, best_values(epoch), epoch)
        title = f"{trial.trial} ({trial.norm}, {mode}), epoch {epoch.epoch}"
        self._log_details(run, epoch, row.intervals, title)
        self.client.log_dict(run, mode_to_plain(row), "mode.json")
        tags = {Tag.STATUS: trial.status, Tag.COLLAPSED: cells_text(row.collapsed)}
        told = {Tag.TOLD: self._digest(trial, mode)}
        self.experiment.tag(run, {**tags, **basis_tag(row.basis), **told})
        self.client.set_terminated(run, "FINISHED", row.evaluated_at_ms)

    def keeps_model(self, trial: TrialRecord) -> None:
        """Log the network of a trial's best epoch."""
        log_model(self.experiment, self._run(trial), self.folder, self.config, trial)

    def finalist(self, record: FinalistRecord) -> None:
        """Log a training of a finalist as a run of its own below the sweep's."""
        self.finalists.log(record)

    def concluded(self) -> None:
        """Log on the sweep's run what is said of it as a whole."""
        log_conclusion(self.experiment, self.parent, self.folder, self.config)
        self._log_so_far()

    def wrote_report(self, page: Path) -> None:
        """Keep the report with the sweep's run, in the place of an earlier one."""
        self.client.log_text(self.parent, read_text(page), REPORT)

    def close(self, finished: bool) -> None:
        """Close the sweep's run; of an interrupted sweep, also those of the trials that ran."""
        if not finished:
            for trial in self.folder.trials():
                if trial.status == "running":
                    epochs = self.folder.epochs(trial.trial)
                    end = max([trial.started_at_ms, *(one.evaluated_at_ms for one in epochs)])
                    self.client.set_terminated(self._run(trial), "KILLED", end)
        end = last_end(self.folder)
        if finished and self.config.search.objectives:
            self._log_front(end)
        self.client.set_terminated(self.parent, "FINISHED" if finished else "KILLED", end)

    def _log_so_far(self) -> None:
        """How far the sweep is, on its run, in one request; nothing where nothing has changed."""
        so_far = self._so_far
        said = {**so_far.tags(), Tag.NOTE: description(self.folder, self.config, so_far)}
        if said != self._said:
            scores = metrics_of(so_far.scores(), so_far.at_ms, so_far.count)
            tags = [RunTag(name, text) for name, text in said.items()]
            self.client.log_batch(self.parent, metrics=scores, tags=tags)
            self._said = said

    def _log_front(self, at_ms: int) -> None:
        """How much of the square the trials cover, and which of them are the Pareto front."""
        objectives = self.config.search.objectives
        rows = [row for row in ranking.of_folder(self.folder.path) if row.mode == TRAINED]
        covered = {
            HYPERVOLUME if norm is None else f"{HYPERVOLUME}/{norm}": area
            for norm, area in ranking.hypervolumes(rows, objectives).items()
        }
        self.experiment.log(self.parent, covered, at_ms, 0)
        records = {record.trial: record for record in self.folder.trials()}
        for row in ranking.best(rows, objectives[0], objectives=objectives):
            rank = {Tag.PARETO: "front" if row.pareto_rank == 0 else "behind"}
            self.experiment.tag(self._run(records[row.trial]), rank)

    def _log_values(self, run: str, values: Mapping[str, float], epoch: EpochRecord) -> None:
        # The pages that compare runs show the first metric: let it be one that decides.
        objective = f"{BEST}{self.config.search.maximised[0]}"
        values = {name: values[name] for name in sorted(values, key=lambda n: n != objective)}
        self.experiment.log(run, values, epoch.evaluated_at_ms, epoch.epoch)

    def _log_details(
        self, run: str, best: EpochRecord, intervals: Mapping[str, Interval], title: str
    ) -> None:
        """Intervals and severity curves."""
        ends = metrics_of(interval_values(intervals), best.evaluated_at_ms, best.epoch)
        self.client.log_batch(run, metrics=[*curves(best), *ends])
        if not best.scores:
            return
        figure = severity_curves(best.scores, self.config.search.objective, title)
        self.client.log_figure(run, figure, "severity.png")

    def _parent(self) -> tuple[str, bool]:
        """The run of the sweep, and whether an interruption closed it; it goes on with a trial."""
        identity, settings = self.folder.identity, self.config.to_yaml()
        tags = {
            Tag.NAME: self.folder.path.name,
            Tag.CODE: identity.code_version,
            Tag.DATA: self.config.data.fingerprint or "",
            Tag.FOLDER: self.folder.place,
            Tag.OBJECTIVE: self.config.search.objective,
            **source_tags(identity.code_version),
        }
        if objectives := self.config.search.objectives:
            tags[Tag.OBJECTIVES] = SEPARATOR.join(objectives)
        found_by = {Tag.SWEEP: identity.sweep_id, Tag.ROLE: Role.SWEEP}
        run = self.experiment.open(
            found_by,
            tags,
            identity.started_at_ms,
            params_of_sweep(self.config),
            {"sweep.yaml": settings},
            used_by_trials(self.config.data),
        )
        return run.id, run.status == "KILLED"

    def _run(self, trial: TrialRecord, mode: str = TRAINED) -> str:
        key = (trial.trial, mode)
        if key not in self.runs:
            run = self._opened(trial, mode)
            self.runs[key] = run.id
            expected = "FINISHED" if trial.modes.get(mode) else RUN_STATUS[trial.status]
            if (run.told, run.status) == (self._digest(trial, mode), expected):
                self._whole.add(run.id)
            elif run.status in ("KILLED", "FAILED") and trial.status == "running":
                self.experiment.reopen(run)  # an interruption closed it, or it is tried again
        return self.runs[key]

    def _digest(self, trial: TrialRecord, mode: str = TRAINED) -> str:
        """What is told of a trial that has ended, or of one of its modes."""
        if row := trial.modes.get(mode):
            return digest(trial.status, mode_to_plain(row))
        plain = {name: of for name, of in trial_to_plain(trial).items() if name != "modes"}
        return digest(plain, self.config.tracking.models == ALL)

    def _name(self, trial: TrialRecord, mode: str) -> dict[str, str]:
        """The tags that a run is found by; of a trial those from before there were modes."""
        tags = {Tag.SWEEP: self.folder.identity.sweep_id, Tag.TRIAL: trial.trial}
        if mode == TRAINED:
            return {**tags, Tag.ROLE: Role.TRIAL}
        return {**tags, Tag.ROLE: Role.MODE, Tag.MODE: mode}

    def _opened(self, trial: TrialRecord, mode: str) -> Opened:
        config, row = self.config.fixed(trial.params), trial.modes.get(mode)
        tags = {
            Tag.PARENT: self.parent,
            Tag.NAME: f"{self.folder.path.name}/{trial.trial}-{trial.norm}"
            f"{f'-{mode}' if row else ''}",
            Tag.MODE: mode,
            Tag.NORM: trial.norm,
            Tag.ARCH: config.model.arch,
            Tag.SEED: str(trial.seed),
            Tag.DATA: config.data.fingerprint or "",
            Tag.CODE: self.folder.identity.code_version,
            Tag.STATUS: "running",
            Tag.FOLDER: self.folder.place,
            Tag.SEARCHED: SEPARATOR.join(trial.params),
            **source_tags(self.folder.identity.code_version),
        }
        return self.experiment.open(
            self._name(trial, mode),
            tags,
            row.evaluated_at_ms if row else trial.started_at_ms,
            params_of_trial(config, trial.params),
            {"config.yaml": config.to_yaml()},
            used_by_trials(config.data),
            self._digest(trial, mode),
        )
