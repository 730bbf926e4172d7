"""``best`` for scripts: from a path, without saying where the rows come from."""

from collections.abc import Sequence
from pathlib import Path

from sweep.results import ranking
from sweep.results.ranking import Ranked


def best(
    path: str | Path,
    by: str = "robust/auroc_cvar",
    norm: str | None = None,
    where: Sequence[str] = (),
    top: int | None = None,
) -> list[Ranked]:
    """The ranked configurations of a sweep's folder, see ``sweep.results.ranking.best``."""
    return ranking.best(ranking.of_folder(Path(path)), by, norm, where, top)
