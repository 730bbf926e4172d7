"""The screening of a trial: which of its validation slices and cells, ready to be scored."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sweep.config.settings import TrialConfig
from sweep.core.records import Cell, Predictions
from sweep.core.screening import screened_cells, screened_slices
from sweep.learn.stress import cells_of
from sweep.store import Store


class Screening(NamedTuple):
    """A part of a full stress test.

    Attributes:
        slices: (M,) positions among the validation slices.
        cells: Some of all cells, in their order.

    """

    slices: NDArray[np.intp]
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, config: TrialConfig, store: Store) -> Self | None:
        """That of a trial; None where every epoch is scored in full."""
        settings, stress = config.screen, config.stress
        if settings is None:
            return None
        indices = store.indices(config.data.validation)
        patients = store.patients[indices].tolist()
        truth = store.labels[indices].astype(bool)
        return cls(
            screened_slices(patients, truth, settings.patients, stress.seed),
            screened_cells(cells_of(stress), settings.levels, stress.seed),
        )

    def part_of(self, predictions: Iterable[Predictions]) -> list[Predictions]:
        """What a full stress test says of the screening's slices and cells."""
        return [
            Predictions(item.cell, item.log_odds[self.slices])
            for item in predictions
            if item.cell in self.cells
        ]
