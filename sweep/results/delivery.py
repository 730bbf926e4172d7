"""How word reaches the user: a webhook is posted JSON, a command reads it on its standard input.

What fails is said once, without the address, and neither holds up a sweep nor ends it.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from sweep.config.notify import NotifySettings
from sweep.core.errors import UserError
from sweep.core.leaving import leave_behind
from sweep.results.callbacks import Say

Word = Mapping[str, Any]

TIMEOUT_S = 10.0  # of each step of a request
COMMAND_S = 30.0  # of a command
PAUSES_S = (1.0, 4.0)  # before a request is tried again
PATIENCE_S = 20.0  # at the end of a sweep, for all that is still to be told
BUSY = (408, 425, 429)  # statuses of a server that may answer later, beside those from 500 on


class UndeliveredError(Exception):
    """What was received instead; it never has the address in it.

    Args:
        received: What the user is told.
        again: Whether it may go better in a moment.

    """

    def __init__(self, received: str, again: bool = False) -> None:
        super().__init__(received)
        self.again = again


class Delivery:
    """Delivers words one after the other, in a thread of its own.

    Args:
        settings: To whom.
        say: Says something to the user.
        pauses_s: Seconds before each further try.

    """

    def __init__(
        self, settings: NotifySettings, say: Say, pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        self._settings, self._say, self._pauses_s = settings, say, pauses_s
        self._words: queue.SimpleQueue[tuple[Word, Callable[[], None]] | None] = queue.SimpleQueue()
        self._failed = False
        self._running: subprocess.Popen[bytes] | None = None  # a command
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def send(self, word: Word, delivered: Callable[[], None]) -> None:
        """Deliver a word.

        Args:
            word: What JSON can say.
            delivered: Called in the thread once it is there, and not if it never is.

        """
        self._words.put((word, delivered))

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Wait for what is still to be told, and no longer than ``patience_s``.

        A command that is not through then is ended: nobody would look after it.
        """
        self._words.put(None)
        self._thread.join(patience_s)
        if self._thread.is_alive():
            leave_behind(self._thread)
            self._complain(f"no answer within {patience_s:.3g} s")
            if self._running is not None:
                _end_group(self._running)

    def _work(self) -> None:
        while (item := self._words.get()) is not None:
            word, delivered = item
            try:
                self._deliver(word)
            except UndeliveredError as error:
                self._complain(str(error))
                continue
            except Exception as error:  # whatever it is, the sweep is not to hear of it
                self._complain(type(error).__name__)
                continue
            with suppress(OSError):  # of a full disk, which others say
                delivered()

    def _deliver(self, word: Word) -> None:
        """With further tries, unless one who was told before could not be."""
        for pause_s in () if self._failed else self._pauses_s:
            try:
                return deliver(self._settings, word, self._starts)
            except UndeliveredError as error:
                if not error.again:
                    raise
            time.sleep(pause_s)
        return deliver(self._settings, word, self._starts)

    def _starts(self, command: "subprocess.Popen[bytes]") -> None:
        self._running = command

    def _complain(self, received: str) -> None:
        if not self._failed:
            self._failed = True
            self._say(
                f"notify: {self._settings.name} could not be told; received {received}; it costs "
                "the sweep nothing, and is said once"
            )


def check_notify(settings: NotifySettings) -> None:
    """Refuse one who could be told nothing from here.

    Raises:
        UserError: The environment variable is not set or holds no address, or there is no such
            command.

    """
    if settings.variable:
        _address(settings.variable)
    elif shutil.which(settings.command[0]) is None:
        raise UserError(
            "notify.command is no program that can be run here",
            f"{settings.command[0]!r}",
            "correct it, or give its absolute path",
        )


def deliver(
    settings: NotifySettings,
    word: Word,
    starts: "Callable[[subprocess.Popen[bytes]], None]" = lambda command: None,
) -> None:
    """Deliver a word, now.

    Args:
        settings: To whom.
        word: What JSON can say.
        starts: Given the process of a command.

    Raises:
        UndeliveredError: It could not be.

    """
    body = json.dumps(word).encode()
    if settings.variable:
        _post(settings.variable, body)
    else:
        _run(settings.command, body, starts)


def _address(variable: str) -> str:
    """What an environment variable holds, which no message repeats."""
    address = os.environ.get(variable, "")
    try:
        parts = urlsplit(address)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        ok = False
    if not ok or not address.isascii() or not address.isprintable() or " " in address:
        raise UserError(
            f"the environment variable {variable}, which notify.url names, is not the address of a "
            "webhook",
            "another text" if address else "none",
            f"set {variable} to http://... or https://..., without a user or a password in it",
        )
    return address


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A word is posted where the user said, or nowhere."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None: the redirection is an error."""


def _post(variable: str, body: bytes) -> None:
    try:
        headers = {"Content-Type": "application/json", "User-Agent": "mrisweep"}
        request = urllib.request.Request(_address(variable), body, headers, method="POST")
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1024)
    except UserError as error:
        raise UndeliveredError(error.args[0]) from None
    except urllib.error.HTTPError as error:
        error.close()
        again = error.code in BUSY or error.code >= 500
        raise UndeliveredError(f"the HTTP status {error.code}", again) from None
    except (OSError, HTTPException) as error:  # what it says may have the address in it
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or type(reason).__name__
        raise UndeliveredError(said, again=True) from None


def _run(
    command: tuple[str, ...], body: bytes, starts: "Callable[[subprocess.Popen[bytes]], None]"
) -> None:
    """Its group is ended with it; Ctrl-C is the driver's alone to hear."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise UndeliveredError(error.strerror or type(error).__name__) from None
    starts(process)
    try:
        process.communicate(body, timeout=COMMAND_S)
    except subprocess.TimeoutExpired:
        _end_group(process)
        process.communicate()
        raise UndeliveredError(f"no end within {COMMAND_S:g} s") from None
    if process.returncode:
        raise UndeliveredError(f"the exit status {process.returncode}")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a command and all that it has started; one that has ended is left alone."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
