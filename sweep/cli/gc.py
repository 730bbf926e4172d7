"""``gc``: what of a sweep's folder may go."""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, command, note, require_sweep
from sweep.core.text import bytes_text, number_of, table

if TYPE_CHECKING:
    from sweep.results.keeping import Verdict


def add_gc(commands: Commands) -> None:
    """``mrisweep gc``."""
    gc = command(
        commands,
        "gc",
        _do_gc,
        "remove from a sweep's folder what its settings do not keep, and what interrupted runs "
        "have left",
        "Records, scores and the study stay whatever is set, and so does all that a sweep that has "
        "not ended needs to go on. What went is written down in removed.jsonl.",
    )
    gc.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    gc.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    gc.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of keep that differs from the sweep's, this once: checkpoints=best, "
        "predictions=each, finalists=best, top=5; may be repeated",
    )
    gc.add_argument("--files", action="store_true", help="name every file that goes")


def _do_gc(options: argparse.Namespace) -> None:
    require_sweep(options.folder)
    from sweep.api.gc import gc
    from sweep.config.keep import given_keep

    found = gc(options.folder, given_keep(options.keep), options.dry_run)
    if found.driven:
        note("another process drives this sweep; this is how it stands now")
    if options.files:
        for one in found.going:
            print(f"{one.file.path}  {bytes_text(one.file.size)}")
        print()
    stays = sum(one.file.size for one in found.staying)
    if not found.going:
        print(f"nothing to remove; {bytes_text(stays)} stay")
        return
    may = "would go" if options.dry_run else "went"
    print("\n".join(_counted(found.going, may)))
    print()
    print("\n".join(_counted(found.staying, "stays")))
    goes = sum(one.file.size for one in found.going)
    files = number_of(len(found.going), "file")
    end = "; run it without --dry-run to remove them" if options.dry_run else ""
    print(f"\n{files} of {bytes_text(goes)} {may}, {bytes_text(stays)} {_stay(options)}{end}")


def _stay(options: argparse.Namespace) -> str:
    return "would stay" if options.dry_run else "stay"


def _counted(verdicts: "Iterable[Verdict]", what: str) -> list[str]:
    """A line for each kind and reason, the largest first."""
    files: Counter[tuple[str, str]] = Counter()
    size: Counter[tuple[str, str]] = Counter()
    for one in verdicts:
        key = str(one.file.kind), one.why
        files[key] += 1
        size[key] += one.file.size
    rows = [
        [kind, str(files[kind, why]), bytes_text(size[kind, why]), why]
        for kind, why in sorted(size, key=lambda key: -size[key])
    ]
    return table([[what, "files", "size", "why"], *rows], left=(0, 3))
