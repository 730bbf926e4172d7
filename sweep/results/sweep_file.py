"""The ``sweep.yaml`` of a sweep's folder, as far as a question to its results needs it.

Without torch, which takes two seconds to import and answers no question to a record.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.config.reading import read_file
from sweep.config.search import TURNS, SearchSettings
from sweep.core.errors import UserError
from sweep.remote.address import uri_of
from sweep.remote.places import RECORDS, here, known_place, to_drive

FILE = "sweep.yaml"


@dataclass(frozen=True)
class Asked:
    """What a sweep was asked for.

    Attributes:
        name: The name of the sweep.
        seed: The seed of a trial that has none of its own.
        search: How configurations were chosen.
        epochs: Those of a trial, where they were not searched.
        finalists: Whether the best are trained again at the end.
        compared: All that scores depend on besides the models: the sections of data and of the
            stress test.

    """

    name: str
    seed: int
    search: SearchSettings
    epochs: int
    finalists: bool
    compared: dict[str, Any]


def opened(path: str | Path, bring: str = RECORDS, driving: bool = False) -> Path:
    """The absolute path of a sweep's folder; of one in a bucket, where it is on this node.

    Args:
        path: Its path or its URI.
        bring: What of one in a bucket is brought whole, see ``sweep.remote.places``.
        driving: Whether it is opened to be locked and driven, and is brought then.

    Raises:
        UserError: No such folder, or not a sweep's, or a bucket that cannot be opened.
        WorkError: A bucket that does not answer.

    """
    folder = (to_drive(path, FILE) if driving else here(path, bring)).resolve()
    shown = f"{str(uri_of(path) or path)!r}"
    if not folder.is_dir():
        raise UserError("there is no such folder of a sweep", shown, "correct the path")
    if not (folder / FILE).exists():
        raise UserError(
            f"the folder is not a sweep's, as it has no {FILE}",
            shown,
            "give the folder that `mrisweep run` named",
        )
    return folder


def begun(path: str | Path) -> bool:
    """Whether a sweep of this process has begun there; of one in a bucket, as its mirror says."""
    return (known_place(path) / FILE).exists()


def plain_settings(folder: Path) -> dict[str, Any]:
    """The sweep as resolved, nested plain data; one of an earlier version as it was meant then.

    Raises:
        UserError: The file cannot be read.

    """
    raw = read_file(folder / FILE)
    if isinstance(search := raw.get("search"), dict):
        search.setdefault("budget", TURNS)
        search.setdefault("screen", None)
        grace, most = search.get("grace_epochs"), raw.get("train", {}).get("epochs")
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
        return Asked(
            name=raw["name"],
            seed=raw["seed"],
            search=SearchSettings.from_plain(raw["search"]),
            epochs=raw["train"]["epochs"],
            finalists=raw.get("finalists") is not None,
            compared={name: raw[name] for name in ("data", "stress")},
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return _checked(raw)


def _checked(raw: dict[str, Any]) -> Asked:
    """Of a file that somebody has written by hand: read as those of users are, which needs torch.

    Raises:
        UserError: It says what no sweep does.

    """
    from sweep.config.sweep import SweepConfig

    config = SweepConfig.from_dict(raw)
    plain = config.to_plain()
    return Asked(
        name=config.name,
        seed=config.seed,
        search=config.search,
        epochs=config.train.epochs,
        finalists=config.finalists is not None,
        compared={name: plain[name] for name in ("data", "stress")},
    )
