"""Asks a tracking server for the trials of an experiment, and for the objective of its sweeps."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from sweep.core.errors import UserError
from sweep.core.files import missing_database
from sweep.core.records import TRAINED
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
from sweep.results.ranking import Ranked

PAGE = 1000


def read_trials(uri: str, experiment: str) -> list[Ranked]:
    """The trials of an experiment that have a best epoch, in every mode that they are scored in.

    Raises:
        UserError: No such experiment, or no server there.

    """
    runs = chain.from_iterable(_search(uri, experiment, role) for role in (Role.TRIAL, Role.MODE))
    return [_ranked(run) for run in runs if f"{BEST}{EPOCH}" in run.data.metrics]


def read_objective(uri: str, experiment: str) -> str | None:
    """The objective of the newest sweep of an experiment; None where there is no sweep.

    Raises:
        UserError: See ``read_trials``.

    """
    return _newest(uri, experiment).get(Tag.OBJECTIVE)


def read_objectives(uri: str, experiment: str) -> tuple[str, ...]:
    """The two objectives of the newest sweep of an experiment; none where it has one.

    Raises:
        UserError: See ``read_trials``.

    """
    text = _newest(uri, experiment).get(Tag.OBJECTIVES)
    return tuple(text.split(SEPARATOR)) if text else ()


def _newest(uri: str, experiment: str) -> dict[str, str]:
    """The tags of the newest sweep."""
    runs = sorted(_search(uri, experiment, Role.SWEEP), key=lambda run: run.info.start_time)
    return runs[-1].data.tags if runs else {}


def _search(uri: str, experiment: str, role: str) -> Iterator[Run]:
    """All runs of a role, page by page."""
    if missing_database(uri):
        raise UserError("there is no such database", f"{uri!r}", "correct the path")
    client = MlflowClient(tracking_uri=uri)
    try:
        found = client.get_experiment_by_name(experiment)
    except MlflowException as error:
        raise UserError(
            "the tracking server does not answer",
            f"{error} from {uri!r}",
            "correct the address, or start the server",
        ) from None
    if found is None:
        names = ", ".join(sorted(item.name for item in client.search_experiments()))
        raise UserError(
            f"there is no such experiment on {uri}",
            f"{experiment!r}",
            f"take one of {names}" if names else "run a sweep first",
        )
    token: str | None = None
    while True:
        page = client.search_runs(
            [found.experiment_id], f"tags.{Tag.ROLE} = '{role}'", max_results=PAGE, page_token=token
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
    return Ranked(
        trial=tags[Tag.TRIAL],
        norm=tags[Tag.NORM],
        seed=int(tags[Tag.SEED]),
        epoch=epoch,
        params={name: from_param_text(text) for name, text in run.data.params.items()},
        checkpoint=uri_of(checkpoint) or str(checkpoint),
        metrics=best,
        intervals={name: (ends[f"{name}{low}"], ends[f"{name}{high}"]) for name in names},
        status=tags[Tag.STATUS],
        mode=mode,
        collapsed=from_cells_text(tags.get(Tag.COLLAPSED)),
        basis=from_basis_tag(tags.get(Tag.BASIS)),
    )
