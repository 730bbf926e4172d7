"""What choosing a winner is worth: of a finished sweep's folder, kept, and told by ``best``."""

import dataclasses
import json

import pytest

from sweep.cli import main
from sweep.results.choice import keep, keep_measured, measure
from sweep.results.choice_file import choice_text, kept
from sweep.results.folder import SweepFolder
from sweep.stats import checkpoint


def with_objective(folder: SweepFolder, objective: str) -> SweepFolder:
    folder.write_config(folder.config().replace({"search.objective": objective}))
    return folder


def test_the_best_of_all_epochs_is_corrected(folder: SweepFolder) -> None:
    found = measure(folder)
    assert (found.trials, found.epochs) == (2, 4)
    scores = {
        trial.norm: max(epoch.metrics["robust/auroc_cvar"] for epoch in folder.epochs(trial.trial))
        for trial in folder.trials()
    }
    assert found.best.naive == pytest.approx(max(scores.values()))
    assert {norm: of.naive for norm, of in found.norms.items()} == pytest.approx(scores)
    assert all(0 < of.corrected < 1 for of in (found.best, *found.norms.values()))
    assert measure(folder) == found, "its draws are keyed"


def test_it_is_kept_and_an_older_sweep_has_none(folder: SweepFolder) -> None:
    assert kept(folder.path) is None
    for found in (
        measure(folder),
        measure(with_objective(folder, "0.5 clean/auroc + 0.5 robust/auroc_mean")),
    ):
        keep(folder, found)
        assert kept(folder.path) == found


def test_best_says_both_scores(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    found = measure(folder)
    main(["best", str(folder.path)])
    assert "bias correction" not in capsys.readouterr().out
    keep(folder, found)
    main(["best", str(folder.path)])
    assert (
        f"the best of 4 epochs of 2 trials has robust/auroc_cvar {found.best.naive:.3f} on the "
        "patients that it was chosen by; a choice like this is worth "
        f"{found.best.corrected:.3f} on others"
    ) in capsys.readouterr().out
    main(["best", str(folder.path), "--norm", "group"])
    assert f"worth {found.norms['group'].corrected:.3f} on others" in capsys.readouterr().out
    for other in (["--by", "clean/auroc"], ["--json"]):
        main(["best", str(folder.path), *other])
        out = capsys.readouterr().out
        assert "bias correction" not in out
    assert len(json.loads(out)) == 2


def test_what_cannot_be_corrected_has_its_reason(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LEAST", 10)
    few = measure(folder)
    assert few.best is None
    assert "fewer than 10" in str(choice_text(few))
    for objective in ("0.5 clean/auroc + 0.5 robust/auroc_cvar", "robust/auroc_area"):
        found = measure(with_objective(folder, objective))
        assert "not for a sum" in str(choice_text(found))
    assert choice_text(dataclasses.replace(few, reason=None), "none such") is None


def test_a_failure_to_measure_it_is_said_and_costs_nothing_else(folder: SweepFolder) -> None:
    table = next((folder.path / "predictions" / "trial-0001").glob("*.parquet"))
    whole = table.read_bytes()
    table.write_bytes(whole[:100])
    said: list[str] = []
    keep_measured(folder, said.append)
    (text,) = said
    assert (
        "what the choice of the best is worth is not known; received WorkError: the table" in text
    )
    assert f"`mrisweep resume {folder.path}` measures it again" in text
    assert "is not corrected for its luck: it could not be measured" in str(
        choice_text(kept(folder.path))
    )
    table.write_bytes(whole)
    keep_measured(folder, said.append)
    assert kept(folder.path) == measure(folder)
    assert len(said) == 1
