"""The study: keyed suggestions, turns by norm, and a journal that survives."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sweep.config.search import SearchSettings
from sweep.core.errors import WorkError
from sweep.search.study import Study, Suggestion

SPACE: dict[str, Any] = {
    "model.norm": {"choice": ["batch", "group", "layer"]},
    "train.lr": {"log": [1e-4, 1e-2]},
    "model.width": {"int": [4, 8]},
    "train.augment.artifacts": {"choice": [[], ["rician", "bias"]]},
}


def study(folder: Path, seed: int = 0, **settings: Any) -> Study:
    settings = {"trials": 9, "space": SPACE, **settings}
    return Study(folder / "journal", "test", SearchSettings(**settings), seed)


def test_each_norm_gets_the_same_number_of_trials(tmp_path: Path) -> None:
    asked = [study(tmp_path).ask().params["model.norm"] for _ in range(9)]
    assert sorted(asked) == sorted(["batch", "group", "layer"] * 3)


def test_suggestions_lie_in_the_space_and_keep_their_types(tmp_path: Path) -> None:
    asking = study(tmp_path)
    for suggestion in (asking.ask() for _ in range(12)):
        assert 1e-4 <= suggestion.params["train.lr"] <= 1e-2
        assert suggestion.params["model.width"] in range(4, 9)
        assert suggestion.params["train.augment.artifacts"] in ([], ["rician", "bias"])
        assert suggestion.stratum == suggestion.params["model.norm"]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_restart_between_two_trials_changes_no_suggestion(tmp_path: Path, sampler: str) -> None:
    def asked(folder: Path, restart: bool) -> list[dict[str, Any]]:
        folder.mkdir()
        asking, params = study(folder, sampler=sampler), []
        for number in range(14):
            if restart:
                asking = study(folder, sampler=sampler)
            suggestion = asking.ask()
            asking.tell(suggestion.number, TrialState.COMPLETE, 0.5 + number % 5 / 10)
            params.append(suggestion.params)
        return params

    whole = asked(tmp_path / "whole", restart=False)
    assert whole == asked(tmp_path / "restarted", restart=True)
    assert len({params["train.lr"] for params in whole}) == 14


def test_another_seed_asks_for_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert study(tmp_path).ask().params != study(tmp_path / "other", seed=1).ask().params


def test_an_interrupted_trial_is_found_again_with_its_parameters(tmp_path: Path) -> None:
    first = study(tmp_path)
    done, lost = first.ask(), first.ask()
    first.tell(done.number, TrialState.COMPLETE, 0.7)
    second = study(tmp_path)
    assert second.unfinished() == [lost.number]
    assert second.suggestion(lost.number) == lost
    assert second.asked() == 2
    assert second.status(done.number) == "finished"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("where", ["ask", "suggest_float", "suggest_int"])
def test_an_interrupted_drawing_is_repeated_with_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, where: str
) -> None:
    owner = optuna.Study if where == "ask" else optuna.Trial

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def asked(folder: Path, interrupted: tuple[int, ...]) -> list[Suggestion]:
        folder.mkdir()
        found = []
        for number in range(14):
            asking = study(folder, sampler=sampler)
            if number in interrupted:
                with monkeypatch.context() as patch:
                    patch.setattr(owner, where, interrupt)
                    with pytest.raises(KeyboardInterrupt):
                        asking.ask()
                asking = study(folder, sampler=sampler)
                assert asking.unfinished() == []
            assert asking.asked() == number
            suggestion = asking.ask()
            asking.report(suggestion.number, 1, 0.4)
            asking.tell(suggestion.number, TrialState.COMPLETE, 0.5 + number % 5 / 10)
            assert asking.status(suggestion.number) == "finished"
            found.append(suggestion)
        return found

    assert asked(tmp_path / "whole", ()) == asked(tmp_path / "interrupted", (0, 4, 5, 13))


def test_an_epoch_told_twice_counts_once(tmp_path: Path) -> None:
    telling = study(tmp_path)
    number = telling.ask().number
    telling.report(number, 1, 0.6)
    telling.report(number, 1, 0.9)
    assert telling.study.trials[number].intermediate_values == {1: 0.6}


def test_a_suggestion_survives_tune_and_nothing_else_passes_for_one(tmp_path: Path) -> None:
    suggestion = study(tmp_path).ask()
    assert Suggestion.from_tune(suggestion.to_tune()) == suggestion
    with pytest.raises(
        WorkError, match=r"not one of this sweep; received the keys \['lr'\] instead"
    ):
        Suggestion.from_tune({"lr": 0.1})
