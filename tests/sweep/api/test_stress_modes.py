"""One checkpoint in a mode, as a user asks for it: the scores that its sweep recorded."""

import json
import shutil
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.core.modes import EMA, OF_BATCH_NORM, PRECISE
from sweep.core.records import null_as_missing
from sweep.learn.checkpoints import CheckpointInfo
from sweep.portable.evidence import Evidence
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.finished import score_modes


@pytest.fixture(scope="module")
def folder(
    sweep_folder: Path, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> SweepFolder:
    """A finished sweep, batch norm and group norm, with all modes."""
    copy = shutil.copytree(sweep_folder, tmp_path_factory.mktemp("modes") / "sweep")
    folder = SweepFolder.open(Path(copy))
    score_modes(folder, store, *OF_BATCH_NORM)
    return folder


def checkpoint(folder: SweepFolder, place: int, mode: str = "trained") -> Path:
    trial = folder.trials()[place]
    return folder.checkpoint(trial.trial, trial.best_epoch, mode)


@pytest.mark.parametrize("mode", OF_BATCH_NORM)
def test_stress_repeats_the_row_of_a_mode(
    folder: SweepFolder, store: Store, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, data = checkpoint(folder, 0), ("--data", str(store.path), "--json")
    row = folder.trials()[0].modes[mode]
    assert main(["stress", str(plain), *data, "--mode", mode]) == 0
    said = capsys.readouterr()
    found = null_as_missing(json.loads(said.out)["metrics"])
    assert found == pytest.approx(row.metrics, abs=1e-6, nan_ok=True)
    assert f"{mode}: {row.composition.slices} slices in batches of" in said.err
    if mode == PRECISE:
        assert main(["stress", str(checkpoint(folder, 0, mode)), *data]) == 0
        again = null_as_missing(json.loads(capsys.readouterr().out)["metrics"])
        assert again == pytest.approx(row.metrics, abs=1e-6, nan_ok=True)


def test_a_mode_that_cannot_be_is_refused_in_a_sentence(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def complaint(path: Path, mode: str) -> str:
        assert main(["stress", str(path), "--data", str(store.path), "--mode", mode]) == 2
        return capsys.readouterr().err

    batch, group = checkpoint(folder, 0), checkpoint(folder, 1)
    assert complaint(group, "blend") == (
        "mrisweep: the mode blend is for networks with batch norm; received a network with norm "
        "group; leave the mode out\n"
    )
    precise = checkpoint(folder, 0, PRECISE)
    assert "received one in the mode precise; give the plain" in complaint(precise, "adabn")
    assert "--mode has an unknown name; received 'blnd'; did you mean" in complaint(batch, "blnd")
    assert "give the file that ends in .ema.pt" in complaint(batch, EMA)


def test_which_slices_stand_together_can_be_said(
    folder: SweepFolder, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("stress", str(checkpoint(folder, 0)), "--data", str(store.path), "--mode", "blend")
    assert main([*command, "--mode-settings", "batch_size=5", "order=natural"]) == 0
    assert "blend: 32 slices in batches of 4 or 5 (7 in all); shares of" in capsys.readouterr().err
    for given, said in {
        "batchsize=5": "--mode-settings has an unknown name; received 'batchsize'; did you mean",
        "batch_size=few": "--mode-settings: batch_size cannot take this value; received 'few'",
        "batch_size=1": "--mode-settings: batch_size cannot take this value; received 1; give 2 or",
    }.items():
        assert main([*command, "--mode-settings", given]) == 2
        assert said in capsys.readouterr().err


def test_a_model_card_of_precise_has_the_scores_of_precise(folder: SweepFolder) -> None:
    path, trial = checkpoint(folder, 0, PRECISE), folder.trials()[0]
    info = CheckpointInfo.read(path)
    assert info.title == f"{trial.trial}, epoch {trial.best_epoch}, mode precise"
    evidence = Evidence.of(path, info)
    assert evidence.record == folder.in_mode(trial.trial, PRECISE)
    assert evidence.intervals == trial.modes[PRECISE].intervals
