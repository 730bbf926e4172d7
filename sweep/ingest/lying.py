"""In which anatomical planes the volumes of a store lie, and whether that gives a label away."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.store.geometry import Geometry
from sweep.store.slices import Slice

PLANES = ("sagittal", "coronal", "axial")  # by the axis nearest to their normal: x, y, z
TELLS = 0.5  # difference between shares of planes from which on they tell a label
FEWEST = 2  # volumes in a plane from which on its share counts


@dataclass(frozen=True)
class Lying:
    """How the volumes of a store lie.

    Attributes:
        counts: Volumes in each plane; of those whose file says it.
        shares: For each label that the plane tells, the share of the volumes with it in each plane.

    """

    counts: Mapping[str, int]
    shares: Mapping[str, Mapping[str, float]]

    @property
    def mixed(self) -> bool:
        """Whether they lie in several planes."""
        return len(self.counts) > 1

    def notes(self) -> Iterator[str]:
        """What the user should know, if they lie in several planes."""
        if not self.mixed:
            return
        planes = ", ".join(f"{count} {plane}" for plane, count in self.counts.items())
        yield f"Volumes lie in different planes: {planes}. --axis takes all along one."
        for label, shares in self.shares.items():
            each = ", ".join(f"{share:.0%} of {plane}" for plane, share in shares.items())
            yield (
                f"The label {label!r} can be told from the plane of its volume: it is that of "
                f"{each} ones. A model learns that shortcut."
            )


def lying_of(volumes: Iterable[tuple[Geometry, Sequence[Slice]]]) -> Lying:
    """How volumes lie, of the geometry of each and its slices."""
    placed = [
        (plane, frozenset[str]().union(*(one.labels for one in slices)))
        for geometry, slices in volumes
        if (plane := plane_of(geometry)) is not None
    ]
    counts = Counter(plane for plane, _ in placed)
    compared = [plane for plane, count in counts.items() if count >= FEWEST]
    shares = {}
    for label in sorted(frozenset[str]().union(*(labels for _, labels in placed))):
        having = Counter(plane for plane, labels in placed if label in labels)
        each = {plane: having[plane] / counts[plane] for plane in compared}
        if len(each) > 1 and max(each.values()) - min(each.values()) >= TELLS:
            shares[label] = each
    return Lying(dict(counts.most_common()), shares)


def plane_of(geometry: Geometry) -> str | None:
    """The anatomical plane nearest to that of a slice; None = it is not known."""
    if geometry.orientation is None:
        return None
    along, down = geometry.orientation
    return PLANES[int(np.abs(np.cross(along, down)).argmax())]
