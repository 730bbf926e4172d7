"""Where a sweep's folder lies: one that was moved stays the sweep, a copy is a sweep of its own.

A tracker finds a sweep's runs by its id. Two folders with one id would write into the same runs, an
epoch of the one after an epoch of the other.
"""

import dataclasses
import uuid

from sweep.core.errors import UserError, WorkError
from sweep.remote import places
from sweep.results.callbacks import Say
from sweep.results.folder import Identity, SweepFolder
from sweep.results.sweep_file import MARK


def take_place(folder: SweepFolder, say: Say) -> None:
    """Note where the folder lies; a copy, whose original is still there, gets an id of its own.

    For who alone drives the sweep. A copy that another machine cannot know as one, as its original
    is not there, counts as moved.

    Args:
        folder: The folder of the sweep.
        say: Told of a copy.

    Raises:
        UserError: It lies where no record can say that it does.

    """
    known, here = folder.identity, folder.place
    if known.place == here:
        return
    if known.place is not None and _is_another(known.place, folder):
        known = dataclasses.replace(known, sweep_id=uuid.uuid4().hex)
        say(
            f"note: {here} is a copy of the sweep in {folder.identity.place}; it goes on as a "
            "sweep of its own, with runs of its own in MLflow"
        )
    folder.write_identity(dataclasses.replace(known, place=here))


def _is_another(place: str, folder: SweepFolder) -> bool:
    """Whether the same sweep lies at a place, too, which is not this folder by another path."""
    try:
        there = SweepFolder(places.to_drive(place, MARK))
        known: Identity = there.identity
        same = there.path.samefile(folder.path)
    except (OSError, ValueError, TypeError, UserError, WorkError):
        return False
    return known.sweep_id == folder.identity.sweep_id and not same
