"""``python -m sweep`` is ``mrisweep``."""

import sys
from typing import NoReturn

INTERRUPTED = 130  # as a shell has it


def start() -> NoReturn:
    """Run the command of this process, and end it; a Ctrl-C as its modules load says nothing."""
    try:
        from sweep.cli import command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    start()
