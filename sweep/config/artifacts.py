"""The artifacts of a sweep, made from their names: with the options that the sweep gives them.

A name is that of an artifact, or of a variant, such as ``motion-interleaved``: the artifact's
before a dash, and a word of the user's. Nowhere else in ``sweep`` is an artifact made.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import artifacts_sim
from artifacts_sim import ArtifactError
from sweep.config.base import require
from sweep.config.reading import override
from sweep.core.errors import UserError, nearest, require_known, within

if TYPE_CHECKING:
    from artifacts_sim import Artifact

Options = Mapping[str, Mapping[str, Any]]
"""Name of an artifact or a variant -> its options."""

NO_OPTIONS: Options = MappingProxyType({})
IN_A_SWEEP = "stress.options."
"""What stands before a name in messages on the options of a sweep."""


def artifact_of(name: str, options: Options = NO_OPTIONS, where: str = IN_A_SWEEP) -> "Artifact":
    """The artifact of a name, with the options that it has there; else with its default ones.

    Args:
        name: Of an artifact, or of a variant that ``options`` have.
        options: The options by name.
        where: What stands before the name in messages.

    Raises:
        UserError: Options of a name that is neither, an option that the artifact does not have, or
            a value that it refuses.
        ArtifactError: A name without options that is no artifact's.

    """
    if name not in options:
        return artifacts_sim.get(name)
    base = base_of(name)
    if base not in artifacts_sim.names():
        raise UserError(
            f"{where}{name} is for no artifact, and for no variant of one",
            f"{name!r}",
            f"take an artifact, or name a variant of it as in motion-interleaved; "
            f"{nearest(base, artifacts_sim.names())}",
        )
    for option, value in options[name].items():
        items = value if isinstance(value, list | tuple) else [value]
        plain = all(isinstance(item, bool | int | float | str) for item in items)
        rule = "a number, a text, true or false, or a list of them"
        require(plain, f"{where}{name}.{option}", rule, value)
    defaults = artifacts_sim.get(base).options
    own = {key: _as_number(value, defaults.get(key)) for key, value in options[name].items()}
    try:
        return artifacts_sim.get(base, **own)
    except ArtifactError as error:
        raise within(f"{where}{name}", error) from None


def _as_number(value: Any, default: Any) -> Any:
    """A number in quotes is a number all the same where one is due."""
    if isinstance(default, float) and isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value


def base_of(name: str) -> str:
    """The name of the artifact that a name is a variant of; of any other the name itself."""
    known = artifacts_sim.names()
    base = name
    while base not in known and re.fullmatch(r".+-[A-Za-z0-9_]+", base):
        base = base.rpartition("-")[0]
    return base if base in known else name


def known_names(options: Options) -> tuple[str, ...]:
    """The names of all artifacts, then those of the variants that have options."""
    return tuple(dict.fromkeys((*artifacts_sim.names(), *options)))


def listed(asked: Iterable[str], options: Options, where: str) -> tuple[str, ...]:
    """The names that were asked for, families expanded, each once.

    Args:
        asked: Names of artifacts, variants and families.
        options: The options by name.
        where: What was given, for messages.

    Raises:
        UserError: An unknown name.

    """
    names = tuple(dict.fromkeys(artifacts_sim.expand(tuple(asked))))
    require_known(where, names, known_names(options))
    return names


def check_options(options: Options, where: str = IN_A_SWEEP) -> None:
    """Make the artifact of each name that has options.

    Raises:
        UserError: See ``artifact_of``.

    """
    for name in options:
        artifact_of(name, options, where)


def given_options(assignments: Iterable[str], flag: str = "--options") -> dict[str, dict[str, Any]]:
    """The options of artifacts in ``motion.order=interleaved`` texts.

    Raises:
        UserError: A text that is none of these, an unknown artifact or option, or a value that the
            artifact refuses.

    """
    remedy = "give ARTIFACT.OPTION=VALUE, such as motion.order=interleaved"
    read = override({}, assignments, flag, remedy)
    for name, options in read.items():
        if not isinstance(options, dict):
            raise UserError(f"{flag} cannot be read", f"'{name}={options}'", remedy)
    check_options(read, f"{flag} ")
    return read


def require_used(where: str, options: Options, names: Collection[str]) -> None:
    """Raise ``UserError`` for options of an artifact that is not among those that are asked for."""
    for name in options:
        if name not in names:
            raise UserError(
                f"{where} are of an artifact that is not among those asked for",
                f"{name!r}",
                f"add it to --artifacts, or leave its options out; {nearest(name, names)}",
            )
