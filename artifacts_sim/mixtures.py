"""Mixtures of all artifacts of a family."""

from artifacts_sim.catalogue import families
from artifacts_sim.errors import ArtifactError, shown
from artifacts_sim.levels import Grid
from artifacts_sim.registry import get
from artifacts_sim.shifts import Shift


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
