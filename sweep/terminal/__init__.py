"""What a long command shows while it runs: live lines on a terminal, dated lines in a log."""

from sweep.terminal.screen import Body, Screen, on_screen

__all__ = ["Body", "Screen", "on_screen"]
