"""Every artifact by name."""

import difflib

from artifacts_sim.base import Artifact
from artifacts_sim.bias import Bias
from artifacts_sim.errors import ArtifactError
from artifacts_sim.ghosting import Ghosting
from artifacts_sim.motion import Motion
from artifacts_sim.rician import Rician
from artifacts_sim.spike import Spike

_artifacts: dict[str, Artifact] = {}


def register(artifact: Artifact) -> None:
    """Make an artifact known under its name.

    Raises:
        ArtifactError: the name is taken.

    """
    if artifact.name in _artifacts:
        raise ArtifactError(
            f"an artifact's name is unique: received {artifact.name!r} again, from "
            f"{type(artifact).__name__}; give it another name"
        )
    _artifacts[artifact.name] = artifact


def names() -> tuple[str, ...]:
    """Return the known artifacts, in the order of registration."""
    return tuple(_artifacts)


def get(name: str) -> Artifact:
    """Return the artifact of this name.

    Raises:
        ArtifactError: it is unknown; the message names the nearest and lists the known.

    """
    if name not in _artifacts:
        near = difflib.get_close_matches(name, _artifacts, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ArtifactError(
            f"artifacts are asked for by name: received {name!r}; {hint}known: {', '.join(names())}"
        )
    return _artifacts[name]


register(Rician())
register(Motion())
register(Ghosting())
register(Spike())
register(Bias())
