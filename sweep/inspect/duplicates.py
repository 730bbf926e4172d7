"""Near-duplicates across splits: copies of a slice under another patient's name.

Such copies flatter a test score, and no law on patients sees them. Candidates are pairs whose
perceptual hashes differ in few bits; a candidate is a near-duplicate when its detail agrees too.
Measured with the limits below on 2,457 brain slices (256 x 256) of 166 patients in 4 splits: of
the 2.2 million pairs across splits, all of different people, none is reported (the most alike
reach 0.83). Of copies of 300 of the slices are found those made by

=====================================================  ====================
JPEG of quality 20 to 90, 8 bits, a contrast clipped   100 %
half the size and back, other brightness, noise 5 %    100 %
gamma 0.7, 1.4, 0.5                                    100 %, 99 %, 97 %
shift by 1 pixel, by 1 and 1, by 2 and 2, by 4 and 4   100 %, 99 %, 88 %, 53 %
noise 10 %                                             98 %
=====================================================  ====================

Shifts weigh more where pixels are large: of phantoms of 96 x 96, 94 % at 1 and 1 pixel, 45 % at 2
and 2. Copies that are mirrored, inverted, turned, or cropped by more than a hundredth are not
found, and other slices or another scan of one person rarely.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sweep.core.text import SHOWN, number_of, table
from sweep.inspect.hashes import Rows, like_hashes
from sweep.inspect.likeness import Spectrum, detail, likeness
from sweep.store import Store

BITS = 8  # of 63, that the hashes may differ in
LIKENESS = 0.88
COMPARED = 20_000  # pairs whose pixels are compared at most, for 10 to 20 s
HELD = 2048  # spectra in memory at a time, 80 MB


class SliceName(NamedTuple):
    """A slice as it is told to the user."""

    key: str
    patient: str
    split: str


class Duplicate(NamedTuple):
    """Slices of two splits that look like copies; ``one`` is of the split first by name."""

    likeness: float
    one: SliceName
    other: SliceName


@dataclass(frozen=True)
class Duplicates:
    """What a search for near-duplicates across splits has found.

    Attributes:
        slices: The slices that the store has.
        candidates: The number of pairs with like hashes.
        compared: The number of those whose pixels were compared, the most alike.
        pairs: The near-duplicates, the most alike first.

    """

    slices: int
    candidates: int
    compared: int
    pairs: tuple[Duplicate, ...]

    def text(self) -> str:
        """Say what was found, the first ten pairs, and what to do; or that there is none."""
        return "\n".join([*self._found(), *self._left_out()])

    def as_json(self) -> dict[str, Any]:
        """The same for scripts, with every pair."""
        pairs = [
            {"likeness": pair.likeness, "one": pair.one._asdict(), "other": pair.other._asdict()}
            for pair in self.pairs
        ]
        return {"candidates": self.candidates, "compared": self.compared, "pairs": pairs}

    def _found(self) -> Iterator[str]:
        if not self.pairs:
            yield "near-duplicates across splits: none found"
            return
        named = {one for pair in self.pairs for one in (pair.one, pair.other)}
        yield (
            f"near-duplicates across splits: {number_of(len(self.pairs), 'pair')}, of "
            f"{len(named)} of "
            f"{number_of(self.slices, 'slice')}, "
            f"{number_of(len({one.patient for one in named}), 'patient')}, "
            f"splits {', '.join(sorted({one.split for one in named}))}"
        )
        yield from _table(self.pairs[:SHOWN])
        if len(self.pairs) > SHOWN:
            yield f"  and {len(self.pairs) - SHOWN} more"
        yield (
            "Scores on these splits are flattered if both slices of a pair are of one person. Look "
            "at them; give one person one patient name, or drop the copies, and ingest again."
        )

    def _left_out(self) -> Iterator[str]:
        if self.compared < self.candidates:
            yield (
                f"Of {number_of(self.candidates, 'pair')} with like hashes the {self.compared} "
                "most alike were "
                "compared; near-duplicates among the rest are not found."
            )


def near_duplicates(store: Store) -> Duplicates:
    """Find copies across splits, whatever their grey scale, with some noise or a small shift.

    Slices of a single value are left out. Takes seconds for 42,000 slices: the hashes of all pairs
    are compared, and the pixels of at most ``COMPARED``.
    """
    least, greatest = store.columns["value_range"].T
    hashes, filled = store.columns["perceptual_hash"], np.flatnonzero(least < greatest)
    like = like_hashes(hashes, store.splits, filled, BITS, COMPARED)
    found = sorted(_confirmed(store, like.pairs), key=lambda pair: (-pair[0], *pair[1:]))
    return Duplicates(
        slices=len(store),
        candidates=like.found,
        compared=len(like.pairs),
        pairs=tuple(
            Duplicate(how, _named(store, one), _named(store, other)) for how, one, other in found
        ),
    )


def _confirmed(store: Store, pairs: Rows) -> Iterator[tuple[float, int, int]]:
    @lru_cache(HELD)
    def detail_of(row: int) -> Spectrum:
        return detail(store.read([row])[0])

    for one, other in pairs.tolist():
        how = likeness(detail_of(one), detail_of(other))
        if how >= LIKENESS:
            yield how, one, other


def _named(store: Store, row: int) -> SliceName:
    return SliceName(str(store.keys[row]), str(store.patients[row]), str(store.splits[row]))


def _table(pairs: tuple[Duplicate, ...]) -> Iterator[str]:
    head = ["likeness", "split", "slice", "split", "slice"]
    rows = [[f"{how:.3f}", one.split, one.key, other.split, other.key] for how, one, other in pairs]
    return (f"  {line}" for line in table([head, *rows], left=(1, 2, 3, 4)))
