"""Asks a tracking server for the trials of an experiment, and for the objective of its sweeps."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mlflow.entities import Run

from sweep.core.errors import UserError
from sweep.core.files import missing_database
from sweep.core.records import TRAINED
from sweep.core.saying import said_if_long
from sweep.remote.address import uri_of
from sweep.results.folder import SweepFolder
from sweep.results.mlflow.names import (
    BEST,
    ENDS,
    EPOCH,
    INTERVAL,
    SEPARATOR,
    Role,
    Tag,
    below,
    from_basis_tag,
    from_cells_text,
    from_param_text,
)
from sweep.results.mlflow.refusals import in_our_words
from sweep.results.mlflow.server import client_of
from sweep.results.ranking import Ranked

PAGE = 1000


def read_trials(address: str, experiment: str) -> list[Ranked]:
    """The trials of an experiment that have a best epoch, in every mode that they are scored in.

    Args:
        address: Of the tracking server.
        experiment: The name of the experiment.

    Raises:
        UserError: No such experiment, no server there, or one that does not answer the question.

    """
    roles = (Role.TRIAL, Role.MODE)
    runs = chain.from_iterable(_search(address, experiment, role) for role in roles)
    return [_ranked(run) for run in runs if f"{BEST}{EPOCH}" in run.data.metrics]


def read_objective(address: str, experiment: str) -> str | None:
    """The objective of the newest sweep of an experiment; None where there is no sweep.

    Raises:
        UserError: See ``read_trials``.

    """
    return _newest(address, experiment).get(Tag.OBJECTIVE)


def read_objectives(address: str, experiment: str) -> tuple[str, ...]:
    """The two objectives of the newest sweep of an experiment; none where it has one.

    Raises:
        UserError: See ``read_trials``.

    """
    text = _newest(address, experiment).get(Tag.OBJECTIVES)
    return tuple(text.split(SEPARATOR)) if text else ()


def read_settings(address: str, experiment: str) -> dict[str, dict[str, str]]:
    """What each sweep of an experiment was set to, by its folder: dotted names and texts.

    Of a sweep that an earlier version told of there is nothing.

    Raises:
        UserError: See ``read_trials``.

    """
    runs = _search(address, experiment, Role.SWEEP)
    return {_named(Path(run.data.tags[Tag.FOLDER])): run.data.params for run in runs}


def _newest(address: str, experiment: str) -> dict[str, str]:
    """The tags of the newest sweep."""
    runs = sorted(_search(address, experiment, Role.SWEEP), key=lambda run: run.info.start_time)
    return runs[-1].data.tags if runs else {}


def _search(address: str, experiment: str, role: str) -> Iterator[Run]:
    """All runs of a role, page by page."""
    if missing_database(address):
        raise UserError("there is no such database", f"{address!r}", "correct the path")
    with said_if_long(f"waiting for MLflow at {address}"), in_our_words(address, UserError):
        client = client_of(address)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            names = ", ".join(sorted(item.name for item in client.search_experiments()))
            raise UserError(
                f"there is no such experiment on {address}",
                f"{experiment!r}",
                f"take one of {names}" if names else "run a sweep first",
            )
        asked, token = f"tags.{Tag.ROLE} = '{role}'", None
        while True:
            page = client.search_runs(
                [found.experiment_id], asked, max_results=PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _ranked(run: Run) -> Ranked:
    tags, values = run.data.tags, run.data.metrics
    best = below(BEST, values)
    epoch = int(best.pop(EPOCH))
    ends = below(INTERVAL, values)
    low, high = ENDS
    names = [name.removesuffix(low) for name in ends if name.endswith(low)]
    mode = tags.get(Tag.MODE, TRAINED)
    folder = SweepFolder(Path(tags[Tag.FOLDER]))
    checkpoint = folder.checkpoint(tags[Tag.TRIAL], epoch, mode)
    params = run.data.params
    searched = tags[Tag.SEARCHED].split(SEPARATOR) if Tag.SEARCHED in tags else params
    return Ranked(
        trial=tags[Tag.TRIAL],
        norm=tags[Tag.NORM],
        seed=int(tags[Tag.SEED]),
        epoch=epoch,
        params={name: from_param_text(params[name]) for name in searched if name in params},
        checkpoint=_named(checkpoint),
        metrics=best,
        intervals={name: (ends[f"{name}{low}"], ends[f"{name}{high}"]) for name in names},
        status=tags[Tag.STATUS],
        mode=mode,
        collapsed=from_cells_text(tags.get(Tag.COLLAPSED)),
        basis=from_basis_tag(tags.get(Tag.BASIS)),
    )


def _named(path: Path) -> str:
    """A path, or the URI of what lies in a bucket."""
    return uri_of(path) or str(path)
