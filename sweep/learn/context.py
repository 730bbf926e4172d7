"""Whether slices have the neighbours that ``data.context`` asks for, and which lack some."""

from sweep.core.errors import UserError
from sweep.core.text import number_of
from sweep.learn.signals import Rows
from sweep.store import Store


def require_neighbours(store: Store, rows: Rows, context: int) -> None:
    """Refuse slices none of which has a neighbour: each input would be one slice, repeated.

    Args:
        store: The store of the slices.
        rows: (B,) the slices that are classified.
        context: See ``settings.DataSettings``.

    Raises:
        UserError: Each of the slices is alone, see ``store.neighbours``.

    """
    if context and not store.neighbours.others(rows, context).any():
        raise UserError(
            "an input is a slice and its neighbours in the scan, and no slice has a neighbour",
            f"data.context: {context}, and {number_of(len(rows), 'slice')} of {store.path}, each "
            "alone in its scan or without a number in it",
            "ingest whole volumes (`mrisweep ingest volumes`, `dicom`, `fastmri`), or take what "
            "was trained with data.context: 0",
        )


def about_neighbours(store: Store, rows: Rows, context: int) -> str | None:
    """What is to be said of slices that have no neighbour; None where each has one."""
    if not context:
        return None
    alone = int((~store.neighbours.others(rows, context).any(axis=1)).sum())
    if not alone:
        return None
    return (
        f"{alone} of {number_of(len(rows), 'slice')} have no slice of their scan beside them, and "
        f"stand themselves where data.context: {context} asks for its neighbours"
    )
