"""Commands that work on a whole sweep: ``run``, ``resume``, ``sync``."""

import argparse
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, add_sweep_file, command, require_sweep, say
from sweep.cli.best import say_what_lacks
from sweep.cli.ranking import nothing_to_show, show_ranking
from sweep.core.errors import UnfinishedError, UserError, WorkError, of_system
from sweep.core.interruption import interruptible
from sweep.core.job import other_version
from sweep.core.mirrors import named
from sweep.core.saying import nobody_reads
from sweep.core.stages import stage
from sweep.core.states import FINISHED, state_of
from sweep.core.text import number_of
from sweep.remote.address import uri_of
from sweep.remote.places import shown
from sweep.terminal import on_screen

if TYPE_CHECKING:
    from sweep.api.run import SweepResult


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
    run.add_argument(
        "--print-config",
        action="store_true",
        help="print the sweep with all defaults filled in, and run nothing",
    )
    run.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="try it out: N slices of each split, one epoch, a trial for each norm",
    )
    run.add_argument(
        "--or-resume",
        action="store_true",
        help="where the folder is there, go on with the sweep in it, if it is this one; one that "
        "has ended prints its table: for jobs that are tried again",
    )


def _do_run(options: argparse.Namespace) -> None:
    if options.print_config:
        from sweep.config.sweep import SweepConfig

        print(SweepConfig.from_yaml(options.sweep, options.set).to_yaml(), end="")
        return
    if options.limit is not None and options.or_resume:
        raise UserError(
            "a sweep that is tried out is not gone on with",
            "--limit and --or-resume",
            "give one of them",
        )
    begun: list[Path] = []
    with _resumable(begun):
        with on_screen():
            result = _run(options, begun)
        _announce(result)
    if options.limit is not None:
        say("tried out on a few slices for one epoch: these scores say nothing")


def _run(options: argparse.Namespace, begun: list[Path]) -> "SweepResult":
    """Run what was asked for; ``begun`` gets its folder once that is known."""
    stage(f"reading {options.sweep}")
    from sweep.api.places import folder_of
    from sweep.config.sweep import SweepConfig

    config = SweepConfig.from_yaml(options.sweep, options.set)
    folder = folder_of(config, options.out)
    if options.limit is not None:
        from sweep.api.smoke import smoke

        config, folder = smoke(config, options.limit, options.out, say)
    if remark := other_version(version("mrisweep")):
        say(remark)
    begun.append(folder)
    stage("starting")  # Ray and torch are read in, which takes seconds
    if options.or_resume:
        from sweep.api.or_resume import run_or_resume

        return run_or_resume(config, folder)
    from sweep.api.run import run

    return run(config, folder)


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
    from sweep.results.sweep_file import config_in

    limits = given_limits(options.limit)
    require_sweep(options.folder)
    with _resumable([options.folder]):
        if not options.trials and not options.limit:
            _say_if_finished(options.folder)
        with on_screen():
            stage("starting")
            if uri_of(options.folder) is None:
                config_in(options.folder)  # what is wrong with it is said before Ray is imported
            from sweep.api.run import resume

            result = resume(options.folder, options.trials, limits)
        _announce(result)


def _say_if_finished(folder: Path) -> None:
    """At once, as the parts of a sweep take seconds to import."""
    from sweep.api.watch import standing

    with suppress(UserError, WorkError):  # what is wrong is mended, or said, by the resume itself
        found = standing(folder)
        if found.state == FINISHED:
            say(
                f"the sweep has finished: all {number_of(found.total, 'trial')} have ended; to add "
                f"some: mrisweep resume {found.place} --trials N"
            )


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
    require_sweep(options.folder)
    from sweep.api.run import sync_folder
    from sweep.results.folder import SweepFolder

    trials = sync_folder(options.folder)
    told = ", ".join(SweepFolder.open(options.folder).config().tracking.to)
    print(f"{number_of(trials, 'trial')} of {shown(options.folder)} are in {told}")


def _announce(result: "SweepResult") -> None:
    """The ranking as ``best`` shows it, and where everything is."""
    from sweep.api.best import in_folders
    from sweep.results import ranking
    from sweep.results.inventory import inventory, sizes, sizes_text

    found = in_folders(result.path, for_table=True)
    if rows := ranking.best(found.rows, found.by, objectives=found.objectives):
        show_ranking(found, rows, covered=True)
    else:
        for line in nothing_to_show(found, conditions=False):
            say(line)
    _announce_finalists(result.path)
    for trial in result.failed:
        say(f"{trial.trial} ({trial.norm}) {state_of(trial)}: {trial.error}")
    if result.limit:
        say(result.limit)
    print(named(f"\nfolder  {result.path}"))
    print(f"        {sizes_text(sizes(inventory(result.path)))}")
    if result.tracking_uri:
        print(f"MLflow  experiment {result.experiment!r}; to look at it:")
        print(f"        {_way_to_look(result.tracking_uri)}")
    say_what_lacks(found.unread())


def _way_to_look(shown: str) -> str:
    """At what is in MLflow, by an address without its password."""
    from sweep.config.tracking import VARIABLE
    from sweep.core.text import HIDDEN

    if shown.startswith(("http://", "https://")):
        return shown
    given = f'"${VARIABLE}"' if HIDDEN in shown else shown
    return f"mlflow ui --backend-store-uri {given}"


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
def _resumable(begun: Sequence[Path]) -> Iterator[None]:
    """While inside, an interruption and what the system refuses end with how to resume.

    Where trials have ended and what follows them has not, their table is printed all the same.

    Args:
        begun: The folder of the sweep, once it is known.

    """
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        if begun and _is_begun(begun[0]):
            say(f"interrupted; continue with: mrisweep resume {shown(begun[0])}")
        raise
    except UnfinishedError:
        from sweep.api.run import outcome

        _announce(outcome(begun[0]))
        raise
    except OSError as error:
        if nobody_reads(error) or not begun or not _is_begun(begun[0]):
            raise
        raise of_system(error, f"run `mrisweep resume {shown(begun[0])}`") from error


def _is_begun(folder: Path) -> bool:
    """Whether a folder is a sweep's that can be resumed."""
    from sweep.results.sweep_file import begun

    try:
        return begun(folder)
    except OSError as error:  # it may be there, and out of reach
        return error.errno != errno.ENAMETOOLONG
