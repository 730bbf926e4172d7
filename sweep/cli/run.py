"""Commands that work on a whole sweep: ``run``, ``resume``, ``sync``."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.cli.base import Commands, add_sweep_file, command, room, say, say_remarks
from sweep.core.errors import UserError
from sweep.core.interruption import interruptible
from sweep.core.mirrors import named
from sweep.remote.address import uri_of


def add_run(commands: Commands) -> None:
    """``mrisweep run``."""
    run = command(
        commands,
        "run",
        _do_run,
        "run a sweep: progress while it runs, then its folder, MLflow experiment and best table",
        "Ctrl-C leaves a folder that `mrisweep resume` continues.",
    )
    add_sweep_file(run)
    run.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="new folder, or a URI such as s3://bucket/run-1; default sweeps/<name>",
    )


def _do_run(options: argparse.Namespace) -> None:
    from sweep.config.sweep import SweepConfig

    config = SweepConfig.from_yaml(options.sweep, options.set)
    folder = options.out or Path("sweeps") / config.name
    with _resumable(folder):
        from sweep.api.run import run

        _announce(run(config, folder))


def add_resume(commands: Commands) -> None:
    """``mrisweep resume``."""
    resume = command(
        commands,
        "resume",
        _do_resume,
        "continue an interrupted sweep; with --trials N, add N trials to it",
    )
    resume.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    resume.add_argument(
        "--trials", type=int, default=0, metavar="N", help="trials to add, as many for each norm"
    )
    resume.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a limit of search.limits, such as hours=12, or lift it by hours=none; what was "
        "used before counts; may be repeated",
    )


def _do_resume(options: argparse.Namespace) -> None:
    if options.trials < 0:
        raise UserError("--trials is below 0", options.trials, "give 0 or more")
    from sweep.config.limits import given_limits

    with _resumable(options.folder):
        from sweep.api.run import resume

        _announce(resume(options.folder, options.trials, given_limits(options.limit)))


def add_sync(commands: Commands) -> None:
    """``mrisweep sync``."""
    sync = command(
        commands,
        "sync",
        _do_sync,
        "replay a sweep's folder into its trackers; running it twice changes nothing",
    )
    sync.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")


def _do_sync(options: argparse.Namespace) -> None:
    from sweep.api.run import sync_folder
    from sweep.results.folder import SweepFolder

    trials = sync_folder(options.folder)
    told = ", ".join(SweepFolder.open(options.folder).config().tracking.to)
    print(f"{trials} trials of {uri_of(options.folder) or options.folder} are in {told}")


def _announce(result: Any) -> None:
    """The best table, and where everything is."""
    from sweep.core.records import TRAINED
    from sweep.results import ranking
    from sweep.results.render import hypervolume_lines, ranked_table, screened_note

    by, objectives = result.objective, result.objectives
    trials = ranking.of_folder(result.path)
    rows = ranking.best(trials, by, objectives=objectives)
    if rows:
        print(ranked_table(rows, by, room(), objectives))
    if objectives and rows:
        front = ranking.best(trials, objectives[0], mode=TRAINED, objectives=objectives, front=True)
        print(f"\n{hypervolume_lines(ranking.hypervolumes(trials, objectives), objectives)}")
        print(f"front        {', '.join(f'{row.trial} ({row.norm})' for row in front)}")
    if note := screened_note(trials, by):
        print(f"\n{note}")
    _announce_finalists(result.path)
    for trial in result.failed:
        say(f"{trial.trial} ({trial.norm}) failed: {trial.error}")
    say_remarks(result.path)
    if result.limit:
        say(result.limit)
    print(named(f"\nfolder  {result.path}"))
    if result.tracking_uri:
        print(f"MLflow  experiment {result.experiment!r}; to look at it:")
        print(f"        mlflow ui --backend-store-uri {result.tracking_uri}")


def _announce_finalists(path: Path) -> None:
    """What the finalists scored, where there are any."""
    from sweep.cli.finalists import show_finalists
    from sweep.results.finalists import FinalistFolder
    from sweep.results.folder import SweepFolder

    folder = SweepFolder.open(path)
    if records := FinalistFolder(folder).records():
        print("\nfinalists")
        show_finalists(folder, records, in_json=False)


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """While inside, Ctrl-C and SIGTERM (a stopped job) end with how to resume."""
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        from sweep.results.sweep_file import begun

        if begun(folder):
            say(f"interrupted; continue with: mrisweep resume {uri_of(folder) or folder}")
        raise
