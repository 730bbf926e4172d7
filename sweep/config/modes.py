"""What a user can set for the modes: extra rows of a trial, without training again."""

from dataclasses import dataclass
from typing import Any, Literal

from sweep.config.base import Settings, require
from sweep.core.errors import require_known
from sweep.core.modes import BLEND, OF_BATCH_NORM, PRECISE, WHOLE_BATCHES

Order = Literal["shuffled", "natural"]
# Which settings decide a mode's row, besides its name.
DECIDE = {
    **dict.fromkeys(WHOLE_BATCHES, ("batch_size", "order")),
    BLEND: ("batch_size", "order", "blend_source"),
    PRECISE: ("batch_size", "precise_slices"),
}


@dataclass(frozen=True, kw_only=True)
class ModeSettings(Settings):
    """In which other modes the best checkpoint of each trial with batch norm is evaluated.

    Attributes:
        names: ``prediction_time`` normalises each evaluation batch by its own statistics, arXiv
            2006.10963; ``blend`` by a mixture of these and those of training, arXiv 2006.16971;
            ``adabn`` by those of all evaluation slices of the cell, arXiv 1603.04779; ``precise``
            by statistics that are taken anew of clean training slices, arXiv 2105.07576. When to
            change it: batch norm is to have its chance without training again.
        batch_size: Slices in a batch at most, of one artifact at one level. All are shared out
            evenly, so that the sizes of batches differ by 1 at most. When to change it: a scanner
            delivers fewer slices at a time.
        order: ``shuffled``: a keyed permutation of the slices, the same for every trial and cell;
            ``natural``: as in the store, as a scanner delivers patients one after the other. When
            to change it: slices come patient by patient where the model is used.
        blend_source: N of the blend, as how many more slices the statistics of training count. At
            16 they have a fifth of the weight in a batch of 64 and half of it in one of 16, so
            that they lead only where a batch is too small for statistics of its own.
        precise_slices: Training slices for ``precise`` at most, in keyed order. Each gives a
            channel thousands of values, so 4096 leave little to chance.

    """

    names: tuple[str, ...] = ()
    batch_size: int = 64
    order: Order = "shuffled"
    blend_source: float = 16.0
    precise_slices: int = 4096

    def __post_init__(self) -> None:
        require_known("names", self.names, OF_BATCH_NORM)
        require(len(set(self.names)) == len(self.names), "names", "each mode once", self.names)
        require(self.batch_size >= 2, "batch_size", "2 or more", self.batch_size)
        source = self.blend_source
        require(0 <= source < float("inf"), "blend_source", "a number, 0 or more", source)
        require(self.precise_slices >= 2, "precise_slices", "2 or more", self.precise_slices)

    def deciding(self, mode: str) -> dict[str, Any]:
        """The settings that decide a row of a mode: rows with the same may be compared."""
        return {name: getattr(self, name) for name in DECIDE.get(mode, ())}
