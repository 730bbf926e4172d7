"""``presets``: the sweeps that are ready to run by a name."""

import argparse

from sweep.cli.base import Commands, command


def add_presets(commands: Commands) -> None:
    """``mrisweep presets``."""
    presets = command(
        commands,
        "presets",
        _do_presets,
        "list the sweeps that are ready to run by a name, or print the file of one",
        "`mrisweep run NAME --set data.store=STORE.h5` runs one; --set changes what it sets.",
    )
    presets.add_argument("name", nargs="?", metavar="NAME", help="print its file")


def _do_presets(options: argparse.Namespace) -> None:
    from sweep.config.presets import preset_text, presets, summary_of
    from sweep.core.text import table

    if options.name is not None:
        print(preset_text(options.name), end="")
        return
    print("\n".join(table([[name, summary_of(name)] for name in presets()], left=None)))
