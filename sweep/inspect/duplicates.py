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
from typing import Any, NamedTuple

import numpy as np

from sweep.core.heap import keep_freed_memory
from sweep.core.text import SHOWN, number_of, table
from sweep.core.threads import one_blas_thread
from sweep.inspect.hashes import Rows, like_hashes
from sweep.inspect.likeness import SPECTRUM, Spectra, detail, likeness
from sweep.store import Store

BITS = 8  # of 63, that the hashes may differ in
LIKENESS = 0.88
COMPARED = 20_000  # pairs whose pixels are compared at most, for some seconds
DIGITS = 6  # of a likeness; the rounding of float32 is below
HELD = 4096  # spectra in memory at a time, 150 MB
BATCH = 64  # pairs that are compared at a time; 7 MB, for the cache


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
    are compared, and the pixels of at most ``COMPARED``. What is found does not depend on the order
    of the slices in the store.
    """
    least, greatest = store.columns["value_range"].T
    filled = np.flatnonzero(least < greatest)
    by_key = filled[np.argsort(store.keys[filled])]
    hashes = store.columns["perceptual_hash"]
    like = like_hashes(hashes, store.splits, by_key, BITS, COMPARED)
    keep_freed_memory()
    with one_blas_thread():
        found = list(_confirmed(store, like.pairs))
    return Duplicates(
        slices=len(store),
        candidates=like.found,
        compared=len(like.pairs),
        pairs=tuple(sorted(found, key=lambda pair: (-pair.likeness, pair.one, pair.other))),
    )


def _confirmed(store: Store, pairs: Rows) -> Iterator[Duplicate]:
    held = _Held(store)
    for near in _parts(pairs, HELD // 2):
        held.turn_to(np.unique(near))
        for some in _parts(near, BATCH):
            alike = likeness(held.of(some[:, 0]), held.of(some[:, 1]))
            for place in np.flatnonzero(alike >= LIKENESS).tolist():
                how = round(float(alike[place]), DIGITS)
                yield Duplicate(how, *(_named(store, row) for row in some[place].tolist()))


def _parts(pairs: Rows, size: int) -> Iterator[Rows]:
    return (pairs[start : start + size] for start in range(0, len(pairs), size))


class _Held:
    """The spectra of the slices that the pairs at hand are of; what the next ones need stays."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = np.empty(0, np.intp)
        self._spectra = np.empty((0, *SPECTRUM), np.complex64)

    def turn_to(self, rows: Rows) -> None:
        """Hold the spectra of these slices, ascending, and of no others."""
        kept = np.isin(self._rows, rows)
        new = np.setdiff1d(rows, self._rows[kept])
        spectra = np.empty((len(rows), *SPECTRUM), np.complex64)
        spectra[np.searchsorted(rows, self._rows[kept])] = self._spectra[kept]
        for place, row in zip(np.searchsorted(rows, new), new.tolist(), strict=True):
            spectra[place] = detail(self._store.read([row])[0])
        self._rows, self._spectra = rows, spectra

    def of(self, rows: Rows) -> Spectra:
        """The spectra of slices that are held, one for each row."""
        return self._spectra[np.searchsorted(self._rows, rows)]


def _named(store: Store, row: int) -> SliceName:
    return SliceName(str(store.keys[row]), str(store.patients[row]), str(store.splits[row]))


def _table(pairs: tuple[Duplicate, ...]) -> Iterator[str]:
    head = ["likeness", "split", "slice", "split", "slice"]
    rows = [[f"{how:.3f}", one.split, one.key, other.split, other.key] for how, one, other in pairs]
    return (f"  {line}" for line in table([head, *rows], left=(1, 2, 3, 4)))
