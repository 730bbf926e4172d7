"""Choices by key: whatever the order of the items, and spread over what they have in common."""

from itertools import islice

from sweep.core.choice import in_turns, shuffled, spread

NAMES = [f"p{number}" for number in range(30)]


def test_the_order_is_that_of_the_key_whatever_order_the_names_came_in() -> None:
    order = shuffled(NAMES, str, 1, "sheet")
    assert order == shuffled(NAMES[::-1], str, 1, "sheet")
    assert sorted(order) == sorted(NAMES)
    assert order != shuffled(NAMES, str, 2, "sheet")
    assert order != shuffled(NAMES, str, 1, "preview")


def test_leaving_names_out_keeps_the_order_of_the_rest() -> None:
    rest = NAMES[::3]
    order = shuffled(NAMES, str, 0, "slice")
    assert shuffled(rest, str, 0, "slice") == [name for name in order if name in rest]


def test_groups_take_turns() -> None:
    assert list(in_turns(["abc", "d", "ef"])) == list("adebfc")
    assert not list(in_turns([]))


def test_the_first_trait_is_spread_first_and_ties_go_to_the_first_item() -> None:
    label = {0: "a", 1: "a", 2: "a", 3: "b"}
    patient = {0: "x", 1: "x", 2: "y", 3: "x"}
    assert list(spread([0, 1, 2, 3], label, patient)) == [0, 3, 2, 1]


def test_no_item_is_taken_twice_and_none_is_lost() -> None:
    items = list(range(20))
    taken = list(spread(items, {item: item % 3 for item in items}))
    assert sorted(taken) == items
    assert sorted(item % 3 for item in islice(taken, 6)) == [0, 0, 1, 1, 2, 2]
