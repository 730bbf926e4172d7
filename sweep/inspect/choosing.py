"""Choosing slices to look at, and the grey window they are looked at in."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sweep.core.choice import shuffled, spread
from sweep.store import Store


def choose(store: Store, split: str, number: int, seed: int) -> list[int]:
    """Draw slices of a split so that each label and each patient is shown as rarely as possible.

    One after the other is taken: of the labels shown least so far, of the patient shown least so
    far, first by a hash of seed and key.

    Args:
        store: The store to draw from.
        split: The name of the split.
        number: The number of slices.
        seed: Key of the draw.

    Returns:
        Row numbers, as many as asked for or all that the split has, in the order drawn.

    """
    rows = shuffled(
        store.indices([split]).tolist(), lambda row: str(store.keys[row]), seed, "sheet"
    )
    labels = {row: store.labels[row].tobytes() for row in rows}
    patients = {row: str(store.patients[row]) for row in rows}
    return list(islice(spread(rows, labels, patients), number))


def white_of(image: NDArray[np.float32]) -> float:
    """The intensity shown white: the 99.5th percentile of a slice (H, W), in its own units.

    Its greatest pixel, often one vessel, would leave it dark.
    """
    return float(np.quantile(image, 0.995)) or float(image.max())


def windowed(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey values (H, W) of a slice: black at 0, white at ``white_of`` it."""
    white = white_of(image)
    if white <= 0:
        return np.zeros(image.shape, np.uint8)
    return np.asarray(np.rint(np.clip(image / white, 0, 1) * 255), np.uint8)
