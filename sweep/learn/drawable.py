"""Whether a store says what the draws of an artifact need, such as a slice's place in its scan."""

import dataclasses
from collections.abc import Iterable

from artifacts_sim import ArtifactError
from sweep.config.artifacts import IN_A_SWEEP, Options, artifact_of
from sweep.core.errors import UserError
from sweep.learn.inputs import names_of
from sweep.learn.signals import Rows
from sweep.store import Store


def require_drawable(
    store: Store,
    rows: Rows,
    names: Iterable[str],
    options: Options,
    scan_draws: bool = True,
    where: str = IN_A_SWEEP,
) -> None:
    """Draw each artifact that has options once, before any work is done.

    Args:
        store: The store.
        rows: (B,) the slices that are to be damaged.
        names: The artifacts.
        options: Their options by name.
        scan_draws: See ``settings.DataSettings``.
        where: What stands before a name in messages.

    Raises:
        UserError: An option needs what the store does not say of each of the slices.

    """
    least = names_of(store, rows[[store.numbers[rows].argmin()]], scan_draws)
    for name in dict.fromkeys(names):
        if name not in options:
            continue
        art = artifact_of(name, options, where)
        try:
            art.sample(knob=art.knob.physical[0], seed=0, **dataclasses.asdict(least))
        except ArtifactError as error:
            remedy = "take other options, or a store whose source numbers the slices of a scan"
            if not scan_draws and bool((store.numbers[rows] >= 0).all()):
                remedy = "take other options, or set data.scan_draws: true"
            raise UserError(
                f"{where}{name}: {error.args[0]}",
                f"{dict(options[name])} for {store.path}, data.scan_draws: {scan_draws}",
                remedy,
            ) from None
