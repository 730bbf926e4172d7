"""``watch``: a running sweep, shown from another terminal."""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli.base import LOG_EVERY_S, Commands, command, room
from sweep.core.saying import is_terminal

if TYPE_CHECKING:
    from sweep.results.standing import Standing


def add_watch(commands: Commands) -> None:
    """``mrisweep watch``."""
    watch = command(
        commands,
        "watch",
        _do_watch,
        "show a running sweep from another terminal, until it ends",
        "Reads the folder and writes nothing. On a terminal it is drawn anew, elsewhere there is a "
        "line for each trial that ends and now and then one of the whole. It says when no process "
        "drives the sweep, and goes on as another may. Ctrl-C ends it, and not the sweep.",
    )
    watch.add_argument("folder", type=Path, metavar="DIR", help="of the sweep")
    watch.add_argument("--once", action="store_true", help="show it once, as it is now")
    watch.add_argument(
        "--json", action="store_true", help="a JSON object, in one line for each change"
    )
    watch.add_argument(
        "--every", type=float, default=2.0, metavar="SECONDS", help="between two looks"
    )


def _do_watch(options: argparse.Namespace) -> None:
    from sweep.api.watch import require_pause, standing, watch
    from sweep.results.standing_text import lines

    require_pause(options.every)
    if options.once:
        found = standing(options.folder)
        text = "\n".join(lines(found, width=room()))
        print(json.dumps(found.plain(), indent=1) if options.json else text)
        return
    show = _Screen().draw if is_terminal(sys.stdout) else _Lines().draw
    if options.json:
        show = _Lines().json
    for found in watch(options.folder, options.every):
        show(found)


_OF_CLOCK = ("silent_s", "seconds", "epochs_an_hour", "seconds_left")


class _Screen:
    """Some lines that are drawn over each other."""

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, found: "Standing") -> None:
        """In the place of what was drawn before."""
        from sweep.results.standing_text import lines

        width, height = shutil.get_terminal_size()
        whole = lines(found, height, width - 1)
        shown = [text[: width - 1] for text in whole][: height - 1]
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        print(f"{back}\x1b[J" + "\n".join(shown), flush=True)
        self._drawn = len(shown)


class _Lines:
    """Lines of a log, where there is something new."""

    def __init__(self) -> None:
        self._said = ""
        self._at = float(-LOG_EVERY_S)

    def draw(self, found: "Standing") -> None:
        """A line for each trial that has ended, and one of the whole where it changed."""
        from sweep.results.standing_text import ended_line, line, state_text

        for entry in found.fresh:
            print(ended_line(entry, found), flush=True)
        text, now = line(found), time.monotonic()
        news = bool(found.fresh) or state_text(found) != self._said.partition("  |  ")[0]
        if text != self._said and (news or now - self._at >= LOG_EVERY_S):
            self._said, self._at = text, now
            print(text, flush=True)

    def json(self, found: "Standing") -> None:
        """An object where anything but the clock has changed."""
        plain = found.plain()
        steady = {name: value for name, value in plain.items() if name not in _OF_CLOCK}
        if (text := json.dumps(steady)) != self._said:
            self._said = text
            print(json.dumps(plain), flush=True)
