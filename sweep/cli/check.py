"""``check``: what would keep a sweep from running, and what it will cost."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import Commands, add_sweep_file, command, note, say
from sweep.core.errors import UserError
from sweep.core.text import number_of

if TYPE_CHECKING:
    from sweep.config.sweep import SweepConfig


def add_check(commands: Commands) -> None:
    """``mrisweep check``."""
    check = command(
        commands,
        "check",
        _do_check,
        "validate a sweep (settings, data, cluster) and say what it will cost; runs nothing",
        "Where the sweep file names a dataset, and its store is not there yet, the store is made.",
    )
    add_sweep_file(check)
    check.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder that `run` is to make; default sweeps/<name>",
    )


def _say_of_notify(config: "SweepConfig") -> None:
    """Who could not be told from here; the sweep may be driven elsewhere."""
    from sweep.results.delivery import check_notify

    for one in config.notify:
        try:
            check_notify(one)
        except UserError as error:
            note(f"on this machine: {error}")


def _do_check(options: argparse.Namespace) -> None:
    from sweep.api.places import about_places, folder_of, refuse_unwritable
    from sweep.config.sweep import SweepConfig, given_names

    config = SweepConfig.from_yaml(options.sweep, options.set)
    given = given_names(options.sweep, options.set)
    refuse_unwritable(folder_of(config, options.out))
    say(f"read {options.sweep}; looking at data and cluster")
    # Here, as these take seconds to import, and most mistakes are found before.
    from sweep.api.check import estimate
    from sweep.api.dataset import make_store
    from sweep.api.effects import without_effect
    from sweep.api.measure import start_seconds
    from sweep.api.pace import Room
    from sweep.api.preflight import open_data
    from sweep.cluster.survey import survey

    _say_of_notify(config)
    make_store(config.data, say)
    store = open_data(config)
    found = survey(config.cluster)
    room = Room(found.trials, found.finalists, found.cpus, start_seconds())
    cost = estimate(config, store, room)
    trials = number_of(config.search.total, "trial")
    epochs = number_of(config.search.most_epochs(config.train.epochs), "epoch")
    print(f"sweep        {config.name}: {trials} of at most {epochs}, {found.trials} at a time")
    for line in found.lines:
        print(f"cluster      {line}")
    for line in (*without_effect(config, given, store), *about_places(config, options.out, cost)):
        print(f"note         {line}")
    print(f"searching    {', '.join(config.search.dimensions()) or 'nothing'}")
    print(f"sampler      {config.search.described()}")
    print(cost.text())
