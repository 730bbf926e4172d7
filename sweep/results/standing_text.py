"""Where a sweep stands, in words: some lines for a terminal, one line for a log."""

from collections.abc import Iterator, Sequence

from sweep.core.objective import short_name, value_of
from sweep.core.records import TrialRecord, is_missing, is_screened, scores_in
from sweep.core.states import FINISHED, FINISHING, INTERRUPTED, RUNNING, UNDER_WAY, state_of
from sweep.core.text import MISSING, clock, fitted, number_of, table, wrapped
from sweep.results.standing import Standing, UnderWay
from sweep.results.trial_files import Entry

LEAST_ROWS = 3  # of trials under way, however low a terminal is


def lines(standing: Standing, height: int | None = None, width: int | None = None) -> list[str]:
    """Some lines: how far it is, the best trial, those under way, the last failure, remarks.

    Args:
        standing: Where it stands.
        height: Lines that there is room for; None: any number. Trials under way are left out first.
        width: Characters in a line; None: any number. A command is never broken.

    """
    best, failed = standing.best, standing.failed
    head = [
        f"{standing.name}  {standing.place}",
        f"state     {_state(standing)}",
        *(f"{word:<9} {command}" for word, _, command in _next(standing)),
        f"trials    {_counts(standing)}",
        f"pace      {_pace(standing)}",
    ]
    if standing.finalists:
        head.append("finalists {} of {} trained".format(*standing.finalists))
    if best is not None:
        head.append(f"best      {_scored(best, standing)} at epoch {best.best_epoch}")
    if failed is not None:
        head.append(f"failed    {failed.trial} ({failed.norm}): {failed.error}")
    head = [*head[:1], *_wrapped(head[1:], width)]
    foot = _wrapped([f"note      {note}" for note in standing.notes], width)
    room = None if height is None else max(LEAST_ROWS, height - len(head) - len(foot) - 4)
    return [*head, *_under_way(standing, room, width), *foot]


def _wrapped(said: Sequence[str], width: int | None) -> list[str]:
    """Lines that begin with a word of ten characters, in as many as they need."""
    return [
        part
        for one in said
        for part in ([one] if "mrisweep " in one else wrapped(one, width, " " * 10).split("\n"))
    ]


def line(standing: Standing) -> str:
    """One line: the state, how many trials have ended, the time left, the best so far."""
    parts = [_counts(standing)]
    if standing.seconds_left is not None:
        parts.append(f"about {clock(standing.seconds_left)} left")
    if standing.best is not None:
        best = standing.best
        parts.append(f"best {_scored(best, standing)} at epoch {best.best_epoch}")
    return f"{state_text(standing)}  |  {', '.join(parts)}"


def ended_line(entry: Entry, standing: Standing) -> str:
    """One line of a trial that has ended."""
    record = entry.record
    head = f"{record.trial} {record.norm:<8} {state_of(record):<8}"
    if record.best_epoch is None:
        return f"{head} {record.error}"
    epochs = number_of(entry.last_epoch or 0, "epoch")
    return f"{head} {epochs:>9}, best {score_text(record, standing.objective)}"


def score_text(record: TrialRecord, objective: str) -> str:
    """What a trial scores at its best epoch, which it has."""
    how = "screened " if is_screened(record.metrics) else ""
    value = value_of(scores_in(record.metrics), objective)
    return f"{how}{short_name(objective)} {value:.3f} at epoch {record.best_epoch}"


def state_text(standing: Standing) -> str:
    """What is going on, and where nothing is, how to go on."""
    following = (f"{said}: {command}" for _, said, command in _next(standing))
    return "; ".join([_state(standing), *following])


def _state(standing: Standing) -> str:
    if standing.state == INTERRUPTED:
        return f"{INTERRUPTED}: no process drives it"
    words = standing.state
    if standing.state == FINISHING:
        words = f"{FINISHING}: all trials have ended, what follows them is at work"
    unsure = standing.driven is None and standing.state in (RUNNING, FINISHING)
    return words + (", if a process drives it; that cannot be told here" if unsure else "")


def _next(standing: Standing) -> Iterator[tuple[str, str, str]]:
    """What can be done where nothing goes on, in a word and in words, and by which command."""
    if standing.state == FINISHED:
        yield "table", "its table", f"mrisweep best {standing.place}"
    elif standing.state == INTERRUPTED:
        yield "go on", "to go on", f"mrisweep resume {standing.place}"


def _counts(standing: Standing) -> str:
    ended = sum(standing.ended.values())
    by_status = ", ".join(f"{count} {status}" for status, count in standing.ended.items())
    parts = [f"{ended} of {standing.total} ended{f' ({by_status})' if ended else ''}"]
    for state in UNDER_WAY:
        if (count := standing.count(state)) or (state, standing.state) == (RUNNING, RUNNING):
            parts.append(f"{count} {state}")
    return ", ".join(parts)


def _pace(standing: Standing) -> str:
    parts = [number_of(standing.epochs, "epoch")]
    if pace := standing.epochs_an_hour:
        parts[0] += f" in {clock(standing.seconds)}"
        parts.append(f"{pace:.3g} an hour")
    if standing.seconds_left is not None:
        parts.append(f"about {clock(standing.seconds_left)} left")
    if standing.silent_s is not None and standing.state != FINISHED:
        parts.append(f"the latest {clock(standing.silent_s)} ago")
    return ", ".join(parts)


def _under_way(standing: Standing, room: int | None, width: int | None) -> Iterator[str]:
    rows = standing.under_way
    if not rows:
        return
    shown = rows if room is None or len(rows) <= room else rows[: room - 1]
    header = ["trial", "norm", "epoch", short_name(standing.objective), "at epoch", "state"]
    rest = None if width is None else width - 2
    whole = fitted([header, *map(_cells, shown)], ("state", "norm", "at epoch"), rest)
    yield ""
    yield from (f"  {row}" for row in table(whole, left=(0, 1)))
    if len(shown) < len(rows):
        yield f"  and {len(rows) - len(shown)} more"
    yield ""


def _cells(row: UnderWay) -> Sequence[str]:
    value = MISSING if row.value is None else f"{row.value:.3f}"
    at = MISSING if row.best_epoch is None else str(row.best_epoch)
    screened = " screened" if row.screened else ""
    return row.trial, row.norm, f"{row.epoch}/{row.epochs}", value + screened, at, row.state


def _scored(record: TrialRecord, standing: Standing) -> str:
    value = value_of(record.metrics, standing.objective)
    shown = MISSING if is_missing(value) else f"{value:.3f}"
    return f"{record.trial} ({record.norm}) {short_name(standing.objective)} {shown}"
