"""Who is sent word of a sweep, and of what: a webhook or a command of the user's."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from sweep.config.base import Settings, require
from sweep.core.errors import UserError

ENV = "env:"  # before the name of an environment variable
Event = Literal["end", "failure", "best"]


@dataclass(frozen=True, kw_only=True)
class NotifySettings(Settings):
    """One who is sent word, by a ``url`` or by a ``command``.

    Attributes:
        url: ``env:NAME``: the address of a webhook is what the environment variable ``NAME`` holds
            where the sweep is driven. Whoever knows such an address can write to it, so it stands
            in no file.
        command: A program and its arguments, which gets the word on its standard input.
        on: Of what: the ``end`` of the sweep or that a limit paused it, a ``failure`` of a trial or
            of the sweep, a new ``best`` trial. When to change it: you want to hear of every new
            best trial, or of the end alone.
        every: Minutes between two words of failed trials, and of new best ones, the first of which
            comes so long after the beginning; what happens in between is one word. When to change
            it: words come too often.

    """

    url: str | None = None
    command: tuple[str, ...] = ()
    on: tuple[Event, ...] = ("end", "failure")
    every: float = 10.0

    def __post_init__(self) -> None:
        if (self.url is None) == (not self.command):
            raise UserError(
                "a section of notify has neither a url nor a command, or both",
                "both" if self.command else "neither",
                f"give it url: {ENV}NAME, or command: [PROGRAM, ARGUMENT, ...]",
            )
        if self.url is not None and not re.fullmatch(f"{ENV}[A-Za-z_][A-Za-z0-9_]*", self.url):
            raise UserError(
                "url is not the name of an environment variable, and the address of a webhook "
                "would be readable wherever the sweep is",
                f"{_without_secret(self.url)}",
                f"give url: {ENV}NAME, and set NAME to the address where the sweep is driven",
            )
        require(bool(self.on), "on", "one or more of end, failure, best", self.on)
        require(0 <= self.every < float("inf"), "every", "minutes, 0 or more", self.every)

    def to_plain(self) -> dict[str, Any]:
        """As of all settings, without what is not set."""
        plain = super().to_plain()
        return {name: value for name, value in plain.items() if value not in (None, [])}

    @property
    def variable(self) -> str | None:
        """The environment variable that holds the address; None: a command is told."""
        return None if self.url is None else self.url.removeprefix(ENV)

    @property
    def name(self) -> str:
        """What the user knows it by."""
        return self.url or self.command[0]


def listed(notify: Any) -> Any:
    """``notify`` as users write it, one section or a list of some, as a list.

    Raises:
        UserError: Something else, which may be a secret and is not repeated.

    """
    sections = [notify] if isinstance(notify, dict) else [] if notify is None else notify
    if not isinstance(sections, list | tuple) or not all(map(_is_section, sections)):
        raise UserError(
            "notify is neither a section nor a list of sections",
            "something else, which is not repeated, as it may be a secret",
            f"give it keys: url: {ENV}NAME, or command: [PROGRAM, ARGUMENT, ...], and on",
        )
    return sections


def _is_section(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("url"), str | None)


def _without_secret(url: str) -> str:
    """Of an address no more than where it leads; of anything else nothing."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}/..." if parts.hostname else "another text"
    except ValueError:
        return "another text"
