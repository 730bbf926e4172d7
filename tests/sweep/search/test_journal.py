"""A journal in parts says what Optuna's file says, and a kill leaves what was acted on."""

import random
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweep.config.search import SearchSettings
from sweep.core.errors import WorkError
from sweep.search import journal
from sweep.search.study import Study


def study_in(path: Path) -> Study:
    space = {"model.norm": {"choice": ["batch", "group"]}, "train.lr": {"log": [1e-4, 1e-2]}}
    return Study(path, "tiny", SearchSettings(trials=12, space=space), seed=0, epochs=3)


def drive(study: Study, trials: int, key: int = 0) -> None:
    """Ask for trials; report some epochs of each, and end most of them."""
    draws = random.Random(key)
    for _ in range(trials):
        number = study.ask().number
        for epoch in range(1, draws.randint(1, 3)):
            study.report(number, epoch, draws.random())
        if draws.random() < 0.8:
            metrics = {"robust/auroc_cvar": draws.random()}
            study.tell(number, TrialState.COMPLETE, metrics, epochs=3)


def said(study: Study) -> list[Any]:
    return [
        (one.number, one.state, one.params, one.values, {**one.intermediate_values})
        for one in study.trials()
    ]


def test_it_is_read_back_as_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PART_BYTES", 1500)
    file, parts = study_in(tmp_path / "optuna.journal"), study_in(tmp_path / "optuna.parts")
    for study in (file, parts):
        drive(study, 6)
    assert said(parts) == said(file)
    names = sorted(path.name for path in (tmp_path / "optuna.parts").iterdir())
    assert names == [f"{number:06d}.jsonl" for number in range(len(names))]
    assert len(names) > 3
    assert max(path.stat().st_size for path in (tmp_path / "optuna.parts").iterdir()) <= 1500
    again = study_in(tmp_path / "optuna.parts")
    assert [one[:4] for one in said(again)] == [one[:4] for one in said(file)]


def test_after_a_kill_every_trial_and_every_end_is_there(tmp_path: Path) -> None:
    """What is lost are reports since: the driver makes them again from the folder's epochs."""
    study = study_in(tmp_path / "optuna.parts")
    drive(study, 3)
    number = study.ask().number
    before = said(study)
    study.report(number, 1, 0.5)
    again = study_in(tmp_path / "optuna.parts")
    assert said(again) == before
    again.report(number, 1, 0.5)
    assert said(again) == said(study)
    assert again.ask().params == study.ask().params


def test_a_damaged_or_missing_part_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PART_BYTES", 1500)
    drive(study_in(tmp_path / "optuna.parts"), 6)
    part = tmp_path / "optuna.parts" / "000001.jsonl"
    whole = part.read_text()
    for text in (whole[:-10], "", "[1]\n", '{"x": 1}\n'):
        part.write_text(text)
        with pytest.raises(WorkError, match=r"journal is damaged.*000001\.jsonl"):
            study_in(tmp_path / "optuna.parts")
    part.unlink()
    with pytest.raises(WorkError, match=r"instead of 000001\.jsonl"):
        study_in(tmp_path / "optuna.parts")
