"""Named families of artifacts: those to search with, and those to hold out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.levels import Grid
from artifacts_sim.registry import get, names
from artifacts_sim.shifts import Shift
from artifacts_sim.values import is_listed, plain

SEARCH = (
    *("rician", "motion", "ghosting", "spike", "bias"),  # of Madaan et al. (MIDL 2023)
    *("wrap", "undersampling", "contrast"),  # of the stages that these leave out
)


def families() -> Mapping[str, tuple[str, ...]]:
    """Return the families by name.

    `search` are those on which configurations are compared: the five of Madaan et al. (MIDL 2023),
    and one of each stage of the scanner that these leave out. `holdout` are all others: a
    configuration that was chosen by the first has not met them. Every stage has members in both,
    where the lines and what is reconstructed of them count as one.
    """
    holdout = tuple(name for name in names() if name not in SEARCH)
    return MappingProxyType({"search": SEARCH, "holdout": holdout})


def expand(wanted: Sequence[str]) -> tuple[str, ...]:
    """Put the artifacts of a family in the place of its name; other names stay.

    Raises:
        ArtifactError: It is not a row of names.

    """
    known, listed = families(), plain(wanted)
    if not is_listed(listed) or not all(isinstance(name, str) for name in listed):
        raise ArtifactError(
            "the artifacts are not a row of names",
            shown(wanted),
            "pass for example ['search', 'metal']",
        )
    return tuple(name for item in listed for name in known.get(item, (item,)))


def family(name: str, *, level: int, grid: Grid | str = "calibrated") -> Shift:
    """Return an equal mixture of a family's artifacts at a level, those that reach it.

    Raises:
        ArtifactError: No such family, or no artifact of it reaches the level.

    """
    if not isinstance(name, str) or name not in families():
        raise ArtifactError(
            "there is no such family of artifacts",
            shown(name),
            f"take one of {', '.join(families())}",
        )
    members = [member for member in families()[name] if get(member).reaches(level, grid)]
    return Shift.mixture(*((Shift.of(member, level=level, grid=grid), 1.0) for member in members))
