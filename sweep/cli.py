"""The command line ``mrisweep``: reads arguments, calls the parts, prints what they return.

Results go to stdout, messages and progress to stderr. Exit status: 0 done, 1 the work failed,
2 bad input, 130 interrupted. The parts are imported by the commands that use them, as Ray and
MLflow take seconds.
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from sweep.errors import UserError, WorkError

EPILOG = """\
first steps:
  mrisweep phantom --out demo/phantom
  mrisweep ingest images demo/phantom/manifest.csv --images demo/phantom/images --out demo/knee.h5
  mrisweep run deploy/sweeps/demo.yaml --out demo/sweep
  mrisweep best demo/sweep

exit status: 0 done, 1 the work failed, 2 bad input, 130 interrupted.
`mrisweep COMMAND --help` explains each command."""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports like the rest: one message, exit 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        raise UserError(f"{message} (see `{self.prog} --help`)")


class Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return (
            action.help if action.default in (None, False, []) else super()._get_help_string(action)
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        options = parser().parse_args(arguments)
        options.command(options)
    except UserError as error:
        return _complain(error, 2)
    except WorkError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    return 0


def _complain(error: Exception, status: int) -> int:
    print(f"mrisweep: {error}", file=sys.stderr)
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
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_ingest, _phantom, _check, _run, _resume, _stress, _best, _sync):
        add(commands)
    return top


Commands = Any  # argparse names no public type for what add_subparsers returns


def _command(
    commands: Commands,
    name: str,
    does: Callable[[argparse.Namespace], None],
    summary: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A command whose help explains it, then every option with its default."""
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
        formatter_class=Defaults,
    )
    added.set_defaults(command=does)
    return added


def _ingest(commands: Commands) -> None:
    ingest = commands.add_parser("ingest", help="make a store from labelled images")
    kinds = ingest.add_subparsers(title="kinds", metavar="KIND", required=True)
    images = _command(
        kinds,
        "images",
        _do_ingest_images,
        "make a store from picture files (PNG, JPEG, TIFF, BMP; grey, 8 or 16 bit)",
        "The manifest is a CSV file with the columns file, label, patient, and optionally fold or "
        "split. Several labels of a slice are separated by '|'; an empty label is no finding. "
        "Without fold or split, patients (never slices) are dealt to folds, stratified by label.",
    )
    images.add_argument("manifest", type=Path, metavar="MANIFEST.csv")
    images.add_argument("--images", type=Path, required=True, metavar="DIR", help="of the files")
    images.add_argument("--out", type=Path, required=True, metavar="STORE.h5", help="new store")
    images.add_argument(
        "--size", type=int, metavar="N", help="pad to a square, resize to N x N pixels"
    )
    images.add_argument("--folds", type=int, default=5, help="folds where the manifest has none")
    images.add_argument("--seed", type=int, default=0, help="of dealing patients to folds")
    images.add_argument(
        "--task",
        choices=("multiclass", "multilabel"),
        help="multiclass: exactly one label a slice; by default as the labels are",
    )


def _do_ingest_images(options: argparse.Namespace) -> None:
    from sweep.data.images import ingest_images

    summary = ingest_images(
        options.manifest,
        options.images,
        options.out,
        size=options.size,
        folds=options.folds,
        seed=options.seed,
        task=options.task,
        progress=_counter("slices"),
    )
    print(summary.text())


def _phantom(commands: Commands) -> None:
    phantom = _command(
        commands,
        "phantom",
        _do_phantom,
        "make knee-like volumes of the fastMRI layout, with lesions as labels",
        "Writes volumes/*.h5 with complex k-space, a fastMRI+ style labels.csv, and the same "
        "slices as images/*.png with a manifest.csv for `mrisweep ingest images`.",
    )
    phantom.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    phantom.add_argument("--patients", type=int, default=40, help="volumes, one for each patient")
    phantom.add_argument("--slices", type=int, default=6, help="slices of a volume")
    phantom.add_argument("--seed", type=int, default=0, help="another seed, other patients")


def _do_phantom(options: argparse.Namespace) -> None:
    from sweep.data.phantom import make_phantom

    made = make_phantom(
        options.out,
        options.patients,
        options.seed,
        slices=options.slices,
        progress=_counter("patients"),
    )
    print(
        f"{made.folder}: {made.patients} patients, {made.slices} slices, "
        f"{made.lesions} with a lesion"
    )
    print(
        f"next: mrisweep ingest images {made.folder}/manifest.csv --images {made.folder}/images "
        f"--out knee.h5"
    )


def _sweep_file(command: argparse.ArgumentParser) -> None:
    command.add_argument("sweep", type=Path, metavar="SWEEP.yaml")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting by its dotted name, such as train.epochs=2; may be repeated",
    )


def _check(commands: Commands) -> None:
    _sweep_file(
        _command(
            commands,
            "check",
            _do_check,
            "validate a sweep (settings, data, cluster) and say what it will cost; runs nothing",
        )
    )


def _do_check(options: argparse.Namespace) -> None:
    from sweep.cluster.session import resources_for, trials_at_a_time
    from sweep.config import SweepConfig
    from sweep.cost import estimate
    from sweep.preflight import open_data

    config = SweepConfig.from_yaml(options.sweep, options.set)
    store = open_data(config)
    concurrent = trials_at_a_time(config.cluster, resources_for(config.cluster))
    print(f"sweep        {config.name}: {config.search.trials} trials of {config.train.epochs}")
    searched = ", ".join(config.search.space) or "nothing"
    print(f"             epochs at most, {concurrent} at a time, searching {searched}")
    print(estimate(config, store, concurrent).text())


def _run(commands: Commands) -> None:
    run = _command(
        commands,
        "run",
        _do_run,
        "run a sweep: progress while it runs, then its folder, MLflow experiment and best table",
        "Ctrl-C leaves a folder that `mrisweep resume` continues.",
    )
    _sweep_file(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="new folder; default sweeps/<name>")


def _do_run(options: argparse.Namespace) -> None:
    from sweep.config import SweepConfig

    config = SweepConfig.from_yaml(options.sweep, options.set)
    folder = options.out or Path("sweeps") / config.name
    with _resumable(folder):
        from sweep.app import run

        _announce(run(config, folder))


def _resume(commands: Commands) -> None:
    resume = _command(
        commands,
        "resume",
        _do_resume,
        "continue an interrupted sweep; with --trials N, add N trials to it",
    )
    resume.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    resume.add_argument("--trials", type=int, default=0, metavar="N", help="trials to add")


def _do_resume(options: argparse.Namespace) -> None:
    if options.trials < 0:
        raise UserError(f"--trials must be 0 or more; received {options.trials}")
    with _resumable(options.folder):
        from sweep.app import resume

        _announce(resume(options.folder, options.trials))


def _stress(commands: Commands) -> None:
    stress = _command(
        commands,
        "stress",
        _do_stress,
        "stress-test one checkpoint",
        "What is not given is as in the checkpoint's own sweep, whose scores this repeats.",
    )
    stress.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    stress.add_argument("--data", type=Path, required=True, metavar="STORE.h5")
    stress.add_argument("--artifacts", nargs="+", metavar="NAME", help="artifacts to apply")
    stress.add_argument("--levels", nargs="+", type=int, metavar="LEVEL", help="1 to 5")
    stress.add_argument("--split", nargs="+", metavar="SPLIT", help="folds or splits to score on")
    stress.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; the last digits of a score may depend on them",
    )
    stress.add_argument("--json", action="store_true", help="one JSON object")


def _do_stress(options: argparse.Namespace) -> None:
    import torch

    from sweep.render import stress_table
    from sweep.stresstest import as_json, stress_checkpoint

    torch.set_num_threads(max(1, options.threads))
    record = stress_checkpoint(
        options.checkpoint, options.data, options.artifacts, options.levels, options.split
    )
    if options.json:
        print(json.dumps(as_json(record)))
        return
    print(stress_table(record))
    print()
    for name, value in record.metrics.items():
        print(f"{name:<20} {value:.4f}")


def _best(commands: Commands) -> None:
    best = _command(
        commands,
        "best",
        _do_best,
        "rank the configurations of a sweep, with 95 %% patient-bootstrap intervals",
        "Each trial stands at its best epoch by the sweep's objective.",
    )
    best.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="of the sweep")
    best.add_argument("--mlflow", metavar="URI", help="ask this tracking server instead of DIR")
    best.add_argument("--experiment", metavar="NAME", help="with --mlflow: the sweep's name")
    best.add_argument("--by", default="robust/auroc_cvar", metavar="METRIC", help="to rank by")
    best.add_argument("--norm", metavar="NAME", help="only this norm")
    best.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help="condition such as 'clean/auroc>=0.9'; may be repeated",
    )
    best.add_argument("--top", type=int, metavar="K", help="the best K only")
    best.add_argument("--json", action="store_true", help="a JSON list of objects, best first")


def _do_best(options: argparse.Namespace) -> None:
    from sweep import ranking
    from sweep.render import ranked_table

    if (options.folder is None) == (options.mlflow is None):
        raise UserError("best asks either a sweep's folder or, with --mlflow, a tracking server")
    if (options.mlflow is None) != (options.experiment is None):
        raise UserError("--mlflow URI and --experiment NAME go together")
    rows = (
        ranking.of_folder(options.folder)
        if options.folder is not None
        else ranking.of_server(options.mlflow, options.experiment)
    )
    ranked = ranking.best(rows, options.by, options.norm, options.where, options.top)
    if options.json:
        print(json.dumps([asdict(row) for row in ranked], indent=1))
    elif ranked:
        print(ranked_table(ranked, options.by))
    else:
        _say("no trial qualifies")


def _sync(commands: Commands) -> None:
    sync = _command(
        commands,
        "sync",
        _do_sync,
        "replay a sweep's folder into MLflow; running it twice changes nothing",
    )
    sync.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")


def _do_sync(options: argparse.Namespace) -> None:
    from sweep.app import sync_folder

    print(f"{sync_folder(options.folder)} trials of {options.folder} are in MLflow")


def _announce(result: Any) -> None:
    """The best table, and where everything is."""
    from sweep import ranking
    from sweep.render import ranked_table

    objective = result.objective
    print(ranked_table(ranking.best(ranking.of_folder(result.path), objective), objective))
    for trial in result.failed:
        _say(f"{trial.trial} ({trial.norm}) failed: {trial.error}")
    print(f"\nfolder  {result.path}")
    print(f"MLflow  experiment {result.experiment!r}; to look at it:")
    print(f"        mlflow ui --backend-store-uri {result.tracking_uri}")


class _resumable:  # noqa: N801 - reads as a keyword in `with`
    """While inside, SIGTERM (a stopped job) is Ctrl-C, and either ends with how to resume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        signal.signal(signal.SIGTERM, self.before)
        if kind is KeyboardInterrupt and (self.folder / "sweep.yaml").exists():
            _say(f"interrupted; continue with: mrisweep resume {self.folder}")


def _counter(what: str) -> Callable[[int, int], None]:
    """Progress of a loop, on a terminal only."""

    def count(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{done}/{total} {what}", end=end, file=sys.stderr, flush=True)

    return count


def _say(text: str) -> None:
    print(text, file=sys.stderr)
