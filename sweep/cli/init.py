"""``init``: a first sweep file for a store."""

import argparse
from pathlib import Path

from sweep.cli.base import Commands, command, say
from sweep.core.errors import UserError


def add_init(commands: Commands) -> None:
    """``mrisweep init``."""
    init = command(
        commands,
        "init",
        _do_init,
        "write a first sweep file for a store, with comments",
        "Splits, sizes, labels and the GPUs of this machine are filled in.",
    )
    init.add_argument("store", type=Path, metavar="STORE.h5", help="of `mrisweep ingest`")
    init.add_argument(
        "--out", type=Path, metavar="FILE", help="new file; without it, the text is printed"
    )
    init.add_argument("--name", help="of the sweep (default: that of the store)")


def _do_init(options: argparse.Namespace) -> None:
    from sweep.core.files import write_text
    from sweep.store import Store

    if options.out is not None and options.out.exists():
        raise UserError(
            "the sweep file is there already", f"{str(options.out)!r}", "choose another name"
        )
    name = options.name or options.store.stem
    store = Store.open(options.store)
    import torch

    from sweep.api.init import first_sweep

    text = first_sweep(store, name, torch.cuda.device_count())
    if options.out is None:
        print(text, end="")
        return
    write_text(options.out, text)
    say(f"{options.out}; next: mrisweep check {options.out}")
