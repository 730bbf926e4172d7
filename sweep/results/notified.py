"""What those have been told who are sent word of a sweep: ``notified.json`` in its folder.

It notes what has been delivered, so that a sweep that is gone on with tells nothing twice. What was
there before somebody was to be told is no news.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.config.notify import NotifySettings
from sweep.core.files import write_text
from sweep.core.kinds import require_kind
from sweep.core.reading import glanced

FILE = "notified.json"


@dataclass(frozen=True)
class Known:
    """What somebody has been told, or knew before.

    Attributes:
        best: The name and the epoch of the best trial.
        failed: The names of failed trials.
        end: How the sweep ended, with the number of trials.

    """

    best: tuple[str, int] | None = None
    failed: tuple[str, ...] = ()
    end: tuple[str, int] | None = None


class Notes:
    """What one who is told has been told, in a file that others have their notes in, too.

    Args:
        file: The file.
        settings: Who.

    """

    _one_at_a_time = threading.Lock()

    def __init__(self, file: Path, settings: NotifySettings) -> None:
        self._file = file
        self._whose = f"{settings.name} {' '.join(sorted(settings.on))}"

    def read(self) -> Known | None:
        """What is noted; None where nothing is, and where the file is damaged."""
        try:
            plain = self._all()[self._whose]
            best, end = plain["best"], plain["end"]
            found = Known(best and tuple(best), tuple(plain["failed"]), end and tuple(end))
            require_kind(Known, found)
            return found
        except (LookupError, TypeError, ValueError):
            return None

    def write(self, known: Known) -> Known:
        """Replace what is noted, where the folder can be written to."""
        with self._one_at_a_time, suppress(OSError):
            whole = {**self._all(), self._whose: asdict(known)}
            write_text(self._file, json.dumps(whole, indent=1))
        return known

    def learn(self, learn: Callable[[Known], Known]) -> None:
        """Add to what is noted."""
        self.write(learn(self.read() or Known()))

    def _all(self) -> dict[str, Any]:
        plain = glanced(self._file)
        return plain if isinstance(plain, dict) else {}
