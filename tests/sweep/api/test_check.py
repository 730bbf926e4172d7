"""What a sweep will cost, measured on networks as they are trained."""

from sweep.api.check import estimate
from sweep.api.preflight import about_evidence
from sweep.config.sweep import SweepConfig
from sweep.store import Store
from tests.support.sweeps import settings


def test_a_network_that_draws_in_training_is_measured_and_its_average_weighed(
    store: Store,
) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    ).replace({"model.dropout": 0.1, "train.mixstyle": 0.5})
    plain = estimate(config, store, 1)
    averaged = estimate(config.replace({"train.ema": 0.9}), store, 1)
    assert plain.train_s > 0
    assert 1.9 * plain.checkpoint_bytes < averaged.checkpoint_bytes < 2.1 * plain.checkpoint_bytes


def test_averages_are_rows_too(store: Store) -> None:
    config = SweepConfig.from_dict(
        settings(store, stress={"artifacts": ["bias"], "levels": [1], "grid": "physical"})
    )
    asked = config.replace({"stress.modes.names": ["blend"]})
    trials = config.search.total
    assert estimate(asked, store, 1).rows == 1, "the norms take turns, and one is batch norm"
    assert estimate(asked.replace({"train.ema": 0.9}), store, 1).rows == 1 + trials
    assert estimate(config.replace({"train.ema": 0.9}), store, 1).rows == trials


def test_few_patients_and_few_trials_are_noted(store: Store) -> None:
    config = SweepConfig.from_dict(settings(store))
    rows = store.indices(config.data.validation)
    patients = set(store.patients[rows][store.labels[rows, 0] > 0])
    of_patients, of_trials = about_evidence(config, store)
    first = f"{store.label_names[0]} ({len(patients)})"
    assert of_patients.startswith(f"fewer than 10 validation patients have {first}")
    assert of_trials.startswith("3 trials for 3 strata; with fewer than 4 each")
    enough = about_evidence(config.replace({"search.trials": 12}), store)
    assert enough == (of_patients,)
