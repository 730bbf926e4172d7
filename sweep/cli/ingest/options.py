"""Options that several kinds of ingest have, and what is made of them."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from sweep.cli.base import add_seed, counter, say
from sweep.core.errors import UserError

if TYPE_CHECKING:
    from sweep.ingest.making import Making
    from sweep.store.splits import SplitAssigner


def add_patients(parser: argparse.ArgumentParser) -> None:
    """Options that say whose files are."""
    parser.add_argument(
        "--patient-pattern",
        metavar="REGEX",
        help="looked for in the path of each file; its first group, or all that it finds, is the "
        "patient, such as 'patient_([0-9]+)'",
    )
    parser.add_argument(
        "--unknown-patients",
        choices=("refuse", "each-file"),
        default="refuse",
        help="files of which nothing says whose they are: refuse them, or let each file be a "
        "patient, at the risk of flattered scores, of which every report will speak",
    )


def add_columns(parser: argparse.ArgumentParser, table: str = "the manifest") -> None:
    """``--columns``, of a table."""
    parser.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"other columns of {table} to keep in the store, such as site scanner sex",
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """``--task``."""
    parser.add_argument(
        "--task",
        choices=("multiclass", "multilabel"),
        help="multiclass: exactly one label a slice; by default as the labels are",
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every kind has: the store to be, its pixels and its splits."""
    parser.add_argument("--out", type=Path, required=True, metavar="STORE.h5", help="new store")
    parser.add_argument(
        "--size", type=int, metavar="N", help="pad to a square, resize to N x N pixels"
    )
    parser.add_argument(
        "--pixels",
        choices=("float32", "float16"),
        default="float32",
        help="type of the stored pixels; float16 halves the store and keeps 11 bits of each",
    )
    splits = parser.add_mutually_exclusive_group()
    splits.add_argument(
        "--folds", type=int, default=5, help="folds to assign patients to where no split is given"
    )
    splits.add_argument(
        "--shares",
        nargs="+",
        metavar="NAME=SHARE",
        help="splits to assign patients to instead, such as train=0.7 validation=0.15 test=0.15",
    )
    add_seed(parser, "of assigning patients to splits")
    parser.add_argument(
        "--split-by",
        metavar="COLUMN",
        help="a column, such as site, of which each value gets splits of its own: A-1, A-2, ...; "
        "with --folds 1 each value is a split",
    )
    add_workers(parser)
    parser.add_argument(
        "--strict", action="store_true", help="stop at what cannot be used, skip nothing"
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """``--workers``."""
    parser.add_argument("--workers", type=int, default=_cores(), help="processes that read")


class Looking(TypedDict):
    """How headers are read."""

    workers: int
    progress: Callable[[int, int], None]
    waiting: Callable[[str, float], None]


def looking(options: argparse.Namespace, what: str) -> Looking:
    """How headers are read, and what is said meanwhile."""
    return {
        "workers": options.workers,
        "progress": counter(f"{what} looked at"),
        "waiting": still,
    }


def still(name: str, seconds: float) -> None:
    """Say that a file takes long."""
    say(f"still reading {name}: {seconds:.0f} s")


def _cores() -> int:
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def making_of(options: argparse.Namespace, what: str) -> "Making":
    """What the options ask of the store to be; ``what``: the files, for progress."""
    from sweep.ingest.making import Making

    return Making(assigner_of(options), options.size, options.task, **looking(options, what))


def assigner_of(options: argparse.Namespace) -> "SplitAssigner":
    """How patients are dealt to splits."""
    from sweep.store.splits import SplitAssigner, equal_folds

    by = options.split_by or ""
    least = 1 if by else 2
    shares = _shares(options.shares) if options.shares else equal_folds(options.folds, least)
    return SplitAssigner(shares, options.seed, by)


def columns_of(options: argparse.Namespace) -> list[str]:
    """Those to keep: also the one that slices are split by."""
    by = [options.split_by] if options.split_by and options.split_by not in options.columns else []
    return [*options.columns, *by]


def _shares(texts: Sequence[str]) -> dict[str, float]:
    shares = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UserError(
                "--shares cannot be read",
                f"{text!r}",
                "give names with a number, such as train=0.7",
            ) from None
    return shares
