"""The trials of a sweep that failed: what happened to each, and whether it is tried again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sweep.core.failures import AGAIN
from sweep.core.mirrors import named
from sweep.core.states import FAILED, state_of
from sweep.core.text import number_of
from sweep.results.summary import Summary


@dataclass(frozen=True)
class FailedTrial:
    """One of them.

    Attributes:
        trial: Its name.
        norm: Its norm.
        params: Its searched values.
        epochs: How many it had reported.
        kind: What happened, see ``sweep.core.failures``, or ``diverged``; of a record of an earlier
            version, which says no more, ``failed``.
        reason: In one sentence.
        again: Whether the next ``resume`` tries it again.
        folder: The folder of its sweep.

    """

    trial: str
    norm: str
    params: dict[str, Any]
    epochs: int
    kind: str
    reason: str
    again: bool
    folder: str

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def failed_trials(sweep: Summary) -> list[FailedTrial]:
    """Those of one sweep, by number."""
    return [
        FailedTrial(
            trial=one.trial,
            norm=one.norm,
            params=one.params,
            epochs=sweep.last_reported(one.trial),
            kind=one.failure or state_of(one),
            reason=one.error or "",
            again=one.failure in AGAIN,
            folder=named(str(sweep.path)),
        )
        for one in sweep.trials
        if one.status == FAILED
    ]


def failed_text(failed: Sequence[FailedTrial], of: int) -> str:
    """Two lines for each: what it was, and what happened; then how many trials that is.

    Args:
        failed: At least one.
        of: How many trials there are.

    """
    lines = []
    for one in failed:
        params = ", ".join(f"{name}={value}" for name, value in one.params.items())
        epochs = number_of(one.epochs, "epoch")
        again = "; `mrisweep resume` tries it again" if one.again else ""
        lines += [
            f"{one.trial}  {one.norm}  {one.kind}  after {epochs}  ({params})",
            f"    {one.reason}{again}",
        ]
    return "\n".join([*lines, "", f"{len(failed)} of {number_of(of, 'trial')} failed"])
