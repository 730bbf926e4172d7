"""Whether slices are one stack, what tells them apart where they are not, and their order."""

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UnusableError
from sweep.core.text import number_of, shortened
from sweep.ingest.formats.dicom.choice import is_value
from sweep.ingest.formats.dicom.facts import differing
from sweep.ingest.formats.dicom.frames import Frame
from sweep.ingest.formats.dicom.header import Header
from sweep.store.geometry import Direction

SHOWN = 4
LONGEST = 60  # characters of a value that is shown
PARALLEL = 1e-3  # difference of a direction's parts up to which two directions count as one
APART_MM = 1e-3  # slices that are less far apart lie at one place
TRIED = 12  # keywords of which two or three together may choose a stack


@dataclass(frozen=True, eq=False)
class Placed:
    """A frame and the file that it is in."""

    header: Header
    frame: Frame


def is_one(slices: Sequence[Placed]) -> bool:
    """Whether slices are one stack, see ``check_one``."""
    return _laws(slices).hold(range(len(slices)))


def check_one(slices: Sequence[Placed], path: Path) -> None:
    """Refuse slices that are no single stack, with what tells them apart and how to take one.

    Args:
        slices: With all that may tell them apart among the facts of their frames.
        path: The file or folder.

    Raises:
        UnusableError: Several patients, series, matrix sizes or image orientations; slices with and
            without a position; several slices at one place or, where places are unknown, under one
            number.

    """
    facts = [one.frame.facts for one in slices]
    laws = _laws(slices)
    for what, names in laws.parts.items():
        if len(set(names)) > 1:
            shown = ", ".join(repr(name) for name in sorted(set(names))[:SHOWN])
            more = ", ..." if len(set(names)) > SHOWN else ""
            raise UnusableError(
                "the volume is not one series of one patient, size and orientation",
                f"{path} with {len(set(names))} {what}: {shown}{more}{_differences(facts)}",
                _remedy(facts, laws, path),
            )
    if laws.places is None:
        return
    place, count = Counter(laws.places).most_common(1)[0]
    if count > 1:
        there = [one for one, its in zip(slices, laws.places, strict=True) if its == place]
        facts_there = [one.frame.facts for one in there]
        same = _differences(facts_there) or ", and nothing tells them apart, as copies"
        names = ", ".join(sorted({one.header.path.name for one in there})[:SHOWN])
        raise UnusableError(
            "several slices lie at one place, so the volume is no single stack",
            f"{path} with {number_of(len(slices), 'slice')} at "
            f"{number_of(len(set(laws.places)), 'place')}; {count} lie at one ({names}){same}",
            _remedy(facts, laws, path),
        )


def in_order(slices: Sequence[Placed]) -> list[Placed]:
    """Along the normal, if every place is known, else by number, else by name."""
    places = _places_mm(slices)
    if places is not None:
        order = sorted(range(len(slices)), key=lambda number: places[number])
        return [slices[number] for number in order]
    if all(one.header.instance is not None for one in slices):
        return sorted(slices, key=lambda one: (one.header.instance or 0, one.frame.index))
    return sorted(slices, key=lambda one: (_natural(one.header.path.name), one.frame.index))


def shown_values(values: Collection[str]) -> str:
    """The first of some values, sorted; an empty one is unknown."""
    texts = sorted(values, key=_by_number)
    shown = ", ".join(shortened(text, LONGEST) or "(none)" for text in texts[:SHOWN])
    return f"{shown}, ..." if len(texts) > SHOWN else shown


@dataclass(frozen=True)
class _Laws:
    """What must be the same for all slices, and what must differ.

    Attributes:
        parts: For each law the group of every slice; there must be one group.
        places: The place of every slice, each another; None = unknown.

    """

    parts: Mapping[str, Sequence[str]]
    places: Sequence[Hashable] | None

    def hold(self, numbers: Collection[int]) -> bool:
        """Whether they hold among some slices."""
        if any(len({names[number] for number in numbers}) > 1 for names in self.parts.values()):
            return False
        places = self.places
        return places is None or len({places[number] for number in numbers}) == len(numbers)


def _laws(slices: Sequence[Placed]) -> _Laws:
    parts = {
        "patients": [one.header.patient for one in slices],
        "series": [one.header.series for one in slices],
        "matrix sizes": [f"{one.header.shape[0]} x {one.header.shape[1]}" for one in slices],
        "kinds of slices": [_kind(one.frame) for one in slices],
        "image orientations": _orientations(one.frame.orientation for one in slices),
    }
    places = _places(slices)
    apart = parts["image orientations"]
    return _Laws(parts, None if places is None else list(zip(apart, places, strict=True)))


def _kind(frame: Frame) -> str:
    placed = frame.position is not None and frame.orientation is not None
    return "with a position" if placed else "without a position"


def _places(slices: Sequence[Placed]) -> list[Hashable] | None:
    places = _places_mm(slices)
    if places is not None:
        order = np.argsort(places, kind="stable")
        group = np.empty(len(places), int)
        group[order] = np.cumsum(np.diff(np.array(places)[order], prepend=-np.inf) > APART_MM)
        return [int(number) for number in group]
    if all(one.header.instance is not None for one in slices):
        return [(one.header.instance, one.frame.index, one.frame.corner) for one in slices]
    return None


def _places_mm(slices: Sequence[Placed]) -> list[float] | None:
    """Along the normal, (direction of a row) x (direction of a column), of the first like it."""
    known = [one.frame.position for one in slices if one.frame.orientation]
    positions = [position for position in known if position is not None]
    if len(positions) < len(slices):
        return None
    names = _orientations(one.frame.orientation for one in slices)
    normals: dict[str, NDArray[np.float64]] = {}
    for name, one in zip(names, slices, strict=True):
        along, down = one.frame.orientation or ((0, 0, 0), (0, 0, 0))
        normals.setdefault(name, np.cross(along, down))
    return [
        float(np.array(position) @ normals[name])
        for name, position in zip(names, positions, strict=True)
    ]


def _orientations(orientations: Iterable[tuple[Direction, Direction] | None]) -> list[str]:
    """For each the first that is like it; one that is unknown is like the first of all."""
    known: list[tuple[Direction, Direction]] = []
    found = []
    for one in orientations:
        like = (k for k in known if one and np.allclose(one, k, rtol=0, atol=PARALLEL))
        first = next(like, None)
        if one and first is None:
            known.append(one)
        found.append(first or one)
    texts = ["\\".join(f"{part:.3f}" for d in one for part in d) if one else "" for one in found]
    default = next((text for text in texts if text), "")
    return [text or default for text in texts]


def _differences(facts: Sequence[Mapping[str, str]]) -> str:
    parts = [
        f"{name} {shown_values({one.get(name, '') for one in facts})}"
        for name in differing(facts)[:SHOWN]
    ]
    return f", which differ in {'; '.join(parts)}" if parts else ""


def _remedy(facts: Sequence[Mapping[str, str]], laws: _Laws, path: Path) -> str:
    other = "put each in a folder of its own" if path.is_dir() else "split the file"
    chosen = _choosing(facts, laws)
    return f"take one, such as by `--take {chosen}`, or {other}" if chosen else other


def _choosing(facts: Sequence[Mapping[str, str]], laws: _Laws) -> str:
    """The fewest keywords, with values, that take the most slices of one stack; or nothing."""
    wishes = [_wish(name, facts) for name in differing(facts)]
    taken = {
        wish: frozenset(n for n, one in enumerate(facts) if is_value(one.get(wish[0], ""), wish[1]))
        for wish in wishes[:TRIED]
        if wish[1]
    }
    for count in (1, 2, 3):
        found = [
            (wish, numbers)
            for wish in combinations(taken, count)
            if laws.hold(numbers := frozenset.intersection(*(taken[one] for one in wish)))
            and numbers
        ]
        if found:
            best, _ = max(found, key=lambda one: len(one[1]))
            return " ".join(_quoted(f"{name}={value}") for name, value in best)
    return ""


def _wish(name: str, facts: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """A value of an attribute to take: that of most slices, and of it a part that others lack."""
    values = Counter(text for one in facts if (text := one.get(name, "")))
    if not values:
        return name, ""
    value = min(values, key=lambda text: (-values[text], _by_number(text)))
    others = {part for text in values if text != value for part in text.split("\\")}
    own = [part for part in value.split("\\") if part not in others]
    return name, own[0] if own else value


def _quoted(text: str) -> str:
    return f"'{text}'" if re.search(r"[\s\\*?\[\](){}<>|&;$'\"]", text) else text


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders 'IM2' before 'IM10'."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"(\D*)(\d*)", name)]
