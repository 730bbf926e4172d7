"""A ranking with all that is said of it, as ``best`` shows it, and ``run`` at its end.

The parts are imported where they are used, as the parser imports this file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import note, room, show
from sweep.core.mirrors import named

if TYPE_CHECKING:
    from sweep.api.best import Found
    from sweep.results.ranking import Ranked


def show_ranking(
    found: "Found", rows: Sequence["Ranked"], norm: str | None = None, covered: bool = False
) -> None:
    """The table, what it rests on, how to train its first row again; remarks on stderr.

    Args:
        found: All that was found.
        rows: Those to show, best first; at least one.
        norm: The one that they are of; None: of all.
        covered: Whether to say how much of their square the trials cover in two objectives.

    """
    from sweep.api.best import choice_lines
    from sweep.results.render import evidence_line, ranked_table, screened_note

    names, worth = _names(found), choice_lines(found, norm)
    choices = [f"{names[folder]}{line}" for folder, line in worth.items()]
    print(ranked_table(rows, found.by, room(), found.objectives))
    if covered:
        _show_covered(found)
    screened = screened_note(found.rows, found.by)
    for line in filter(None, (screened, evidence_line(found.rows, found.by), *choices)):
        show(f"\n{line}")
    _print_command(rows[0], found)
    for line in _notes(found):
        note(line)


def show_groups(found: "Found", rows: Sequence["Ranked"]) -> None:
    """What each row scores in groups of slices.

    Args:
        found: All that was found.
        rows: With their scores by group; at least one.

    """
    from sweep.core.records import TRAINED
    from sweep.metrics import metric_for
    from sweep.results.groups_text import scores_text
    from sweep.results.render import path_names

    sweeps = path_names({row.folder for row in rows})
    by_name = {
        (f"{sweeps[row.folder]} " if len(sweeps) > 1 else "")
        + row.trial
        + ("" if row.mode == TRAINED else f":{row.mode}"): row.groups
        for row in rows
        if row.groups is not None
    }
    print(f"\n{scores_text(by_name, metric_for(found.by), 'trial', room())}")


def nothing_to_show(found: "Found", conditions: bool, where: Sequence[str] = ()) -> Iterator[str]:
    """Why a ranking has no row, a line each.

    Args:
        found: All that was found.
        conditions: Whether rows were asked for by anything but what they are ranked by.
        where: The conditions of ``--where`` among it.

    """
    from sweep.results.render import screened_note
    from sweep.results.where import Where, nearest_miss

    screened = screened_note(found.rows, found.by)
    if not found.rows:
        yield "no trial has a score yet"
    elif conditions:
        yield "no trial meets what was asked for"
        for text in where:
            if nearest := nearest_miss(Where.parse(text), found.rows):
                yield nearest
    else:
        yield f"no trial has a score that {found.by} ranks"
    if screened:
        yield screened


def _show_covered(found: "Found") -> None:
    from sweep.core.records import TRAINED
    from sweep.metrics.table import sign
    from sweep.results import ranking
    from sweep.results.render import hypervolume_lines

    objectives = found.objectives
    if not objectives or any(sign(name) < 0 for name in objectives):
        return  # the square is from 0 to 1, and more is better
    print(f"\n{hypervolume_lines(ranking.hypervolumes(found.rows, objectives), objectives)}")
    front = ranking.best(found.rows, objectives[0], mode=TRAINED, objectives=objectives, front=True)
    show(f"front        {', '.join(f'{row.trial} ({row.norm})' for row in front)}")


def _print_command(row: "Ranked", found: "Found") -> None:
    """How to train the first row again, where its sweep is on this machine."""
    from sweep.core.states import FINISHED
    from sweep.results.removed import Gone
    from sweep.results.retraining import command

    if (asked := found.asked.get(row.folder)) is not None:
        to_its_end = "" if row.status == FINISHED else ", to its end"
        print(f"\nto train {row.trial} again{to_its_end}:\n{named(command(row, asked))}")
        folder, checkpoint = Path(row.folder), Path(row.checkpoint)
        if why := Gone(folder).why(checkpoint.relative_to(folder).as_posix()):
            show(f"its checkpoint is not there: {why}")


def _notes(found: "Found") -> Iterator[str]:
    """What is to be remarked on every sweep, and on comparing them."""
    from sweep.api.best import doubts, remarks_on

    yield from doubts(found)
    names = _names(found)
    for sweep in found.sweeps:
        path = str(sweep.path)
        for line in remarks_on(sweep, found.asked[path]):
            yield f"{names[path]}{line}"


def _names(found: "Found") -> dict[str, str]:
    """What stands before a line on each sweep: nothing where there is one."""
    from sweep.results.render import path_names

    names = path_names(found.asked)
    return {folder: f"{name}: " if len(names) > 1 else "" for folder, name in names.items()}
