"""What a long command shows while it runs: live lines on a terminal, dated lines in a log."""

from sweep.terminal.screen import Body, Screen, on_screen, or_why

__all__ = ["Body", "Screen", "on_screen", "or_why"]
