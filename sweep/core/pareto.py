"""Two objectives at once: which points no other beats in both, and how much they cover together.

Of both objectives more is better. A point *dominates* another if it is at least as good in both and
better in one; so equal points never dominate each other, and share a rank. A point with a missing
value is outside all of this: it has no rank, dominates nothing and covers nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from sweep.core.records import is_missing

Point = tuple[float, ...]  # the values of the two objectives


def ranks(points: Sequence[Point]) -> list[int | None]:
    """The non-dominated rank of each point, whatever their order.

    Rank 0 is the Pareto front, which no point dominates; rank 1 is the front of the rest, and so on
    (Goldberg 1989; in two dimensions one sorted pass does: Jensen 2003, doi
    10.1109/TEVC.2003.817234).

    Args:
        points: (N,) pairs.

    Returns:
        (N,) None for a point with a missing value.

    """
    lowered: list[float] = []  # of each front so far the greatest second value, negated: ascending
    found: dict[Point, int] = {}
    for point in sorted(_whole(points), reverse=True):
        # Those before it are at least as good in the first, so one as good in the second dominates.
        rank = bisect_right(lowered, -point[1])
        found[point] = rank
        lowered[rank : rank + 1] = [-point[1]]
    return [found.get(point) for point in points]


def hypervolume(points: Iterable[Point]) -> float:
    """The area that the points dominate above (0, 0): of scores from 0 to 1, a share of the square.

    A model of chance, with .5 in both, has .25, and a perfect one 1. A point that is not above 0 in
    both covers nothing (Zitzler and Thiele 1998, doi 10.1007/BFb0056872).
    """
    area = height = 0.0
    for first, second in sorted(_whole(points), reverse=True):
        if first > 0 and second > height:
            area += first * (second - height)
            height = second
    return area


def ahead(others: Iterable[Point], mine: Point) -> int:
    """How many of the others are of a better rank than mine, all ranked together.

    Those of one front are equals, and none of them is ahead of another.
    """
    mine_rank, *theirs = ranks([mine, *others])
    if mine_rank is None:
        return 0
    return sum(rank is not None and rank < mine_rank for rank in theirs)


def best(points: Sequence[Point], count: int) -> list[int]:
    """The places of the best points, so many of them, none with a missing value.

    Front after front; within one, each time the point that makes the hypervolume of those taken of
    it grow most, of equals the first. So the few that are taken of a front are spread over it. (The
    greedy choice is within 1 - 1/e of the best one: Guerreiro et al. 2016, doi
    10.1162/EVCO_a_00188.)

    Returns:
        Best first.

    """
    fronts: dict[int, list[int]] = {}
    for place, rank in enumerate(ranks(points)):
        if rank is not None:
            fronts.setdefault(rank, []).append(place)
    taken: list[int] = []
    for rank in sorted(fronts):
        front, of_front = fronts[rank], list[Point]()
        while front and len(taken) < count:
            most = max(front, key=lambda place: hypervolume([*of_front, points[place]]))
            front.remove(most)
            of_front.append(points[most])
            taken.append(most)
    return taken


def _whole(points: Iterable[Point]) -> set[Point]:
    return {point for point in points if not any(map(is_missing, point))}
