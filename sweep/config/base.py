"""What all settings are: frozen, plain values, checked when made."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, get_args, get_type_hints

from sweep.core.arguments import fits, in_words
from sweep.core.errors import UserError
from sweep.core.text import as_written

MOST_SEED = 2**63 - 1

_heard: ContextVar[list[tuple[str, str]] | None] = ContextVar("rules", default=None)


@contextmanager
def heard_rules() -> Iterator[list[tuple[str, str]]]:
    """The rules that settings made inside are held to: the name of a setting, and its rule."""
    rules: list[tuple[str, str]] = []
    token = _heard.set(rules)
    try:
        yield rules
    finally:
        _heard.reset(token)


def require(ok: bool, name: str, rule: str, received: object) -> None:
    """Raise ``UserError`` unless ``ok``: the setting, its rule, what was received."""
    if (heard := _heard.get()) is not None:
        heard.append((name, rule))
    if not ok:
        raise UserError(f"{name} cannot take this value", as_written(received), f"give {rule}")


def require_seed(name: str, seed: int) -> None:
    """Raise ``UserError`` unless it is a seed, which every generator takes."""
    require(0 <= seed <= MOST_SEED, name, "0 to 2^63 - 1", seed)


def key_of(name: str) -> str:
    """The key that users write for a field; one that is a word of Python has ``_`` behind it."""
    return name.removesuffix("_")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of every settings class: an unknown key is an error."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "alias_generator": key_of}

    def __post_init__(self) -> None:
        """Hold the values to their rules, each by ``require``; there are none by default."""

    def __init_subclass__(cls) -> None:
        """Have a rule that cannot even be asked of a value, as of a text for a number, say so."""
        super().__init_subclass__()
        rules = cls.__post_init__

        @functools.wraps(rules)
        def held(self: Self) -> None:
            try:
                rules(self)
            except (TypeError, AttributeError) as error:
                raise _of_another_kind(self, error) from error

        cls.__post_init__ = held  # type: ignore[method-assign, assignment]

    def to_plain(self) -> dict[str, Any]:
        """Nested dictionaries, lists and plain values."""
        return {key_of(field.name): plain_of(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Back from ``to_plain``; checked anew, but not converted as from a user's YAML."""
        known = {key_of(field.name): field for field in fields(cls)}
        values = {known[key].name: settled(known[key].type, plain[key]) for key in plain}
        return cls(**values)


def _of_another_kind(settings: Settings, error: Exception) -> UserError:
    """What is wrong with settings that a script has made, each of any value."""
    for name, kind in get_type_hints(type(settings)).items():
        if not fits(value := getattr(settings, name), kind):
            wrong = f"{key_of(name)} cannot take this value"
            return UserError(wrong, as_written(value), f"give {in_words(kind)}")
    return UserError(
        f"{type(settings).__name__} cannot take these values ({error})",
        as_written(settings.to_plain()),
        "give each of its type, or make it by SweepConfig.from_dict, which names the one",
    )


def plain_of(value: Any) -> Any:
    """A value as JSON or YAML could have it."""
    if isinstance(value, Settings):
        return value.to_plain()
    if isinstance(value, dict):
        return {key: plain_of(item) for key, item in value.items()}
    return [plain_of(item) for item in value] if isinstance(value, list | tuple) else value


def settled(kind: Any, value: Any) -> Any:
    """Back from ``plain_of``: a settings class where ``kind`` is or has one, lists as tuples."""
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, Settings) and value is not None:
            if isinstance(value, list | tuple):
                return tuple(map(one.from_plain, value))
            return one.from_plain(value)
    if isinstance(value, dict):
        return {key: settled(None, item) for key, item in value.items()}
    return tuple(value) if isinstance(value, list) else value
