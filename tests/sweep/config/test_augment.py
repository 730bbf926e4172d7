"""What happens to training slices, as a user sets it: refusals, searches, the held-out family."""

from pathlib import Path
from typing import Any

import pytest

from artifacts_sim import LEVELS, Several
from sweep.api.check import estimate
from sweep.api.pace import Room
from sweep.api.preflight import bind
from sweep.config.augment import AugmentSettings
from sweep.config.levels import augmentation, operations
from sweep.config.settings import StressSettings
from sweep.config.sweep import SearchSettings, SweepConfig
from sweep.core.errors import UserError
from sweep.search.study import Study
from sweep.store import Store
from tests.support.sweeps import settings

PHYSICAL = StressSettings(grid="physical")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flip_horizontal": 1.5}, "flip_horizontal .* received 1.5; give a number from 0 to 1"),
        ({"flip_vertical": -0.1}, "flip_vertical .* received -0.1; give a number from 0 to 1"),
        ({"randconv": float("nan")}, "randconv .* received nan; give a number from 0 to 1"),
        ({"chain": 0}, "chain .* received 0; give 1 or more"),
        ({"augmix": -1}, "augmix .* received -1; give 0 to 10; the paper took 3"),
        ({"augmix": 200_000_000}, "augmix .* received 200000000; give 0 to 10"),
        ({"augmix": 3}, "augmix .* received 3; give 0, or name the artifacts to mix in train.aug"),
        ({"augmix_consistency": 12.0}, "augmix_consistency .* 12; give 0, or set train.augment."),
        ({"augmix_consistency": float("inf")}, "received inf; give a number of 0 or more"),
        ({"rotate": 270.0}, "rotate .* received 270; give degrees from 0 to 180"),
        ({"translate": 1.0}, "translate .* received 1; give a number from 0 to below 1"),
        ({"scale": -0.1}, "scale .* received -0.1; give a number from 0 to below 1"),
        ({"crop": 0.0}, "crop .* received 0; give a number above 0, up to 1"),
    ],
)
def test_values_that_mean_nothing_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        AugmentSettings(**given)


def test_settings_of_before_are_read_as_they_were_meant() -> None:
    """A checkpoint of an earlier version has these three, of held-out artifacts, too."""
    before = {"artifacts": ["gibbs"], "levels": list(LEVELS), "probability": 0.5}
    assert AugmentSettings.from_plain(before) == AugmentSettings(artifacts=("gibbs",))


def test_a_chain_of_several_is_drawn_and_of_one_is_the_mixture_of_before() -> None:
    one = AugmentSettings(artifacts=("rician", "bias"), levels=(1, 2), probability=0.6)
    several = AugmentSettings(artifacts=("rician", "bias"), levels=(1, 2), chain=2)
    assert len(augmentation(PHYSICAL, one).chains) == 5
    drawn = augmentation(PHYSICAL, several)
    assert drawn == Several(operations(PHYSICAL, several), most=2, probability=0.5)
    assert [part.weights for part in drawn.parts] == [(0.5, 0.5)] * 2


def test_with_augmix_no_artifact_falls_by_itself() -> None:
    mixed = AugmentSettings(artifacts=("rician",), augmix=3, probability=1.0)
    assert augmentation(PHYSICAL, mixed).is_clean
    assert len(operations(PHYSICAL, mixed)) == 1


def sweep_of(store: Store, space: dict[str, Any], **augment: Any) -> SweepConfig:
    made = settings(store, train={"epochs": 1, "batch_size": 16, "augment": augment})
    made["stress"] |= {"grid": "physical", "options": {"zipper-mine": {}}}
    made["search"]["space"] = space
    return SweepConfig.from_dict(made)


SPACE = {
    "train.augment.levels": {"choice": [[1, 2], [4, 5]]},
    "train.augment.artifacts": {"choice": [["rician"], ["bias", "wrap"]]},
    "train.augment.randconv": {"choice": [0, 0.5]},
    "train.augment.chain": {"int": [1, 3]},
    "train.augment.rotate": {"uniform": [0, 20]},
}


def test_every_value_of_a_search_reaches_the_trial(store: Store, tmp_path: Path) -> None:
    config = sweep_of(store, SPACE)
    asking = Study(tmp_path / "journal", "test", SearchSettings(space=SPACE), 0)
    seen = set()
    for suggestion in (asking.ask() for _ in range(8)):
        augment = config.trial(suggestion.params).train.augment
        for name, value in suggestion.params.items():
            set_to = getattr(augment, name.rpartition(".")[2])
            assert (list(set_to) if isinstance(set_to, tuple) else set_to) == value
        seen |= {augment.levels}
    assert seen == {(1, 2), (4, 5)}


def test_what_does_not_go_together_is_said_before_a_trial_has_it(store: Store) -> None:
    space = {
        "train.augment.augmix": {"choice": [1, 3]},
        "train.augment.artifacts": {"choice": [["rician"], ["bias"]]},
    }
    assert sweep_of(store, space, artifacts=["rician"], augmix=1)
    space["train.augment.artifacts"] = {"choice": [["rician"], []]}
    with pytest.raises(UserError, match=r"search.space.* offers .*augmix.*name the artifacts"):
        sweep_of(store, space, artifacts=["rician"])
    consistent = {
        "train.augment.augmix": {"choice": [3, 0]},
        "train.augment.augmix_consistency": {"choice": [0, 12]},
    }
    with pytest.raises(UserError, match=r"values that do not go together: train.augment: augmix_c"):
        sweep_of(store, consistent, artifacts=["rician"], augmix=3)


@pytest.mark.parametrize("name", ["gibbs", "holdout", "zipper-mine"])
def test_a_new_sweep_does_not_train_on_held_out_artifacts_in_silence(
    name: str, store: Store
) -> None:
    message = "artifacts of the held-out family, .*; received .*; leave them out .*holdout: true"
    for space, given in (({}, [name]), ({"train.augment.artifacts": {"choice": [[], [name]]}}, [])):
        config = sweep_of(store, space, artifacts=["bias", *given])
        for use in (bind, lambda config, store: estimate(config, store, Room(1))):
            with pytest.raises(UserError, match=message):
                use(config, store)
    allowed = sweep_of(store, {}, artifacts=["bias", "gibbs"], holdout=True)
    assert set(bind(allowed, store).config.stress.knobs) == {"rician", "bias", "gibbs"}


def test_searched_artifacts_have_their_levels_from_the_beginning(store: Store) -> None:
    bound = bind(sweep_of(store, SPACE), store).config
    assert set(bound.stress.knobs) == {"rician", "bias", "wrap"}
    space = {**SPACE, "train.augment.levels": {"choice": [[1], [5]]}}
    config = sweep_of(store, space).replace({"stress.knobs": {"wrap": [0.1, *[None] * 4]}})
    assert bind(config, store).config.train == config.train, "the other one of two reaches it"
    space["train.augment.artifacts"] = {"choice": [["rician"], ["wrap"]]}
    config = sweep_of(store, space).replace({"stress.knobs": {"wrap": [0.1, *[None] * 4]}})
    with pytest.raises(UserError, match="no artifact reaches any of the levels"):
        bind(config, store)


def test_check_says_which_artifacts_of_the_stress_test_training_sees(store: Store) -> None:
    text = estimate(sweep_of(store, {}, artifacts=["bias", "wrap"]), store, Room(1)).text()
    assert "seen         bias of the stress test are in the augmentation, too" in text
    assert "seen " not in estimate(sweep_of(store, {}), store, Room(1)).text()
