"""Choosing slices to look at: spread over labels and patients, by key."""

from collections import Counter
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from sweep.core.keys import digest
from sweep.store import Store


def choose(store: Store, split: str, number: int, seed: int) -> list[int]:
    """Draw slices of a split, each label and each patient as seldom as can be.

    One after the other is taken: of the labels shown least so far, of the patient shown least so
    far, first by a hash of seed and key.

    Returns:
        Row numbers, as many as asked for or all that the split has, in the order drawn.

    """
    rows = store.indices([split])
    shuffled = sorted(rows.tolist(), key=lambda row: digest(seed, "sheet", str(store.keys[row])))
    labels = {row: store.labels[row].tobytes() for row in shuffled}
    patients = {row: str(store.patients[row]) for row in shuffled}
    shown: Counter[Hashable] = Counter()
    chosen: list[int] = []
    for _ in range(min(number, len(rows))):
        left = (row for row in shuffled if row not in chosen)
        row = min(left, key=lambda row: (shown["label", labels[row]], shown["of", patients[row]]))
        shown.update([("label", labels[row]), ("of", patients[row])])
        chosen.append(row)
    return chosen


def windowed(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey values (H, W) of a slice: black at 0, white at its 99.5th percentile.

    Its greatest pixel, often one vessel, would leave it dark.
    """
    white = float(np.quantile(image, 0.995)) or float(image.max())
    if white <= 0:
        return np.zeros(image.shape, np.uint8)
    return np.asarray(np.rint(np.clip(image / white, 0, 1) * 255), np.uint8)
