"""The ``sweep.yaml`` of a sweep's folder, as far as a question to its results needs it.

Without torch, which takes two seconds to import and answers no question to a record.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.config.keep import KeepSettings
from sweep.config.reading import read_file
from sweep.config.search import TURNS, SearchSettings
from sweep.core.errors import UserError
from sweep.core.kinds import require_kind
from sweep.core.text import UNNAMEABLE
from sweep.remote import places
from sweep.remote.address import uri_of

if TYPE_CHECKING:
    from sweep.config.sweep import SweepConfig

FILE = "sweep.yaml"
MARK = "sweep.json"  # which sweep it is; a folder without it is a user's own
USED = "used.json"  # the time that trials have used
# What a folder holds before its ``sweep.yaml`` is there, and what a kill leaves of a write.
_BEFORE = re.compile(r"sweep\.json|levels\.json|\.(lock|mirror|owner)|\.[\w.-]+\.tmp")


@dataclass(frozen=True)
class Asked:
    """What a sweep was asked for.

    Attributes:
        name: The name of the sweep.
        seed: The seed of a trial that has none of its own.
        search: How configurations were chosen.
        epochs: Those of a trial, where they were not searched.
        finalists: Whether the best are trained again at the end.
        keep: What stays of trials that have ended.
        compared: All that scores depend on besides the models: the sections of data and of the
            stress test.

    """

    name: str
    seed: int
    search: SearchSettings
    epochs: int
    finalists: bool
    keep: KeepSettings
    compared: dict[str, Any]

    @property
    def caution(self) -> str | None:
        """What flatters scores by how the store was made; None = nothing that is known."""
        caution = self.compared["data"].get("caution")
        return str(caution) if caution else None


def opened(path: str | Path, bring: str = places.RECORDS, driving: bool = False) -> Path:
    """The absolute path of a sweep's folder; of one in a bucket, where it is on this node.

    Args:
        path: Its path or its URI.
        bring: What of one in a bucket is brought whole, see ``sweep.remote.places``.
        driving: Whether it is opened to be locked and driven, and is brought then.

    Raises:
        UserError: No such folder, or not a sweep's, or a bucket that cannot be opened.
        WorkError: A bucket that does not answer.

    """
    there = places.to_drive(path, FILE, MARK) if driving else places.here(path, bring)
    folder = there.resolve()
    shown = f"{places.shown(path)!r}"
    if not places.is_there(folder):
        raise UserError("there is no such folder of a sweep", shown, "correct the path")
    if half_made(folder):
        raise UserError(
            f"the sweep in the folder was never begun, as it has no {FILE}",
            shown,
            f"begin it by `mrisweep run SWEEP.yaml --out {places.shown(path)}`",
        )
    lacking = [name for name in (FILE, MARK) if not (folder / name).exists()]
    if lacking and (FILE in lacking or not (folder / "trials").is_dir()):
        raise UserError(
            f"the folder is not a sweep's, as it has no {lacking[0]}",
            shown,
            "give the folder that `mrisweep run` named",
        )
    return folder


def require_nameable(path: str | Path) -> None:
    """Raise ``UserError`` for the path or URI of a new sweep that not everybody could name.

    Neither Ray nor MLflow takes a path that is no text, and no record has one.
    """
    known = str(path)
    if UNNAMEABLE.search(known) is None and uri_of(path) is None:
        known = os.path.realpath(path)
    if UNNAMEABLE.search(known):
        raise UserError(
            "the path of a sweep's folder has a control character in it, or is not UTF-8",
            f"{known!r}",
            "choose another with --out",
        )


def is_free(path: str | Path) -> bool:
    """Whether a sweep can begin at a path or URI: there is nothing but what a kill left of one.

    Raises:
        UserError: A bucket that cannot be opened, or not be written; or see ``require_nameable``.
        WorkError: A bucket that does not answer.

    """
    require_nameable(path)
    if (names := places.names_in_bucket(path)) is not None:
        return all(_BEFORE.fullmatch(name) for name in names)
    return not os.path.lexists(path) or half_made(Path(path))


def names_at(path: str | Path) -> list[str]:
    """What lies directly at a path or a URI that is there, by name.

    Raises:
        UserError: A bucket that cannot be opened, or not be written.
        WorkError: A bucket that does not answer.

    """
    if (names := places.names_in_bucket(path)) is not None:
        return names
    place = Path(path)
    return sorted(file.name for file in place.iterdir()) if place.is_dir() else ["a file"]


def half_made(path: Path) -> bool:
    """Whether a path is a folder that was made for a sweep which a kill kept from being begun."""
    return path.is_dir() and all(_BEFORE.fullmatch(one.name) for one in path.iterdir())


def is_sweep(folder: Path) -> bool:
    """Whether a folder of this machine is that of a sweep, which has a mark of its own."""
    return (folder / FILE).is_file() and (folder / MARK).is_file()


def begun(path: str | Path) -> bool:
    """Whether a sweep of this process has begun there; of one in a bucket, as its mirror says."""
    return (places.known_place(path) / FILE).exists()


def plain_settings(folder: Path) -> dict[str, Any]:
    """The sweep as resolved, nested plain data; one of an earlier version as it was meant then.

    Raises:
        UserError: The file cannot be read.

    """
    raw = read_file(folder / FILE)
    raw.setdefault("keep", {"predictions": "all"})  # as it was before there was a choice
    if isinstance(search := raw.get("search"), dict):
        search.setdefault("budget", TURNS)
        search.setdefault("screen", None)
        train = raw.get("train")
        most = train.get("epochs") if isinstance(train, dict) else None
        grace = search.get("grace_epochs")
        if "keep" not in search and isinstance(grace, int) and isinstance(most, int):
            search["grace_epochs"] = min(grace, most)  # as it was taken then
    return raw


def asked(folder: Path) -> Asked:
    """What the sweep in a folder was asked for.

    Raises:
        UserError: The file cannot be read, or says what no sweep does.

    """
    raw = plain_settings(folder)
    try:
        found = Asked(
            name=raw["name"],
            seed=raw["seed"],
            search=SearchSettings.from_plain(raw["search"]),
            epochs=raw["train"]["epochs"],
            finalists=raw.get("finalists") is not None,
            keep=KeepSettings.from_plain(raw["keep"]),
            compared={name: raw[name] for name in ("data", "stress")},
        )
        require_kind(Asked, found)
        return found
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _checked(folder, raw)


def config_in(folder: Path, raw: dict[str, Any] | None = None) -> "SweepConfig":
    """The sweep in a folder as resolved; one that an earlier version began goes on as it began.

    Args:
        folder: The folder of the sweep.
        raw: Its plain settings, where they have been read; None: they are read here.

    Raises:
        UserError: The file cannot be read, says what no sweep does, or is a stranger's and names
            code.

    """
    from sweep.config.strangers import guarded
    from sweep.config.sweep import SweepConfig

    with guarded(folder / FILE):
        return SweepConfig.from_dict(plain_settings(folder) if raw is None else raw)


def _checked(folder: Path, raw: dict[str, Any]) -> Asked:
    """Of a file that somebody has written by hand: read as those of users are.

    Raises:
        UserError: It says what no sweep does.

    """
    config = config_in(folder, raw)
    plain = config.to_plain()
    return Asked(
        name=config.name,
        seed=config.seed,
        search=config.search,
        epochs=config.train.epochs,
        finalists=config.finalists is not None,
        keep=config.keep,
        compared={name: plain[name] for name in ("data", "stress")},
    )
