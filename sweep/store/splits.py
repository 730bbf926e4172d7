"""Assigning patients, never slices, to splits."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sweep.core.errors import UserError, refuse, within
from sweep.core.keys import digest
from sweep.core.text import number_of
from sweep.store.slices import Slice


@dataclass(frozen=True)
class SplitAssigner:
    """How patients are assigned to splits where the source does not say.

    Attributes:
        shares: For each split the part of the patients that it gets; they sum to 1.
        seed: The seed; another one gives another assignment.
        by: A column, such as ``site``, of which each value has splits of its own, ``A-1``; empty =
            none has. With a single share a value is a split, ``A``.

    Raises:
        UserError: Fewer than two splits without ``by``, a share not above 0, or shares that do not
            sum to 1.

    """

    shares: Mapping[str, float] = field(default_factory=lambda: equal_folds(5))
    seed: int = 0
    by: str = ""

    def __post_init__(self) -> None:
        shares, least = self.shares.values(), 1 if self.by else 2
        whole = math.isclose(sum(shares), 1, abs_tol=1e-6)
        if len(shares) < least or min(shares) <= 0 or not whole:
            raise UserError(
                f"there are fewer than {number_of(least, 'split')}, or their shares are not above "
                "0 with the sum 1",
                dict(self.shares),
                "correct the shares",
            )

    def to_plain(self) -> dict[str, object]:
        """As JSON can say it."""
        by = {"by": self.by} if self.by else {}
        return {"shares": dict(self.shares), "seed": self.seed, **by}

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
                f"{number_of(len(findings), 'patient')}, which leave "
                f"{', '.join(map(repr, empty))} of {len(seats)} splits empty",
                "choose fewer splits or other shares",
            )
        return assigned


def equal_folds(folds: int, least: int = 2) -> dict[str, float]:
    """Shares of the folds '1', '2', ..., each the same.

    Raises:
        UserError: Fewer than ``least``.

    """
    if folds < least:
        raise UserError(
            f"there would be fewer than {number_of(least, 'fold')}",
            folds,
            f"take at least {least}",
        )
    return {str(number): 1 / folds for number in range(1, folds + 1)}


def assign_splits(slices: Sequence[Slice], assigner: SplitAssigner) -> list[Slice]:
    """The slices with a split each: those with an empty one get the split of their patient.

    Raises:
        UserError: See ``SplitAssigner.assign``; some slices have a split and others not; or, of an
            assignment by a column, slices have a split already, no value in it, or a patient's
            slices have several.

    """
    open_ = [one for one in slices if not one.split]
    if assigner.by and len(open_) < len(slices):
        raise UserError(
            "the splits are given, and are to be assigned by a column as well",
            f"a split of {len(slices) - len(open_)} slices, and the column {assigner.by!r}",
            "leave out the splits (those of a manifest by --ignore-splits), or the column",
        )
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
    assigned = (
        _assigned_by(slices, findings, assigner) if assigner.by else assigner.assign(findings)
    )
    return [replace(one, split=assigned[one.patient]) for one in slices]


def _assigned_by(
    slices: Sequence[Slice], findings: Mapping[str, frozenset[str]], assigner: SplitAssigner
) -> dict[str, str]:
    """The split of each patient, where each value of a column has splits of its own."""
    values: dict[str, set[str]] = {}
    for one in slices:
        values.setdefault(one.patient, set()).add(one.columns.get(assigner.by, ""))
    refuse(
        f"slices have nothing in the column {assigner.by!r}, by which they are to be split",
        [one.origin for one in slices if not one.columns.get(assigner.by)],
        "fill it in, or leave --split-by out",
    )
    refuse(
        f"patients have several values in the column {assigner.by!r}, by which they are to be "
        "split, and would lie in several splits",
        [f"{patient!r} ({', '.join(sorted(v))})" for patient, v in values.items() if len(v) > 1],
        "give each patient one, or leave --split-by out",
    )
    assigned: dict[str, str] = {}
    for value in sorted(set().union(*values.values())):
        own = {patient: findings[patient] for patient in findings if values[patient] == {value}}
        if len(assigner.shares) == 1:
            assigned |= dict.fromkeys(own, value)
            continue
        with _within(value, assigner.by):
            dealt = assigner.assign(own)
        assigned |= {patient: f"{value}-{split}" for patient, split in dealt.items()}
    return assigned


@contextmanager
def _within(value: str, column: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise within(f"of {column} {value!r}", error) from error
