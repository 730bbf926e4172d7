"""What was removed from a sweep's folder, written down before it goes, and said where it lacks."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sweep.config.keep import ALL, KeepSettings, words
from sweep.core.errors import UserError, WorkError
from sweep.core.files import write_text
from sweep.core.kinds import require_kind
from sweep.core.mirrors import fetched
from sweep.core.reading import read_text
from sweep.core.records import TrialRecord
from sweep.results import ranking, trial_files
from sweep.results.retraining import command
from sweep.results.sweep_file import asked, plain_settings

FILE = "removed.jsonl"


@dataclass(frozen=True)
class Removal:
    """One run of ``mrisweep gc``.

    Attributes:
        at_ms: Unix time.
        command: What was run.
        files: What it removed, as paths below the sweep's folder.

    """

    at_ms: int
    command: str
    files: tuple[str, ...]

    def text(self) -> str:
        """When and by what, in words."""
        date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.at_ms / 1000))
        return f"removed by `{self.command}` on {date}"


def note(folder: Path, removal: Removal) -> None:
    """Write down what is about to be removed."""
    known = [*removals(folder), removal]
    lines = (json.dumps(vars(one)) for one in known)
    write_text(folder / FILE, "".join(f"{line}\n" for line in lines))


def removals(folder: Path) -> list[Removal]:
    """What was removed, first to last; lines that are none are left out, as nothing rests on it."""
    try:
        lines = read_text(folder / FILE).splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError, LookupError, RecursionError):
            plain = json.loads(line)
            one = Removal(plain["at_ms"], plain["command"], tuple(plain["files"]))
            require_kind(Removal, one)
            found.append(one)
    return found


class Gone:
    """Why files of trials are not there, by what was removed and by the sweep's own settings.

    Args:
        folder: The sweep's folder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _removed(self) -> dict[str, Removal]:
        return {path: one for one in removals(self.folder) for path in one.files}

    @cached_property
    def _keep(self) -> KeepSettings:
        return KeepSettings.from_plain(plain_settings(self.folder)["keep"])

    def why(self, path: str) -> str | None:
        """Why a file, by its path below the folder, is not there.

        Returns:
            None where it is there, or nothing explains that it is not.

        """
        if (self.folder / path).exists():
            return None
        if path in self._removed:
            return self._removed[path].text()
        kind = path.partition("/")[0]
        kept = words(getattr(self._keep, kind))
        usual = words(getattr(KeepSettings(), kind))
        return None if kept in ((ALL,), usual) else f"not kept, as keep.{kind} is {', '.join(kept)}"


def refuse_missing(folder: Path, path: str, what: str, trial: str) -> None:
    """Raise ``UserError`` where a file of a trial, which is about to be read, is not there.

    Args:
        folder: The sweep's folder.
        path: Of the file below it, in ``checkpoints`` or ``predictions``.
        what: What it holds, such as ``the predictions of trial-0003``.
        trial: The name of the trial.

    """
    if fetched(folder / path).exists():
        return
    why = Gone(folder).why(path)
    remedy = "restore the file from a copy" if why is None else _again(folder, trial)
    raise UserError(f"{what} are not there", why or f"no file {str(folder / path)!r}", remedy)


def _again(folder: Path, trial: str) -> str:
    """How to get back what a trial had."""
    with suppress(OSError, UserError, WorkError):
        record = trial_files.read_trial(folder / trial_files.FOLDER / f"{trial}{trial_files.LAST}")
        return f"train it again with `{command_of(folder, record)}`"
    return "train it again"


def command_of(folder: Path, record: TrialRecord) -> str:
    """The command that trains a trial again."""
    (row, *_) = ranking.of_trials(folder, [record])
    return command(row, asked(folder))
