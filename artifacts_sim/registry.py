"""Every artifact by name: made when it is asked for first."""

from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from typing import Any

from artifacts_sim import catalogue
from artifacts_sim.base import Artifact
from artifacts_sim.catalogue import SHIPPED, names, nearest, package_of
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.levels import Grid, resolve_grid
from artifacts_sim.params import Params, checked_params
from artifacts_sim.values import check_kind

_artifacts: dict[str, Artifact] = {}


def register(artifact: Artifact) -> None:
    """Make an artifact known under its name, with its default options.

    Raises:
        ArtifactError: It is no artifact, or the name is taken.

    """
    check_kind(
        artifact,
        Artifact,
        "what is registered is not an artifact",
        "pass an instance of a subclass of artifacts_sim.Artifact",
    )
    catalogue.register(artifact.name, type(artifact).__name__)
    _artifacts[artifact.name] = artifact


def unregister(name: str) -> None:
    """Forget an artifact that was registered; one that is not known stays so.

    Raises:
        ArtifactError: The name is not text.

    """
    _check_name(name)
    catalogue.unregister(name)
    _artifacts.pop(name, None)


def _shipped(name: str) -> Artifact:
    """Import an artifact that ships, and make it."""
    made: Artifact = getattr(import_module(f"artifacts_sim.kinds.{name}"), SHIPPED[name])()
    return _artifacts.setdefault(name, made)


def _loaded(name: str) -> Artifact:
    """Import an artifact of another package, and register it."""
    point = catalogue.added()[name]
    package = package_of(point)
    try:
        found = point.load()
        artifact = found() if isinstance(found, type) else found
    except Exception as error:  # the code of another package can raise anything
        raise ArtifactError(
            f"the artifact {name!r} of {package} cannot be imported",
            f"{type(error).__name__}: {error} from {point.value}",
            "mend or uninstall that package",
        ) from error
    if not isinstance(artifact, Artifact) or artifact.name != name:
        raise ArtifactError(
            f"the entry point {name!r} of {package} is not an artifact of that name",
            f"{found!r} from {point.value}",
            "mend or uninstall that package",
        )
    register(artifact)
    return artifact


def get(name: str, /, **options: Any) -> Artifact:
    """Return the artifact of this name; by default, of its default kind.

    Args:
        name: One of `names()`.
        options: What kind of it: the fields of its class.

    Raises:
        ArtifactError: It is unknown; the message names the nearest and lists the known. Or an
            option is unknown, or has a value that the artifact refuses.

    """
    return _with(name, options)


def _with(name: str, options: Mapping[str, Any]) -> Artifact:
    _check_name(name)
    artifact = _artifacts[name] if name in _artifacts else _found(name)
    known = [field.name for field in fields(artifact)]
    for option in options:
        if option not in known:
            raise ArtifactError(f"{name} has no such option", repr(option), nearest(option, known))
    return replace(artifact, **options)


def _found(name: str) -> Artifact:
    """Look for an artifact that nobody has asked for yet.

    To look in other packages costs a look at all that are installed.
    """
    if catalogue.is_registered(name):
        return _shipped(name)
    if name not in catalogue.added():
        raise ArtifactError("there is no such artifact", repr(name), nearest(name, names()))
    return _loaded(name)


def named_grid(grid: Grid | str) -> Grid:
    """A grid of all known artifacts: one that ships by its name, or as it is.

    Raises:
        ArtifactError: Another name; or, for the grid of physical values, which asks every artifact
            for its own, a package whose artifact cannot be imported.

    """
    asked = names() if isinstance(grid, str) and grid == "physical" else ()
    return resolve_grid(grid, {name: get(name).knob for name in asked})


def drawn_by(params: Params) -> Artifact:
    """Return the artifact that drew these parameters, options and all.

    Raises:
        ArtifactError: They are no params, or of an artifact or with options that are unknown.

    """
    params = checked_params(params)
    return recorded(params.name, params.options)


def recorded(name: Any, options: Any) -> Artifact:
    """Return the artifact of a record.

    Raises:
        ArtifactError: The artifact or an option is unknown, or the options are not under names.

    """
    if not isinstance(options, Mapping) or not all(isinstance(one, str) for one in options):
        raise ArtifactError(
            "the options of an artifact are not under names",
            shown(options),
            "pass what `to_dict` gave",
        )
    return _with(name, options)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise ArtifactError(
            "the name of an artifact is not text", shown(name), nearest("", names())
        )
