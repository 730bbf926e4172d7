"""Datasets as users write them: of torch, of plain Python, and some that go wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

PLACE = "tests.support.datasets"


def item(number: int, /, **changes: Any) -> dict[str, Any]:
    """An item of a dataset, of the patient ``number // 2``."""
    image = np.random.default_rng(number).integers(0, 256, (8, 6), dtype=np.uint8)
    patient = f"p{number // 2}"
    return {
        "image": image,
        "labels": [("cyst", "tear")[number % 2]],
        "patient": patient,
        "key": f"{patient}/{number}.png",
        **changes,
    }


def without(name: str, number: int = 0) -> dict[str, Any]:
    return {key: value for key, value in item(number).items() if key != name}


class Items:
    """A dataset of these items; an exception is raised, a function called."""

    def __init__(self, *items: Any, **attributes: Any) -> None:
        self.items = items
        self.asked: list[int] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        self.asked.append(index)
        if isinstance(self.items[index], BaseException):
            raise self.items[index]
        return self.items[index]() if callable(self.items[index]) else self.items[index]


class Pictures(Items):
    """Twelve items of six patients, as a class that is called with options."""

    def __init__(self, items: int = 12, site: str = "A", broken: Sequence[int] = ()) -> None:
        made = [item(number, site=site) for number in range(items)]
        super().__init__(
            *(OSError("no disk\nat all") if n in broken else made[n] for n in range(items))
        )


class Described(Pictures):
    """The same, which tells all but the image without reading it."""

    def describe(self, index: int) -> dict[str, Any]:
        made = item(index, site="A")
        return {**made, "shape": made.pop("image").shape}


class Large(Pictures):
    """The same, 32 x 24, as a network can take them."""

    def __getitem__(self, index: int) -> Any:
        made = super().__getitem__(index)
        return {**made, "image": np.kron(made["image"], np.ones((4, 4)))}


def stopped() -> Items:
    """A dataset during which the user presses Ctrl-C."""
    return Items(item(0), KeyboardInterrupt())


class Unpicklable(Pictures):
    def __init__(self) -> None:
        super().__init__()
        self.opened = lambda: None


class Nameless:
    """What has no items."""


class Stream:
    """What gives items in its own order alone."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Unsized(Items):
    def __len__(self) -> int:
        raise RuntimeError("not\nknown")


NOTHING = "a text"
