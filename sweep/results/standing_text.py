"""Where a sweep stands, in words: some lines for a terminal, one line for a log."""

from collections.abc import Iterator, Sequence

from sweep.core.objective import terms, value_of
from sweep.core.records import TrialRecord, is_missing, is_screened, scores_in
from sweep.core.text import MISSING, clock, number_of, table
from sweep.results.standing import ENDED, FINISHING, RUNNING, Standing, UnderWay
from sweep.results.trial_files import Entry

LEAST_ROWS = 3  # of trials under way, however low a terminal is


def lines(standing: Standing, height: int | None = None) -> list[str]:
    """Some lines: how far it is, the best trial, those under way, the last failure, remarks.

    Args:
        standing: Where it stands.
        height: Lines that there is room for; None: any number. Trials under way are left out first.

    """
    best, failed = standing.best, standing.failed
    head = [
        f"{standing.name}  {standing.place}",
        f"state     {state_text(standing)}",
        f"trials    {_counts(standing)}",
        f"pace      {_pace(standing)}",
    ]
    if standing.finalists:
        head.append("finalists {} of {} trained".format(*standing.finalists))
    if best is not None:
        head.append(f"best      {_scored(best, standing)} at epoch {best.best_epoch}")
    if failed is not None:
        head.append(f"failed    {failed.trial} ({failed.norm}): {failed.error}")
    foot = [f"note      {note}" for note in standing.notes]
    room = None if height is None else max(LEAST_ROWS, height - len(head) - len(foot) - 4)
    return [*head, *_under_way(standing, room), *foot]


def line(standing: Standing) -> str:
    """One line: the state, how many trials have ended, the time left, the best so far."""
    parts = [_counts(standing)]
    if standing.seconds_left is not None:
        parts.append(f"about {clock(standing.seconds_left)} left")
    if standing.best is not None:
        parts.append(f"best {_scored(standing.best, standing)}")
    return f"{state_text(standing)}  |  {', '.join(parts)}"


def ended_line(entry: Entry, standing: Standing) -> str:
    """One line of a trial that has ended."""
    record = entry.record
    head = f"{record.trial} {record.norm:<8} {record.status:<8}"
    if record.best_epoch is None:
        return f"{head} {record.error}"
    epochs = number_of(entry.last_epoch or 0, "epoch")
    how = "screened " if is_screened(record.metrics) else ""
    value = value_of(scores_in(record.metrics), standing.objective)
    return f"{head} {epochs:>9}, {how}{_named(standing)} {value:.3f}"


def state_text(standing: Standing) -> str:
    """What is going on, and where nothing is, how to go on."""
    if standing.state == ENDED:
        return f"ended; its table: mrisweep best {standing.place}"
    if standing.driven is False:
        return f"no process drives it; to go on: mrisweep resume {standing.place}"
    if standing.state == FINISHING:
        return "all trials have ended; what follows them is under way"
    unsure = ", if a process drives it, which cannot be told from here"
    return RUNNING + ("" if standing.driven else unsure)


def _counts(standing: Standing) -> str:
    ended = sum(standing.ended.values())
    by_status = ", ".join(f"{count} {status}" for status, count in standing.ended.items())
    running = sum(not one.waits for one in standing.under_way)
    waiting = len(standing.under_way) - running
    return (
        f"{ended} of {standing.total} ended{f' ({by_status})' if ended else ''}, {running} "
        f"{'running' if standing.driven is not False else 'under way'}"
        f"{f', {waiting} waiting' if waiting else ''}"
    )


def _pace(standing: Standing) -> str:
    parts = [number_of(standing.epochs, "epoch")]
    if pace := standing.epochs_an_hour:
        parts[0] += f" in {clock(standing.seconds)}"
        parts.append(f"{pace:.3g} an hour")
    if standing.seconds_left is not None:
        parts.append(f"about {clock(standing.seconds_left)} left")
    if standing.silent_s is not None and standing.state != ENDED:
        parts.append(f"the latest {clock(standing.silent_s)} ago")
    return ", ".join(parts)


def _under_way(standing: Standing, room: int | None) -> Iterator[str]:
    rows = standing.under_way
    if not rows:
        return
    shown = rows if room is None or len(rows) <= room else rows[: room - 1]
    header = ["trial", "norm", "epoch", _named(standing)]
    yield ""
    yield from (f"  {row}" for row in table([header, *map(_cells, shown)], left=(0, 1)))
    if len(shown) < len(rows):
        yield f"  and {len(rows) - len(shown)} more"
    yield ""


def _cells(row: UnderWay) -> Sequence[str]:
    value = MISSING if row.value is None else f"{row.value:.3f}"
    how = " waits" if row.waits else ""
    screened = " screened" if row.screened else ""
    return row.trial, row.norm, f"{row.epoch}/{row.epochs}{how}", value + screened


def _scored(record: TrialRecord, standing: Standing) -> str:
    value = value_of(record.metrics, standing.objective)
    shown = MISSING if is_missing(value) else f"{value:.3f}"
    return f"{record.trial} ({record.norm}) {_named(standing)} {shown}"


def _named(standing: Standing) -> str:
    """A sum of metrics is long."""
    return standing.objective if len(terms(standing.objective)) == 1 else "objective"
