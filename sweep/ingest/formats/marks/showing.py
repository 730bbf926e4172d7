"""Which labels the masks and boxes of a file give to each of its slices, and what is to be said."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweep.core.errors import UnusableError
from sweep.core.text import SHOWN, number_of
from sweep.ingest.formats.locating import located
from sweep.ingest.formats.manifest import Row
from sweep.ingest.formats.marks.boxes import Box
from sweep.ingest.formats.marks.marking import Marking
from sweep.ingest.formats.marks.masks import Mask, read_mask
from sweep.ingest.formats.planes import Axis, Outline


@dataclass(frozen=True)
class Tally:
    """What was met on the way from marks to labels, counted.

    Attributes:
        below: For each label the slices that it touches with less than the least area.
        touched: Slices that some label touches with less.
        dropped: Of these the ones that are left out.
        unplaced: Masks that were taken pixel for pixel, as they do not say how they lie.
        unnamed: For each value of masks without a name the masks that have it.
        lost: Boxes on slices that their file does not have.
        outside: Boxes outside of their image.

    """

    below: Counter[str] = field(default_factory=Counter)
    touched: int = 0
    dropped: int = 0
    unplaced: int = 0
    unnamed: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    outside: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.below + other.below,
            self.touched + other.touched,
            self.dropped + other.dropped,
            self.unplaced + other.unplaced,
            self.unnamed + other.unnamed,
            self.lost + other.lost,
            self.outside + other.outside,
        )


@dataclass(frozen=True)
class Showing:
    """What the marks of a file say of its slices.

    Attributes:
        labels: Of each row, in their order, the labels of its slice; None = it is left out.
        tally: What was met on the way.

    """

    labels: tuple[frozenset[str] | None, ...]
    tally: Tally


def shown_in(
    rows: Sequence[Row], outline: Outline, folder: Path, axis: Axis, marking: Marking
) -> Showing:
    """Find what the marks of a volume, or of a picture, say of the slices that rows speak of.

    Args:
        rows: Of one volume, each of one slice; one without a number is of slice 0.
        outline: Of the volume, seen along ``axis``.
        folder: The folder that the paths of masks start from.
        axis: The axis that the planes lie along.
        marking: How marks become labels.

    Raises:
        UnusableError: A mask that cannot be used, see ``read_mask``; an area in mm2 of pixels of
            no known size; boxes by InstanceNumber on slices that have none of their own.

    """
    masks = {
        row.mask: read_mask(
            located(replace(row, file=row.mask), folder), row.volume, outline.voxels, axis, marking
        )
        for row in rows
        if row.mask
    }
    on_slice, lost = _placed(rows[0].boxes, outline, marking, str(rows[0]))
    says = outline.voxels.affine is not None and outline.voxels.oriented
    tally = Tally(
        unplaced=sum(says and not mask.placed for mask in masks.values()),
        unnamed=Counter(value for mask in masks.values() for value in mask.unnamed),
        lost=lost,
    )
    labels: list[frozenset[str] | None] = []
    for row in rows:
        number = row.slice or 0
        boxes = on_slice.get(number, ())
        inside = [(box, area) for box in boxes if (area := box.within(outline.shape)) is not None]
        touching = _touching(masks.get(row.mask), number, inside)
        least = 0.0
        if marking.least is not None:
            least = marking.least.pixels(outline.geometries[number].pixel_mm, str(row))
        shown = row.labels.union(label for label, area in touching.items() if area >= least)
        below = touching.keys() - shown
        dropped = bool(below) and marking.below == "drop"
        labels.append(None if dropped else shown)
        tally += Tally(Counter(below), bool(below), dropped, outside=len(boxes) - len(inside))
    return Showing(tuple(labels), tally)


def _placed(
    boxes: Sequence[Box], outline: Outline, marking: Marking, origin: str
) -> tuple[Mapping[int, Sequence[Box]], int]:
    """The boxes on each slice by its number, and how many are on none."""
    places = range(len(outline.geometries))
    numbers: Mapping[int | None, int] = dict(zip(places, places, strict=True))
    if boxes and marking.counted == "instance":
        numbers = dict(zip(outline.instances, places, strict=False))
        if None in numbers or len(numbers) < len(places):
            raise UnusableError(
                "boxes are on slices by their InstanceNumber, and not each slice has one of its "
                "own",
                f"{origin} with {number_of(len(places), 'slice')}",
                "number the slices of boxes from 0, and leave --box-slices out",
            )
    found: dict[int, list[Box]] = {}
    lost = 0
    for box in boxes:
        number = 0 if box.slice is None else numbers.get(box.slice)
        if number is None:
            lost += 1
        else:
            found.setdefault(number, []).append(box)
    return found, lost


def _touching(
    mask: Mask | None, number: int, boxes: Sequence[tuple[Box, float]]
) -> dict[str, float]:
    """The labels that touch a slice, with their pixels in the mask, or in their largest box."""
    areas: dict[str, float] = dict(mask.areas[number]) if mask is not None else {}
    for box, area in boxes:
        for label in box.labels:
            areas[label] = max(area, areas.get(label, 0.0))
    return areas


def notes_of(tally: Tally, marking: Marking, names: Collection[str]) -> Iterator[str]:
    """What the user should know of how marks became labels.

    Args:
        tally: What was met.
        marking: How marks became labels.
        names: The labels that slices show.

    """
    named = (*marking.values_of(), *tally.below)
    if unseen := sorted(frozenset(named).difference(names)):
        yield f"Labels of masks or boxes that no slice shows: {', '.join(unseen)}."
    if tally.touched:
        each = ", ".join(f"{label} {count}" for label, count in sorted(tally.below.items()))
        become = (
            "left out"
            if marking.below == "drop"
            else "they do not show the finding; --below drop leaves them out"
        )
        yield (
            f"Slices that a finding touches with less than {marking.least}: {tally.touched} "
            f"({each}); {become}."
        )
    if tally.unplaced:
        yield (
            f"Masks that do not say how they lie, taken pixel for pixel as their image: "
            f"{tally.unplaced}."
        )
    if len(tally.unnamed) > 1:
        values = [f"{value} in {count}" for value, count in sorted(tally.unnamed.items())]
        more = f", and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
        yield (
            f"Values of the masks, all of which are the label {marking.rest!r}: "
            f"{', '.join(values[:SHOWN])}{more}; --mask-labels tells them apart."
        )
    if tally.lost:
        yield (
            f"Boxes on slices that their file does not have: {tally.lost}; left out. Slices count "
            "from 0."
        )
    if tally.outside:
        yield f"Boxes outside of their image: {tally.outside}; left out."


def source_of(tally: Tally) -> dict[str, object]:
    """The same for the store."""
    said: dict[str, object] = {
        "below_least_area": dict(sorted(tally.below.items())),
        "slices_left_out_below_least_area": tally.dropped,
        "boxes_on_no_slice": tally.lost,
        "boxes_outside": tally.outside,
    }
    return {name: value for name, value in said.items() if value}


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    return sum(tallies, Tally())
