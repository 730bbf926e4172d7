"""Choosing slices by key: shuffled by a hash of each name, and spread over patients.

What is chosen depends on the seed, the purpose and the names alone, not on the order of the rows.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from sweep.core.keys import digest

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


def shuffled(items: Iterable[T], name: Callable[[T], str], seed: int, purpose: str) -> list[T]:
    """Items in the order of a hash of (seed, purpose, name).

    Args:
        items: What to shuffle.
        name: Gives the name of an item.
        seed: Key of the order.
        purpose: Part of the key: the orders of two purposes have nothing to do with each other.

    """
    return sorted(items, key=lambda item: digest(seed, purpose, name(item)))


def in_turns(groups: Sequence[Sequence[T]]) -> Iterator[T]:
    """The first item of each group, then the second of each that has one, and so on."""
    for turn in range(max(map(len, groups), default=0)):
        yield from (group[turn] for group in groups if turn < len(group))


def spread(items: Sequence[H], *traits: Mapping[H, Hashable]) -> Iterator[H]:
    """Items, each the one whose traits were met least among those before it.

    The first trait counts most; among equals the item that stands first is taken.

    Args:
        items: What to choose from, in order of preference; no item stands there twice.
        traits: A trait of each item, such as its labels or its patient.

    """
    met: list[dict[Hashable, int]] = [{} for _ in traits]
    left = list(items)

    def times_met(item: H) -> tuple[int, ...]:
        pairs = zip(met, traits, strict=True)
        return tuple(counts.get(trait[item], 0) for counts, trait in pairs)

    while left:
        item = min(left, key=times_met)
        left.remove(item)
        for counts, trait in zip(met, traits, strict=True):
            counts[trait[item]] = counts.get(trait[item], 0) + 1
        yield item
