"""The command line ``mrisweep``: reads arguments, calls the parts, prints what they return.

Results go to stdout, messages and progress to stderr. Exit status: 0 done, 1 the work failed,
2 bad input, 130 interrupted. The parts are imported by the commands that use them, as Ray and
MLflow take seconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sweep.cli.base import Parser, Version, say
from sweep.cli.best import add_best
from sweep.cli.check import add_check
from sweep.cli.compare import add_compare
from sweep.cli.completion import add_completion
from sweep.cli.export import add_export
from sweep.cli.finalists import add_finalists
from sweep.cli.gc import add_gc
from sweep.cli.ingest import add_ingest
from sweep.cli.init import add_init
from sweep.cli.inspect import add_data
from sweep.cli.jobs import add_status, add_stop, add_submit
from sweep.cli.levels import add_calibrate, add_preview
from sweep.cli.manifest import add_manifest
from sweep.cli.phantom import add_phantom
from sweep.cli.predict import add_predict
from sweep.cli.presets import add_presets
from sweep.cli.report import add_report
from sweep.cli.run import add_resume, add_run, add_sync
from sweep.cli.settings import add_settings
from sweep.cli.stress import add_stress
from sweep.cli.sweeps import add_list
from sweep.cli.watch import add_watch
from sweep.core.errors import UserError, WorkError, of_system
from sweep.core.leaving import leave, leave_quickly
from sweep.core.saying import nobody_reads, settle_streams, silence_all

EPILOG = """\
first steps:
  mrisweep phantom --out demo/phantom
  mrisweep ingest fastmri demo/phantom/volumes --labels demo/phantom/labels.csv \\
    --reviewed demo/phantom/file_list.csv --rule demo/phantom/rule.yaml --out demo/knee.h5
  mrisweep run deploy/sweeps/demo.yaml --out demo/sweep
  mrisweep best demo/sweep

A sweep's folder (DIR) is a path, or a URI such as s3://bucket/sweeps/one.
exit status: 0 done, 1 the work failed, 2 bad input, 130 interrupted.
`mrisweep COMMAND --help` explains each command."""

COMMANDS = (
    add_ingest,
    add_manifest,
    add_data,
    add_phantom,
    add_calibrate,
    add_preview,
    add_init,
    add_presets,
    add_settings,
    add_check,
    add_run,
    add_resume,
    add_list,
    add_watch,
    add_submit,
    add_status,
    add_stop,
    add_stress,
    add_best,
    add_finalists,
    add_compare,
    add_report,
    add_predict,
    add_export,
    add_sync,
    add_gc,
    add_completion,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    # Of small matrices, which ours are, threads cost more than they bring: on a busy machine they
    # wait for each other. Before NumPy is imported; torch has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _refuse_empty(sys.argv[1:] if arguments is None else arguments)
        options = parser().parse_args(arguments)
        options.command(options)
    except UserError as error:
        return _complain(error, 2)
    except WorkError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if nobody_reads(error):  # the reader, such as `head`, has seen enough
            silence_all()
            return 0
        refused = of_system(error)
        return _complain(refused, 2 if isinstance(refused, UserError) else 1)
    except ValueError as error:
        if not isinstance(error, _bad_input_below()):
            raise
        return _complain(error, 2)
    return 0


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Of nothing a path would become the folder that the command runs in."""
    if "" in arguments:
        before = " ".join(arguments[: arguments.index("")])
        raise UserError(
            "an argument is empty",
            f"{before} ''",
            "give a value; a variable of the shell that is not set has none",
        )


def command_line() -> NoReturn:
    """Run the command of this process, and end it."""
    settle_streams()
    leave_quickly()
    leave(main())


def _bad_input_below() -> tuple[type[Exception], ...]:
    """What the packages below call bad input; imported once something is raised, not before."""
    from artifacts_sim import ArtifactError
    from mrimodels import ModelError

    return ArtifactError, ModelError


def _complain(error: Exception, status: int) -> int:
    say(f"mrisweep: {error}")
    return status


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = Parser(
        prog="mrisweep",
        description="Find the MR image classifier that survives the scanner: sweep norms and "
        "hyperparameters on Ray, stress-test every epoch under MR artifacts, keep it in MLflow.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=Version, help="say which version this is")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    return top
