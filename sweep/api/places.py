"""Where a sweep is to write, before it begins: its folder, the disk, the tracking server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.api.output import check_place
from sweep.config.sweep import SweepConfig
from sweep.config.tracking import HERE
from sweep.core.errors import UserError, WorkError
from sweep.core.text import bytes_text
from sweep.remote.address import uri_of
from sweep.remote.places import shown
from sweep.results.sweep_file import is_free

if TYPE_CHECKING:
    from sweep.api.check import Cost


def folder_of(config: SweepConfig, out: str | Path | None) -> Path:
    """Where a sweep goes: where it is asked to, or else into ``sweeps/<name>``."""
    return Path(out) if out else Path("sweeps") / config.name


def refuse_unwritable(folder: Path) -> None:
    """Raise ``UserError`` where a sweep's folder cannot be made; of a bucket nothing is asked."""
    if uri_of(folder) is None:
        check_place(folder)


def about_places(config: SweepConfig, out: Path | None, cost: "Cost") -> Iterator[str]:
    """What a run would remark where it writes to, a line each.

    Args:
        config: The sweep.
        out: Its folder; None: ``sweeps/<name>``.
        cost: What it takes.

    """
    from sweep.results.trackers import MLFLOW  # which imports torch

    folder = folder_of(config, out)
    try:
        if not is_free(folder):
            yield (
                f"{shown(folder)} is there already: `run` takes another --out, and "
                f"`mrisweep resume {shown(folder)}` goes on with a sweep"
            )
        elif uri_of(folder) is None:
            yield from _about_disk(folder, cost)
    except (UserError, WorkError) as error:
        yield str(error)
    if MLFLOW in config.tracking.to:
        yield from _about_server(config, folder)


def _about_disk(folder: Path, cost: "Cost") -> Iterator[str]:
    there = next(one for one in folder.absolute().parents if one.exists())
    free, needed = shutil.disk_usage(there).free, cost.space.peak
    if free < needed:
        yield (
            f"the disk of {there} has {bytes_text(free)} left, and the folder may take "
            f"{bytes_text(needed)}: make room, or choose another --out"
        )


def _about_server(config: SweepConfig, folder: Path) -> Iterator[str]:
    from sweep.results.mlflow.probe import refusal  # MLflow takes a second to import

    if uri_of(folder) and config.tracking.uri == HERE:
        return  # the database would lie beside the mirror of a bucket
    try:
        said = refusal(config.tracking.server(folder.absolute()))
    except UserError as error:
        said = str(error)
    if said:
        yield (
            f"MLflow would not take the results: {said}. The sweep would go on without it, and "
            "`mrisweep sync` fill it later"
        )
