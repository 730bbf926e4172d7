"""A store of two hospitals, and a sweep on it whose answers were drawn instead of trained for."""

from pathlib import Path

import numpy as np

from sweep.config.sweep import SweepConfig
from sweep.core.records import EpochRecord, Predictions
from sweep.learn.stress import cells_of
from sweep.metrics.summary import score, summary
from sweep.results.folder import SweepFolder
from sweep.results.tables import validation_slices
from sweep.results.trials import TrialLog
from sweep.store import Store, write_store
from sweep.store.slices import Slice
from tests.support.finished import config_of

SITES = ("DU", "HT", "")  # of the last nobody knows, and it has two patients


def site_of(patient: int) -> str:
    """The two hospitals take turns, after two patients of whom nothing is known."""
    return SITES[2] if patient < 2 else SITES[patient // 2 % 2]


def store_of_sites(path: Path, patients: int = 54) -> Store:
    """Two slices of each patient; every other patient shows ``a``, the others ``b``.

    All patients but six are in fold 3. ``age`` goes from 20 to 79, ``sex`` is that of slices.
    """
    slices, images = [], []
    for number in range(patients):
        for place in range(2):
            slices.append(
                Slice(
                    key=f"p{number:02}/s{place}",
                    patient=f"p{number:02}",
                    split="3" if number < patients - 6 else str(1 + number % 2),
                    labels=frozenset({"ab"[(number + number // 4) % 2]}),
                    origin="test",
                    sequence=("T1", "T2")[place],
                    columns={
                        "site": site_of(number),
                        "age": str(20 + number * 7 % 60),
                        "scanner": "1.5" if number % 3 else "3",
                    },
                )
            )
            images.append(np.full((8, 8), 1.0 + number, np.float32))
    names = {"label_names": ("a", "b"), "task": "multiclass", "source": {"test": True}}
    return write_store(path, slices, images, shape=(8, 8), **names)  # type: ignore[arg-type]


def sweep_of_sites(path: Path, store: Store, trials: int = 2) -> SweepFolder:
    """Trials of two norms with one epoch, whose answers are drawn; later ones are better."""
    config = config_of(store).replace({"data.fingerprint": store.fingerprint})
    made = SweepFolder.create(path, config)
    for number in range(trials):
        answer(made, config, store, number)
    return made


def answer(folder: SweepFolder, config: SweepConfig, store: Store, number: int) -> None:
    """A trial that says of each slice what its label is, in noise."""
    trial, norm = f"trial-{number:04d}", ("batch", "group")[number % 2]
    slices = validation_slices(store, config.data.validation)
    draws = np.random.default_rng(number)
    predictions = []
    for cell in cells_of(config.stress):
        noise = draws.normal(0, 1.2 + 0.1 * cell.level, len(slices.keys))
        odds = (0.6 + 0.2 * number) * np.where(slices.truth[:, 0], 1, -1) + noise
        predictions.append(Predictions(cell, np.stack([odds, -odds], 1).astype(np.float32)))
    scores = score(predictions, slices.truth, slices.labels, slices.patients)
    with TrialLog(folder, config.search.objective) as trial_log:
        trial_log.began(trial, number, {"model.norm": norm}, norm, 0)
        record = EpochRecord(trial, 1, 0.5, 100.0, 1_700_000_000_000, scores, summary(scores))
        folder.write_epoch(record, predictions, slices)
        trial_log.reported(trial, 1)
        trial_log.ended(trial, "finished")
