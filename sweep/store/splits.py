"""Assigning patients, never slices, to splits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweep.core.errors import UserError
from sweep.core.keys import digest
from sweep.store.slices import Slice


@dataclass(frozen=True)
class SplitAssigner:
    """How patients are assigned to splits where the source does not say.

    Attributes:
        shares: For each split the part of the patients that it gets; they sum to 1.
        seed: The seed; another one gives another assignment.

    Raises:
        UserError: Fewer than two splits, a share not above 0, or shares that do not sum to 1.

    """

    shares: Mapping[str, float] = field(default_factory=lambda: equal_folds(5))
    seed: int = 0

    def __post_init__(self) -> None:
        shares = self.shares.values()
        if len(shares) < 2 or min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise UserError(
                "there are fewer than 2 splits, or their shares are not above 0 with the sum 1",
                dict(self.shares),
                "correct the shares",
            )

    def to_plain(self) -> dict[str, object]:
        """As JSON can say it."""
        return {"shares": dict(self.shares), "seed": self.seed}

    def assign(self, findings: Mapping[str, frozenset[str]]) -> dict[str, str]:
        """Assign every patient to a split, stratified by what the patient shows.

        The patients of a stratum, shuffled by a hash of seed and name, take seats one after the
        other by the method of Sainte-Lague (the next seat goes to the split with the greatest
        share / (2 seats + 1)), and the next stratum goes on where the last one stopped. So every
        stratum, and the whole, are divided as the shares say to about one patient; k equal shares
        take turns. The order of ``findings`` does not matter.

        Args:
            findings: For each patient the labels seen on any of the patient's slices.

        Returns:
            The split of each patient.

        Raises:
            UserError: So few patients that a split gets none.

        """
        order = sorted(
            findings, key=lambda name: (sorted(findings[name]), digest(self.seed, "fold", name))
        )
        seats = dict.fromkeys(self.shares, 0)
        assigned = {}
        for patient in order:
            split = max(seats, key=lambda name: self.shares[name] / (2 * seats[name] + 1))
            seats[split] += 1
            assigned[patient] = split
        empty = [split for split, taken in seats.items() if not taken]
        if empty:
            raise UserError(
                "splits would have no patient",
                f"{len(findings)} patients, which leave {', '.join(map(repr, empty))} of "
                f"{len(seats)} splits empty",
                "choose fewer splits or other shares",
            )
        return assigned


def equal_folds(folds: int) -> dict[str, float]:
    """Shares of the folds '1', '2', ..., each the same.

    Raises:
        UserError: Fewer than two.

    """
    if folds < 2:
        raise UserError("there would be fewer than 2 folds", folds, "take at least 2")
    return {str(number): 1 / folds for number in range(1, folds + 1)}


def assign_splits(slices: Sequence[Slice], assigner: SplitAssigner) -> list[Slice]:
    """The slices with a split each: those with an empty one get the split of their patient.

    Raises:
        UserError: See ``SplitAssigner.assign``; or some slices have a split and others not.

    """
    open_ = [one for one in slices if not one.split]
    if not open_:
        return list(slices)
    if len(open_) < len(slices):
        raise UserError(
            "some slices come with a split and others do not",
            f"{len(open_)} of {len(slices)} slices without a split, {open_[0].origin} the first",
            "fill them in or leave the column out",
        )
    findings: dict[str, frozenset[str]] = {}
    for one in slices:
        findings[one.patient] = findings.get(one.patient, frozenset()) | one.labels
    assigned = assigner.assign(findings)
    return [replace(one, split=assigned[one.patient]) for one in slices]
