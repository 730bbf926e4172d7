"""Where a trial or a sweep stands: the words that every table, line and file has for it.

What a record keeps is ``sweep.core.records.Status``, which is of a trial by itself. Whether one
that has not ended runs, waits or was interrupted is told by who drives its sweep.
"""

from sweep.core.records import TrialRecord, diverged

RUNNING = "running"  # at work
WAITING = "waiting"  # has come to where trials wait for others
INTERRUPTED = "interrupted"  # has not ended, and no process drives it
FINISHED = "finished"  # came to its end
PRUNED = "pruned"  # was stopped early, as others were better
FAILED = "failed"  # something went wrong
DIVERGED = "diverged"  # its objective was never finite
FINISHING = "finishing"  # of a sweep: its trials have ended, and what follows them is at work

UNDER_WAY = (RUNNING, WAITING, INTERRUPTED)  # of a trial that has not ended
OF_TRIALS = (*UNDER_WAY, FINISHED, PRUNED, FAILED, DIVERGED)


def state_of(record: TrialRecord, driven: bool | None = True, waits: bool = False) -> str:
    """Where a trial stands, one of ``OF_TRIALS``.

    Args:
        record: As it was kept last.
        driven: Whether a process drives its sweep; None: nobody can tell.
        waits: Whether it has come to where trials wait for others.

    """
    if record.status != RUNNING:
        return DIVERGED if diverged(record) else record.status
    if driven is False:
        return INTERRUPTED
    return WAITING if waits else RUNNING
