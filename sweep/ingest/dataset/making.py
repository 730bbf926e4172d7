"""A dataset of the user's, made: its class imported and called."""

from collections.abc import Mapping
from typing import Any

from mrimodels import ModelError
from mrimodels.places import callable_at, is_place
from sweep.core.errors import UserError, told
from sweep.ingest.dataset.contract import Dataset, checked_dataset


def make_dataset(place: str, options: Mapping[str, Any]) -> Dataset:
    """Import what a name stands for, and call it.

    Args:
        place: ``package.module:Class``, or a function that makes a dataset.
        options: The keywords of the call.

    Raises:
        UserError: Not such a name; it cannot be imported or called, or its code fails; what comes
            of it is no dataset of items by number.

    """
    if not is_place(place):
        raise UserError(
            "the name of a dataset does not say its module and its class",
            f"{place!r}",
            "give package.module:Class",
        )
    try:
        call = callable_at(
            place, "dataset", "name the class of the dataset, or a function that makes it"
        )
    except ModelError as error:
        raise UserError(*error.args) from error
    try:
        made = call(**options)
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise UserError(
            f"the dataset {place!r} cannot be made: its code fails, called with ({given})",
            told(error),
            "correct its options, or mend it there",
        ) from error
    return checked_dataset(made)
