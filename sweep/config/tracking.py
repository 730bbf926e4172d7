"""Who is told of a sweep, and where: addresses of tracking servers, which hold no password."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from sweep.config.base import Settings, require
from sweep.core.errors import UserError
from sweep.core.text import HIDDEN, without_passwords

HERE: Final = "sqlite"  # a database beside the sweep's folder
ENVIRONMENT: Final = "env"  # the address is in the variable below, and nowhere else
VARIABLE: Final = "MLFLOW_TRACKING_URI"
OF_DATABRICKS: Final = "databricks"  # an address that is a word to MLflow
ALL: Final = "all"


@dataclass(frozen=True, kw_only=True)
class TrackingSettings(Settings):
    """Who is told of the results, beside the sweep's folder.

    Attributes:
        uri: The MLflow server, without a password; ``sqlite`` is ``mlflow.db`` beside the sweep's
            folder, ``sqlite:////PATH/mine.db`` a database of your own, with its files beside it,
            ``env`` what ``MLFLOW_TRACKING_URI`` says, which is then kept nowhere. When to
            change it: your group has a server.
        to: The trackers: ``mlflow``, ``jsonl`` (lines of JSON in the sweep's folder), or one that
            an installed package adds. When to change it: lines of JSON are wanted too, or no MLflow
            at all (``[jsonl]``).
        models: Of how many trials of each norm, or of each arm, the best first, MLflow gets the
            network once the sweep has ended; ``all``: of each trial as it ends. When to change it:
            more models are to be served from MLflow.

    """

    uri: str = HERE
    to: tuple[str, ...] = ("mlflow",)
    models: int | Literal["all"] = 1

    def __post_init__(self) -> None:
        number = isinstance(self.models, int) and self.models >= 0
        require(number or self.models == ALL, "models", "0 or more, or all", self.models)

    def server(self, folder: Path) -> str:
        """The MLflow server of the sweep in ``folder``, as MLflow takes it.

        Not to be shown or written: see ``shown``.

        Raises:
            UserError: It is in the environment, and there is none, or what is none.

        """
        return database(folder) if self.uri == HERE else address(self.uri, "tracking.uri")

    def shown(self, folder: Path) -> str:
        """The same as it may be shown: without a password.

        Raises:
            UserError: See ``server``.

        """
        return without_passwords(self.server(folder))

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; what an earlier version kept of a password is left out."""
        return super().to_plain() | {"uri": without_passwords(self.uri)}

    def check(self) -> None:
        """Raise ``UserError`` for an address that is none, or that has a password in it."""
        if self.uri != HERE:
            check_address(self.uri, "tracking.uri")


def database(folder: Path) -> str:
    """The address of the database beside a sweep's folder."""
    return f"sqlite:///{folder.parent / 'mlflow.db'}"


def address(given: str, name: str) -> str:
    """The address of a tracking server as MLflow takes it, which the environment may hold.

    Args:
        given: What the user gave.
        name: What it was given by, for messages.

    Raises:
        UserError: It is in the environment, and there is none, or what is none.

    """
    if given != ENVIRONMENT:
        return given
    if not (found := os.environ.get(VARIABLE, "").strip()):
        raise UserError(
            f"{name} is {ENVIRONMENT}, and the environment has no address",
            f"{VARIABLE} without a value",
            f"set {VARIABLE} to the address of the server",
        )
    _refuse_no_address(found, VARIABLE)
    return found


def check_address(given: str, name: str) -> None:
    """Refuse the address of a tracking server that is none, or that has a password in it.

    Args:
        given: What the user gave.
        name: What it was given by, for messages.

    Raises:
        UserError: It is, or it has.

    """
    whole = "".join(given.split())  # a password with a space in it is one, too
    if (shown := without_passwords(whole)) != whole or HIDDEN in whole:
        raise UserError(
            f"{name} has a password or a token in it, which would be kept and shown",
            f"{shown!r}",
            "leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; of a "
            f"database set {VARIABLE} to the whole address, and {name} to {ENVIRONMENT}",
        )
    if given != ENVIRONMENT:
        _refuse_no_address(given, name)


def _refuse_no_address(given: str, name: str) -> None:
    if not _is_address(given):
        raise UserError(
            f"{name} is no address of a tracking server",
            f"{given!r}",
            f"give http://HOST:5000, sqlite:////PATH/mlflow.db or postgresql://...; tracking.uri "
            f"may be {HERE}, too, or {ENVIRONMENT}, where {VARIABLE} has the address",
        )


def _is_address(given: str) -> bool:
    kind, sign, _ = given.partition("://")
    if kind.lower() not in ("http", "https"):
        return given == OF_DATABRICKS or (bool(sign) and kind.lower() != "file")
    try:
        parts = urlsplit(given)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # of half a bracket, or of a port that is no number
        return False
