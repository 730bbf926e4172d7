"""Rows of modes: each once, written as it comes, and never of two kinds in one sweep."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import mrimodels
from sweep.config.modes import ModeSettings
from sweep.config.search import SearchSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.modes import EMA, OF_BATCH_NORM, PRECISE
from sweep.core.records import EpochRecord, TrialRecord
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.fit import Evaluation
from sweep.learn.modes import LocalModes
from sweep.results import ranking
from sweep.results.callbacks import replay
from sweep.results.folder import SweepFolder
from sweep.results.progress import Progress
from sweep.results.render import ranked_table
from sweep.results.rows import missing_rows, refuse_other_modes, score_rows
from sweep.results.trials import TrialLog, settle
from sweep.store import Store
from sweep.terminal import Screen

BY = "robust/auroc_cvar"


class Counting:
    """Counts what it evaluates in this process; raises at the row that it is told."""

    in_flight = 2

    def __init__(self, config: SweepConfig, store: Store, stop_at: int | None = None) -> None:
        indices = store.indices(config.data.validation)
        self.local = LocalModes(config.stress, store, indices)
        self.asked: list[tuple[str, str]] = []
        self.stop_at = stop_at
        self.error: BaseException = KeyboardInterrupt()

    def evaluate(self, files: CheckpointFolder, epoch: int, mode: str) -> Evaluation:
        if len(self.asked) == self.stop_at:
            self.stop_at = None
            raise self.error
        self.asked.append((files.path.name, mode))
        return self.local.evaluate(files, epoch, mode)


@pytest.fixture
def asked(config: SweepConfig, folder: SweepFolder) -> SweepConfig:
    """The sweep with all modes; its trials have batch norm and group norm."""
    modes = ModeSettings(names=OF_BATCH_NORM, batch_size=16)
    wanted = dataclasses.replace(config, stress=dataclasses.replace(config.stress, modes=modes))
    folder.write_config(wanted)
    return wanted


def score(
    folder: SweepFolder, config: SweepConfig, store: Store, evaluator: Counting, *callbacks: object
) -> list[str]:
    """Score the rows that are missing; what was said."""
    said: list[str] = []

    def count(done: int, total: int, latest: str) -> None:
        said.append(f"{latest}: {done} of {total}")

    with TrialLog(folder, config.search.objective, callbacks, said.append) as trial_log:
        score_rows(folder, config, store, trial_log, evaluator, count, said.append)
    return said


def test_every_mode_of_the_network_with_batch_norm_and_none_of_the_other(
    folder: SweepFolder, asked: SweepConfig, store: Store
) -> None:
    batch, group = folder.trials()
    assert [(row.trial.trial, row.mode) for row in missing_rows(folder, asked)] == [
        (batch.trial, mode) for mode in OF_BATCH_NORM
    ]
    said = score(folder, asked, store, Counting(asked, store))
    assert said[-1] == f"{batch.trial} batch precise: 4 of 4"
    scored, other = folder.trials()
    assert (tuple(scored.modes), other) == (OF_BATCH_NORM, group)
    assert missing_rows(folder, asked) == []
    for mode, row in scored.modes.items():
        record = folder.in_mode(batch.trial, mode)
        assert row.epoch == record.epoch == batch.best_epoch
        assert row.metrics == record.metrics
        assert set(row.intervals) == set(batch.intervals)
        assert row.settings == asked.stress.modes.deciding(mode)
        assert row.composition is not None
        assert row.composition.slices == (64 if mode == PRECISE else 32)
        # Trained rows stay the trained ones, in every table.
        assert scored.metrics == batch.metrics
    assert [one.epoch for one in folder.epochs(batch.trial)] == [1, 2]


def test_an_interrupted_round_goes_on_where_it_was(
    folder: SweepFolder, asked: SweepConfig, store: Store, tmp_path: Path
) -> None:
    whole = SweepFolder(Path(shutil.copytree(folder.path, tmp_path / "whole")))
    score(whole, asked, store, Counting(asked, store))
    first, second = Counting(asked, store, stop_at=2), Counting(asked, store)
    with pytest.raises(KeyboardInterrupt):
        score(folder, asked, store, first)
    kept = list(folder.trials()[0].modes)
    assert [mode for _, mode in first.asked][: len(kept)] == kept
    score(folder, asked, store, second)
    assert [mode for _, mode in second.asked] == [m for m in OF_BATCH_NORM if m not in kept]

    def timeless(record: TrialRecord) -> TrialRecord:
        rows = {k: dataclasses.replace(row, evaluated_at_ms=0) for k, row in record.modes.items()}
        return dataclasses.replace(record, modes=rows)

    assert list(map(timeless, folder.trials())) == list(map(timeless, whole.trials()))


def test_a_row_that_fails_costs_no_other_and_is_tried_again(
    folder: SweepFolder, asked: SweepConfig, store: Store
) -> None:
    failing = Counting(asked, store, stop_at=1)
    failing.error = OSError("the disk is full")
    said = score(folder, asked, store, failing)
    batch = folder.trials()[0]
    assert (
        f"{batch.trial} is not scored in the mode blend; received OSError: the disk is full; mend "
        f"the cause, then run `mrisweep resume {folder.path}`"
    ) in said
    assert [row.mode for row in missing_rows(folder, asked)] == ["blend"]


def test_rows_of_other_settings_are_refused_and_never_mixed(
    folder: SweepFolder, asked: SweepConfig, store: Store
) -> None:
    named = asked.replace({"stress.modes.names": ["prediction_time"]})
    score(folder, named, store, Counting(named, store))
    refuse_other_modes(folder, asked)
    refuse_other_modes(folder, asked.replace({"stress.modes.blend_source": 4}))
    with pytest.raises(
        UserError,
        match=r"^the rows of the mode prediction_time were made with another "
        r"stress\.modes\.batch_size, 16; received 8 in .*sweep\.yaml; put it back; "
        r".* --mode-settings batch_size=8`",
    ):
        refuse_other_modes(folder, asked.replace({"stress.modes.batch_size": 8}))


def test_averaged_weights_have_a_row_whatever_the_norm(
    folder: SweepFolder, config: SweepConfig, store: Store
) -> None:
    _, group = folder.trials()
    files = CheckpointFolder(folder.checkpoints(group.trial))
    shutil.copy(files.epoch(group.best_epoch), files.epoch(group.best_epoch, EMA))
    settle(folder, group)
    score(folder, config, store, Counting(config, store))
    scored = folder.trials()[1]
    row = scored.modes[EMA]
    assert (row.settings, row.composition) == ({}, None)
    assert row.metrics == group.metrics
    assert ranking.of_folder(folder.path)[-1].checkpoint == str(files.epoch(row.epoch, EMA))


def test_a_removed_average_is_said_and_one_that_never_was_is_not_missed(
    folder: SweepFolder, config: SweepConfig, store: Store
) -> None:
    averaging = config.replace({"train.ema": 0.9})
    assert missing_rows(folder, averaging) == []  # set since: the checkpoints have no average
    batch, _ = folder.trials()
    file = folder.checkpoint(batch.trial, batch.best_epoch)
    model, spec, meta = mrimodels.load_checkpoint(file)
    meta["config"]["train"]["ema"] = 0.9
    mrimodels.save(file, model, spec, meta)
    assert [(row.trial.trial, row.mode) for row in missing_rows(folder, averaging)] == [
        (batch.trial, EMA)
    ]
    said = score(folder, averaging, store, Counting(averaging, store))
    assert [f"{batch.trial} is not scored in the mode ema" in line for line in said] == [True]
    assert EMA not in folder.trials()[0].modes
    file.unlink()
    assert len(missing_rows(folder, averaging)) == 1


class FourMethods:
    """A tracker from before there were modes, which notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def began(self, trial: TrialRecord) -> None:
        self.told.append(("began", trial.trial))

    def reported(self, trial: TrialRecord, epoch: EpochRecord) -> None:
        self.told.append(("reported", trial.trial))

    def ended(self, trial: TrialRecord) -> None:
        self.told.append(("ended", trial.trial))

    def close(self, finished: bool) -> None: ...


class Listening(FourMethods):
    """One that wants to hear of modes."""

    def scored(self, trial: TrialRecord, mode: str, epoch: EpochRecord) -> None:
        assert trial.modes[mode].metrics == epoch.metrics
        self.told.append((mode, trial.trial))


def test_callbacks_are_told_live_and_again_in_a_replay(
    folder: SweepFolder, asked: SweepConfig, store: Store
) -> None:
    live, again, older = Listening(), Listening(), FourMethods()
    score(folder, asked, store, Counting(asked, store), older, live)
    trial = folder.trials()[0].trial
    assert live.told == [(mode, trial) for mode in OF_BATCH_NORM]
    replay(again, folder)
    assert [item for item in again.told if item[0] in OF_BATCH_NORM] == live.told
    assert again.told.index(("ended", trial)) < again.told.index(live.told[0])
    assert older.told == []
    replay(older, folder)
    assert older.told == [item for item in again.told if item not in live.told]


def test_the_ranking_has_every_row_and_says_what_whole_batches_are(
    folder: SweepFolder, asked: SweepConfig, store: Store
) -> None:
    before = ranked_table(ranking.best(ranking.of_folder(folder.path), BY), BY)
    assert "mode" not in before.splitlines()[0].split()
    score(folder, asked, store, Counting(asked, store))
    rows = ranking.best(ranking.of_folder(folder.path), BY)
    assert sorted(row.mode for row in rows) == sorted([*OF_BATCH_NORM, "trained", "trained"])
    text = ranked_table(rows, BY)
    assert text.splitlines()[0].split()[:4] == ["#", "trial", "norm", "mode"]
    assert "prediction_time, blend, adabn: scores of whole batches of slices" in text
    (blend,) = ranking.best(rows, BY, mode="blend")
    assert blend.mode == "blend"
    plain = ranking.best(rows, BY, mode="trained")
    assert ranked_table(plain, BY) == before
    with pytest.raises(UserError, match=r"no trial is scored in this mode; received 'blnd'; did"):
        ranking.best(rows, BY, mode="blnd")


def test_collapsed_cells_are_in_the_record_and_in_the_table(
    folder: SweepFolder, config: SweepConfig, store: Store
) -> None:
    batch = folder.trials()[0]
    assert batch.collapsed is not None
    predictions, slices = folder.predictions(batch.trial, batch.best_epoch)
    dull = [
        item
        if item.cell.artifact != "rician"
        else dataclasses.replace(item, log_odds=np.zeros_like(item.log_odds))
        for item in predictions
    ]
    record = folder.epoch(batch.trial, batch.best_epoch)
    folder.write_epoch(record, dull, slices)
    file = folder.path / "trials" / f"{batch.trial}.json"
    plain = json.loads(file.read_text())
    del plain["collapsed"], plain["modes"]  # as an earlier version wrote it
    file.write_text(json.dumps(plain))
    with TrialLog(folder, config.search.objective):
        pass
    again = folder.trials()[0]
    assert {cell.artifact for cell in again.collapsed} >= {"rician"}
    assert {(cell.artifact, cell.level) for cell in again.collapsed} >= {
        ("rician", 1),
        ("rician", 5),
    }
    assert again.intervals == batch.intervals
    text = ranked_table(ranking.best(ranking.of_folder(folder.path), BY), BY)
    assert "rician 1, rician 5" in text
    assert text.splitlines()[0].split()[-1] == "collapsed"


def test_a_line_says_how_far_the_rows_are() -> None:
    stream = io.StringIO()
    progress = Progress(Screen(stream), SearchSettings(trials=2), 2)
    progress.rows(3, 12, "trial-0001 batch blend")
    assert stream.getvalue().endswith("  trial-0001 batch blend  |  modes: 3 of 12 rows\n")
