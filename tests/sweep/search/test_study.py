"""The study: keyed suggestions, a fair share for every norm, and a journal that survives."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sweep.config.search import START, SearchSettings
from sweep.core.errors import WorkError
from sweep.core.keys import seed_of
from sweep.search.study import Study, Suggestion

NORMS = ["batch", "group", "layer"]
SPACE: dict[str, Any] = {
    "model.norm": {"choice": NORMS},
    "train.lr": {"log": [1e-4, 1e-2]},
    "model.width": {"int": [4, 8]},
    "train.augment.artifacts": {"choice": [[], ["rician", "bias"]]},
}
TWO = {**SPACE, "model.norm": {"choice": NORMS[:2]}}
OBJECTIVE = SearchSettings().objective
LEARNING = 2 * START + 4  # trials of two strata, the last of which are drawn by what was told


def study(folder: Path, seed: int = 0, **settings: Any) -> Study:
    settings = {"trials": 12, "space": SPACE, **settings}
    return Study(folder / "journal", "test", SearchSettings(**settings), seed, epochs=8)


def tell(asked: Study, suggestion: Suggestion, value: float | None = None) -> None:
    """End a trial, or have it diverge."""
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    asked.tell(suggestion.number, state, {} if value is None else {OBJECTIVE: value}, epochs=8)


def asked_for(
    make: Callable[[], Study], trials: int, restart: Callable[[Study, int], Study] | None = None
) -> list[Suggestion]:
    """Suggestions one by one, each told an end before the next; two of them diverge."""
    asking, found = make(), []
    for number in range(trials):
        asking = restart(asking, number) if restart else asking
        suggestion = asking.ask()
        tell(asking, suggestion, None if number in (6, 7) else 0.5 + number % 5 / 10)
        found.append(suggestion)
    return found


def without_norm(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "model.norm"}


def test_norms_take_turns_and_begin_with_the_same_points(tmp_path: Path) -> None:
    asking = study(tmp_path)
    asked = [asking.ask() for _ in range(12)]
    for first in range(0, 12, 3):
        turns = asked[first : first + 3]
        assert [one.params["model.norm"] for one in turns] == NORMS
        assert [one.stratum for one in turns] == NORMS
        assert len({repr(without_norm(one.params)) for one in turns}) == 1
    assert len({one.params["train.lr"] for one in asked}) == 4


@pytest.mark.parametrize("torn", [1, 5])
def test_a_journal_whose_last_line_a_kill_has_torn_goes_on(tmp_path: Path, torn: int) -> None:
    asking = study(tmp_path)
    asked = [asking.ask() for _ in range(4)]
    journal = tmp_path / "journal"
    os.truncate(journal, journal.stat().st_size - torn)
    again = study(tmp_path)
    assert again.asked() == 3
    assert again.ask() == asked[3]
    assert study(tmp_path).asked() == 4


def test_each_norm_has_a_study_of_its_own_in_the_journal(tmp_path: Path) -> None:
    asking = study(tmp_path)
    for _ in range(3):
        tell(asking, asking.ask(), 0.5)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    for number, norm in enumerate(NORMS):
        (trial,) = optuna.load_study(study_name=f"test/{norm}", storage=storage).trials
        assert trial.user_attrs["trial"] == f"trial-{number:04d}"
        assert (trial.params["model.norm"], trial.value) == (norm, 0.5)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_what_one_norm_is_told_says_nothing_to_another(tmp_path: Path, sampler: str) -> None:
    def of_group(folder: str, of_batch: float) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        asking, found = study(tmp_path / folder, sampler=sampler, space=TWO), []
        for number in range(2 * START + 4):
            suggestion = asking.ask()
            tell(asking, suggestion, 0.5 + number / 100 * (of_batch if number % 2 == 0 else 1))
            found.append(suggestion.params)
        return found[1::2]

    assert of_group("a", 1) == of_group("b", -1)


def test_suggestions_lie_in_the_space_and_keep_their_types(tmp_path: Path) -> None:
    for suggestion in asked_for(lambda: study(tmp_path, sampler="tpe"), 18):
        assert 1e-4 <= suggestion.params["train.lr"] <= 1e-2
        assert suggestion.params["model.width"] in range(4, 9)
        assert isinstance(suggestion.params["model.width"], int)
        assert suggestion.params["train.augment.artifacts"] in ([], ["rician", "bias"])


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "sobol", "random"])
def test_a_restart_between_two_trials_changes_no_suggestion(tmp_path: Path, sampler: str) -> None:
    def make(folder: str) -> Study:
        (tmp_path / folder).mkdir(exist_ok=True)
        return study(tmp_path / folder, sampler=sampler, space=TWO)

    trials = 30 if sampler == "nsga2" else LEARNING  # it breeds from the ninth of a stratum on
    whole = asked_for(lambda: make("whole"), trials)
    assert whole == asked_for(lambda: make("b"), trials, lambda _, number: make("b"))
    assert len({(one.stratum, one.params["train.lr"]) for one in whole}) > trials / 2


def test_cmaes_learns_and_restarts_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("cmaes")
    space = {name: TWO[name] for name in ("model.norm", "train.lr", "model.width")}

    def make(folder: str) -> Study:
        (tmp_path / folder).mkdir(exist_ok=True)
        return study(tmp_path / folder, sampler="cmaes", space=space)

    whole = asked_for(lambda: make("whole"), 30)
    assert whole == asked_for(lambda: make("b"), 30, lambda _, number: make("b"))


def test_another_seed_asks_for_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert study(tmp_path).ask().params != study(tmp_path / "other", seed=1).ask().params


def test_an_interrupted_trial_is_found_again_with_its_parameters(tmp_path: Path) -> None:
    first = study(tmp_path)
    done, lost = first.ask(), first.ask()
    tell(first, done, 0.7)
    second = study(tmp_path)
    assert second.unfinished() == [lost.number]
    assert second.suggestion(lost.number) == lost
    assert second.asked() == 2
    assert second.status(done.number) == "finished"
    tell(second, lost, 0.6)
    assert second.unfinished() == []


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("where", ["Study.ask", "Trial.suggest_float", "Study.add_trial"])
def test_an_interrupted_drawing_is_repeated_with_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, where: str
) -> None:
    kind, name = where.split(".")

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def make(folder: str) -> Study:
        (tmp_path / folder).mkdir(exist_ok=True)
        return study(tmp_path / folder, sampler=sampler, space=TWO)

    def interrupted(asking: Study, number: int) -> Study:
        if number not in (LEARNING - 4, LEARNING - 1):
            return asking
        with monkeypatch.context() as patch:
            patch.setattr(getattr(optuna, kind), name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                asking.ask()
        again = make("b")
        assert (again.unfinished(), again.asked()) == ([], number)
        return again

    whole = asked_for(lambda: make("whole"), LEARNING)
    assert whole == asked_for(lambda: make("b"), LEARNING, interrupted)


def test_an_epoch_told_twice_counts_once(tmp_path: Path) -> None:
    telling = study(tmp_path)
    number = telling.ask().number
    telling.report(number, 1, 0.6)
    telling.report(number, 1, 0.9)
    assert telling.trials()[number].intermediate_values == {1: 0.6}


def test_a_reopened_trial_runs_again_as_it_was_and_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "failing").mkdir()
    whole, failing = study(tmp_path / "whole"), study(tmp_path / "failing")
    for asked in (whole, failing):
        first = [asked.ask() for _ in range(4)]
        for one in first[1:]:
            tell(asked, one, 0.6)
    failing.tell(0, TrialState.FAIL, epochs=3)
    failing.reopen(0)
    again = study(tmp_path / "failing")
    for asked in (failing, again):
        assert asked.unfinished() == [0]
        assert asked.suggestion(0) == whole.suggestion(0)
        assert (asked.asked(), asked.status(0)) == (4, "running")
    for asked in (whole, again):
        tell(asked, first[0], 0.7)
    assert [again.ask() for _ in range(4)] == [whole.ask() for _ in range(4)]
    assert study(tmp_path / "failing").status(0) == "finished"


def test_an_end_told_twice_counts_once(tmp_path: Path) -> None:
    telling = study(tmp_path, subject_to=("clean/auroc >= 0.9",))
    number = telling.ask().number
    for value in (0.6, 0.9):
        metrics = {OBJECTIVE: value, "clean/auroc": 0.8}
        telling.tell(number, TrialState.COMPLETE, metrics)
    (trial,) = telling.trials()
    assert trial.value == 0.6
    assert trial.constraints == {"clean/auroc >= 0.9": pytest.approx(0.1)}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("varying", [False, True])
def test_until_a_trial_meets_the_conditions_gp_heads_for_them(
    tmp_path: Path, varying: bool
) -> None:
    space = {"model.norm": {"choice": NORMS[:1]}, "train.lr": SPACE["train.lr"]}
    asking: list[Study] = []
    for name, asked_for in (("with", ("clean/auroc >= 0.9",)), ("without", ())):
        (tmp_path / name).mkdir()
        asking.append(study(tmp_path / name, space=space, sampler="gp", subject_to=asked_for))
    for number in range(START + 3):
        conditional, plain = (one.ask() for one in asking)
        assert conditional == plain
        value = number % 3 / 10
        clean = 0.5 + conditional.params["train.lr"] if varying else 0.5
        metrics = {OBJECTIVE: value, "clean/auroc": clean}
        asking[0].tell(number, TrialState.COMPLETE, metrics)
        excess = clean - 0.9 if varying else value
        asking[1].tell(number, TrialState.COMPLETE, {OBJECTIVE: excess})


@pytest.mark.parametrize("budget", [{}, {"equal": "epochs"}, {"budget": "joint"}])
def test_a_study_that_went_on_and_one_opened_anew_are_of_one_mind(
    tmp_path: Path, budget: dict[str, Any]
) -> None:
    def make() -> Study:
        return study(tmp_path, trials=30, sampler="sobol", **budget)

    went_on = make()
    for number in range(30):
        suggestion = went_on.ask()
        again = make()
        assert again.asked() == went_on.asked() == number + 1
        assert again.suggestion(number) == went_on.suggestion(number) == suggestion
        if number % 3 != 2:
            state = TrialState.PRUNED if number % 4 else TrialState.FAIL
            went_on.tell(number, state, {OBJECTIVE: 0.5}, epochs=1 + number % 5)
        assert make().unfinished() == went_on.unfinished()
        assert [make().status(n) for n in range(number + 1)] == [
            went_on.status(n) for n in range(number + 1)
        ]


def test_no_trial_is_looked_for_among_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = study(tmp_path, sampler="sobol")
    asked = [telling.ask() for _ in range(4)]

    def walk(*_: Any, **__: Any) -> None:
        raise AssertionError("all trials of a study are walked through")

    monkeypatch.setattr(JournalStorage, "get_all_trials", walk)
    for suggestion in asked:
        assert telling.suggestion(suggestion.number) == suggestion
        telling.report(suggestion.number, 1, 0.5)
        tell(telling, suggestion, 0.5)
        assert telling.status(suggestion.number) == "finished"


def test_what_a_sampler_is_shown_stays_as_it_was(tmp_path: Path) -> None:
    asking = study(tmp_path, sampler="tpe", space=TWO)
    for number in range(LEARNING):
        tell(asking, asking.ask(), number / 100)
    before = asking.trials()
    asking.ask()
    assert asking.trials()[:-1] == before
    assert [one.number for one in before] == [number // 2 for number in range(LEARNING)]


def test_a_suggestion_survives_tune_and_nothing_else_passes_for_one(tmp_path: Path) -> None:
    suggestion = study(tmp_path).ask()
    assert Suggestion.from_tune(suggestion.to_tune()) == suggestion
    with pytest.raises(
        WorkError, match=r"not one of this sweep; received the keys \['lr'\] instead"
    ):
        Suggestion.from_tune({"lr": 0.1})


def test_a_joint_search_chooses_the_norm_too(tmp_path: Path) -> None:
    asking = study(tmp_path, sampler="tpe", budget="joint")
    asked = []
    for _ in range(40):
        asked.append(asking.ask())
        tell(asking, asked[-1], {"batch": 0.5, "group": 0.9, "layer": 0.6}[asked[-1].stratum])
    assert len(asking.studies) == 1
    assert Counter(one.stratum for one in asked)["group"] > 20


def test_epochs_are_equal_where_one_norm_is_stopped_early(tmp_path: Path) -> None:
    def make() -> Study:
        return study(tmp_path, equal="epochs", sampler="sobol", space=TWO)

    asking, used = make(), Counter[str]()
    for _ in range(40):
        asking = make()
        suggestion = asking.ask()
        epochs = 2 if suggestion.stratum == "batch" else 8  # ASHA stops all of batch
        asking.tell(suggestion.number, TrialState.PRUNED, {OBJECTIVE: 0.5}, epochs)
        used[suggestion.stratum] += epochs
    assert abs(used["batch"] - used["group"]) <= 8
    trials = Counter(asking.suggestion(number).stratum for number in range(40))
    assert trials == {"batch": 32, "group": 8}


def test_where_nothing_is_stopped_equal_epochs_are_equal_trials(tmp_path: Path) -> None:
    asking = study(tmp_path, equal="epochs", sampler="sobol")
    assert [asking.ask().stratum for _ in range(9)] == NORMS * 3


def test_a_dimension_is_drawn_when_it_applies(tmp_path: Path) -> None:
    space = {
        "model.norm": {"choice": NORMS},
        "train.lr": {"log": [1e-4, 1e-2]},
        "model.norm_groups": {"choice": [2, 4, 8], "when": {"model.norm": "group"}},
        "train.mixstyle": {"choice": [False, True]},
        "train.mixstyle_alpha": {"uniform": [0.1, 0.4], "when": {"train.mixstyle": True}},
    }
    for sampler in ("tpe", "gp", "random"):
        (tmp_path / sampler).mkdir()
        found = asked_for(
            lambda sampler=sampler: study(tmp_path / sampler, sampler=sampler, space=space), 15
        )
        for one in found:
            assert ("model.norm_groups" in one.params) == (one.stratum == "group")
            mixed = one.params["train.mixstyle"]
            assert ("train.mixstyle_alpha" in one.params) == mixed
        assert {one.params["train.mixstyle"] for one in found} == {True, False}


def test_given_configurations_come_first_in_every_stratum_that_they_do_not_exclude(
    tmp_path: Path,
) -> None:
    given = ({"train.lr": 3e-3}, {"train.lr": 5e-4, "model.norm": "group", "model.width": 5})
    with_start = study(tmp_path, start=given)
    asked = [with_start.ask().params for _ in range(12)]
    assert [one["train.lr"] for one in asked[:3]] == [3e-3] * 3
    assert (asked[4]["train.lr"], asked[4]["model.width"]) == (5e-4, 5)
    (tmp_path / "plain").mkdir()
    plain = study(tmp_path / "plain")
    points = [plain.ask().params for _ in range(12)]
    assert asked[0]["model.width"] == points[0]["model.width"], "what is left out is a Sobol point"
    assert [asked[3], *asked[5:]] == [points[3], *points[5:]]


def began_before(path: Path, settings: SearchSettings, trials: int) -> list[dict[str, Any]]:
    """A journal as it was written before strata had studies: value by value, norms in turns."""
    storage = JournalStorage(JournalFileBackend(str(path)))
    old = optuna.create_study(
        storage=storage, study_name="test", direction="maximize", load_if_exists=True
    )
    found = []
    for number in range(len(old.trials), trials):
        old.sampler = TPESampler(seed=seed_of("sampler", 0, number) % 2**32)
        old.enqueue_trial({"model.norm": NORMS[number % 3]})
        trial = old.ask()
        params = {
            "model.norm": trial.suggest_categorical("model.norm", NORMS),
            "train.lr": trial.suggest_float("train.lr", 1e-4, 1e-2, log=True),
        }
        old.tell(trial, 0.5 + number % 5 / 10)
        found.append(params)
    return found


def test_a_sweep_that_was_begun_before_goes_on_as_it_would_have(tmp_path: Path) -> None:
    space = {name: SPACE[name] for name in ("model.norm", "train.lr")}
    settings = SearchSettings(trials=20, space=space, sampler="tpe", budget="turns")
    whole = began_before(tmp_path / "whole", settings, 20)
    began_before(tmp_path / "journal", settings, 14)
    old = Study(tmp_path / "journal", "test", settings, 0)
    old.studies[0].enqueue_trial({"model.norm": "layer"})  # interrupted as it was being drawn
    old.studies[0].ask()
    old.studies[0].enqueue_trial({"model.norm": "layer"})
    for number in range(14, 20):
        again = Study(tmp_path / "journal", "test", settings, 0)
        assert (again.asked(), again.unfinished()) == (number, [])
        suggestion = again.ask()
        assert (suggestion.number, suggestion.params) == (number, whole[number])
        again.tell(number, TrialState.COMPLETE, {OBJECTIVE: 0.5 + number % 5 / 10})
    assert [again.suggestion(number).params for number in range(20)] == whole


def said_of_studies(journal: Path) -> list[str]:
    return [line for line in journal.read_text().splitlines() if "_attr" in line]


@pytest.mark.parametrize("objectives", [(), (OBJECTIVE, "clean/auroc")])
def test_a_reader_of_the_journal_sees_what_is_maximised_and_of_which_sweep(
    tmp_path: Path, objectives: tuple[str, ...]
) -> None:
    """Of a journal of an earlier version, too, once it goes on; nothing is written twice."""
    path = tmp_path / "journal"
    names = list(objectives or [OBJECTIVE])
    storage = JournalStorage(JournalFileBackend(str(path)))
    for norm in NORMS:
        directions = ["maximize"] * len(names)
        optuna.create_study(storage=storage, study_name=f"test/{norm}", directions=directions)
    settings = SearchSettings(
        trials=6,
        space=SPACE,
        objectives=objectives,
        objective="auto" if objectives else OBJECTIVE,
    )
    about = {"mrisweep": "1.2.3", "data_fingerprint": "f00d"}
    Study(path, "test", settings, 0, about=about)
    once = said_of_studies(path)
    Study(path, "test", settings, 0, about={"mrisweep": "4.5.6"})
    assert said_of_studies(path) == once, "what the version that began it said stays"
    for norm in NORMS:
        read = optuna.load_study(
            study_name=f"test/{norm}", storage=JournalStorage(JournalFileBackend(str(path)))
        )
        assert read.metric_names == names
        assert read.user_attrs == {**about, "sweep": "test", "model.norm": norm}


@pytest.mark.parametrize("objectives", [(), (OBJECTIVE, "clean/auroc")])
def test_the_journal_says_in_which_order_reports_came(
    tmp_path: Path, objectives: tuple[str, ...]
) -> None:
    """Clocks may be set, and differ between nodes; the journal is written line by line."""
    asked = study(tmp_path, objectives=objectives)
    for _ in range(4):
        asked.ask()
    order = [(0, 1), (2, 1), (1, 1), (0, 2), (3, 1), (2, 2), (1, 2), (0, 3)]
    for number, epoch in order:
        asked.report(number, epoch, *[0.5] * max(1, len(objectives)))
    asked.report(2, 1, *[0.5] * max(1, len(objectives)))  # said again after an interruption
    places = study(tmp_path, objectives=objectives).heard()
    assert sorted(places, key=places.__getitem__) == order
