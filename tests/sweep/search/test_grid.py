"""A grid: every combination once, on equal terms at every moment, whatever interrupts it."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sweep.config.search import SearchSettings
from sweep.config.search_check import MOST_COMBINATIONS, check_search
from sweep.core.errors import UserError
from sweep.search.fidelity import Fidelity
from sweep.search.grid import grid_order
from sweep.search.searcher import StudySearcher
from sweep.search.study import Study

NORMS = ("batch", "group", "layer")
SPACE: dict[str, Any] = {
    "train.lr": {"choice": [1e-3, 1e-2]},
    "model.norm": {"choice": list(NORMS)},
    "train.augment.artifacts": {"choice": [[], ["rician", "bias"]]},
    "seed": {"choice": [0, 1]},
}
SIZE = 24


def settings(**changes: Any) -> SearchSettings:
    return SearchSettings(**{"space": SPACE, "sampler": "grid", **changes})


def asking(folder: Path, seed: int = 0) -> Study:
    return Study(folder / "journal", "test", settings(), seed)


def asked_to_its_end(folder: Path, restart: Callable[[Study], Study]) -> list[dict[str, Any]]:
    folder.mkdir()
    study, params = asking(folder), []
    while study.asked() < SIZE:
        study = restart(study)
        suggestion = study.ask()
        study.tell(suggestion.number, TrialState.COMPLETE, {study.settings.objective: 0.5})
        params.append(suggestion.params)
    return params


def test_every_combination_is_tried_once(tmp_path: Path) -> None:
    tried = asked_to_its_end(tmp_path / "a", restart=lambda study: study)
    wanted = [dict(zip(SPACE, values, strict=True)) for values in all_values()]
    assert sorted(map(repr, map(sorted_items, tried))) == sorted(
        map(repr, map(sorted_items, wanted))
    )


def all_values() -> list[tuple[Any, ...]]:
    return list(itertools.product(*(one["choice"] for one in SPACE.values())))


def sorted_items(params: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(params.items())


def test_norms_take_turns_and_meet_the_same_values() -> None:
    tried = grid_order(settings(), seed=0)
    for first in range(0, SIZE, len(NORMS)):
        turns = tried[first : first + len(NORMS)]
        assert tuple(params["model.norm"] for params in turns) == NORMS
        others = [{k: v for k, v in params.items() if k != "model.norm"} for params in turns]
        assert others == [others[0]] * len(NORMS)
    for end in range(SIZE + 1):
        counts = Counter(params["model.norm"] for params in tried[:end])
        assert max(counts.values(), default=0) - min(counts.get(norm, 0) for norm in NORMS) <= 1


def test_without_strata_every_combination_is_tried_all_the_same() -> None:
    unstratified = grid_order(settings(stratify=None), seed=0)
    assert sorted(map(repr, map(sorted_items, unstratified))) == sorted(
        map(repr, map(sorted_items, grid_order(settings(), seed=0)))
    )
    assert grid_order(settings(space={}), seed=0) == [{}]


def test_the_order_follows_from_the_seed_and_not_from_the_file() -> None:
    turned = settings(space=dict(reversed(SPACE.items())))
    assert grid_order(turned, seed=0) == grid_order(settings(), seed=0)
    assert grid_order(settings(), seed=1) != grid_order(settings(), seed=0)


def test_a_restart_before_every_trial_changes_nothing(tmp_path: Path) -> None:
    whole = asked_to_its_end(tmp_path / "whole", restart=lambda study: study)
    restarted = asked_to_its_end(
        tmp_path / "restarted", restart=lambda study: asking(tmp_path / "restarted")
    )
    assert whole == restarted


def test_an_interrupted_drawing_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def interrupted(study: Study) -> Study:
        if study.asked() not in (0, 1, 13):
            return study
        with monkeypatch.context() as patch:
            patch.setattr(optuna.Study, "add_trial", interrupt)
            with pytest.raises(KeyboardInterrupt):
                study.ask()
        again = asking(tmp_path / "interrupted")
        assert again.unfinished() == []
        return again

    whole = asked_to_its_end(tmp_path / "whole", restart=lambda study: study)
    assert asked_to_its_end(tmp_path / "interrupted", restart=interrupted) == whole


def test_the_searcher_hands_out_the_grid_and_nothing_beyond(tmp_path: Path) -> None:
    search = settings()
    fidelity = Fidelity(search, epochs=8)
    searcher = StudySearcher(
        asking(tmp_path), search.objective, search.total, None, lambda _: {}, fidelity
    )
    handed = [searcher.suggest(str(number)) for number in range(SIZE)]
    assert [one["params"] for one in handed] == grid_order(search, seed=0)
    assert searcher.suggest("more") is None, "but what runs may be tried again"


def test_trials_are_all_combinations_and_another_number_is_refused() -> None:
    assert settings().total == SIZE
    check_search(settings(trials=SIZE))
    for trials in (SIZE - 1, SIZE + 1):
        with pytest.raises(UserError, match=rf"received {trials} for 24 combinations; .* to 24;"):
            check_search(settings(trials=trials))
    with pytest.raises(
        UserError, match=r"a grid has no trials beyond its .*; received 5 more than"
    ):
        settings().extended(5)


def test_other_samplers_keep_their_number_of_trials() -> None:
    assert SearchSettings().total == 1, "nothing is searched"
    assert SearchSettings(trials=7, sampler="random").extended(3).total == 10
    norms = {"model.norm": {"choice": list(NORMS)}}
    assert SearchSettings(space=norms).total == 21, "of the default the next that all norms share"


def test_a_grid_that_was_begun_in_one_study_goes_on_in_its_order(tmp_path: Path) -> None:
    before = settings(budget="turns")
    tried = []
    while len(tried) < SIZE:
        study = Study(tmp_path / "journal", "test", before, 0)
        tried.append(study.ask())
    assert len(study.studies) == 1
    assert [one.params for one in tried] == grid_order(settings(), seed=0)
    assert [one.stratum for one in tried] == list(NORMS) * (SIZE // len(NORMS))


@pytest.mark.parametrize("kind", ["log", "uniform", "int", "int_log"])
def test_a_range_is_refused_by_name(kind: str) -> None:
    ranged = settings(space={**SPACE, "model.width": {kind: [4, 8]}})
    with pytest.raises(UserError, match=rf"search.space.model.width is a range.*{kind}: \[4, 8\]"):
        check_search(ranged)


def test_a_grid_beyond_all_measure_is_refused() -> None:
    many = {"choice": list(range(1, 320))}
    vast = settings(space={"seed": many, "train.epochs": many})
    with pytest.raises(UserError, match=rf"more than the {MOST_COMBINATIONS} combinations.*101761"):
        check_search(vast)
