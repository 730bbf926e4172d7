"""What a dataset has to be, and what a store says of it."""

import json
from collections.abc import Mapping
from typing import Any, Protocol, cast

from sweep.core.errors import UserError, told

KIND = "dataset"


class Dataset(Protocol):
    """What a dataset has to be: a map-style dataset of torch, or anything like it."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, index: int) -> object:
        """An item, see ``sweep.ingest.dataset.items``."""
        ...


def checked_dataset(made: object) -> Dataset:
    """The same object, which has items and a number of them.

    Raises:
        UserError: It has not.

    """
    streams = any(base.__name__ == "IterableDataset" for base in type(made).__mro__)
    if streams or not (hasattr(made, "__len__") and hasattr(made, "__getitem__")):
        raise UserError(
            "the dataset does not give items by number, as a map-style dataset of torch does",
            f"{name_of(made)}, {'an IterableDataset' if streams else 'without a length or items'}",
            "give it __len__ and __getitem__",
        )
    return cast("Dataset", made)


def name_of(dataset: object) -> str:
    """The place of an object's class."""
    kind = type(dataset)
    return f"{kind.__module__}:{kind.__qualname__}"


def source_of(place: str, options: Mapping[str, Any]) -> dict[str, object]:
    """What a store says of the dataset that it is made of, as it is read back from JSON.

    Raises:
        UserError: An option that JSON cannot say, so that no store could tell it from another.

    """
    try:
        kept = json.loads(json.dumps(dict(options), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(
            "the options of the dataset are not texts, numbers, lists and mappings of these",
            f"{dict(options)!r} ({told(error)})",
            "give plain values, and make of them in the dataset's own code what it needs",
        ) from error
    return {"kind": KIND, "dataset": place, "options": kept}
