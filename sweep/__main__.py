"""``python -m sweep`` is ``mrisweep``."""

from sweep.cli import command_line

command_line()
