"""``best`` for scripts: from a path, without saying where the rows come from."""

from collections.abc import Sequence
from pathlib import Path

from sweep.results import ranking
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked


def best(
    path: str | Path,
    by: str | None = None,
    norm: str | None = None,
    where: Sequence[str] = (),
    top: int | None = None,
) -> list[Ranked]:
    """The ranked configurations of a sweep's folder, see ``sweep.results.ranking.best``.

    Args:
        path: The sweep's folder.
        by: The metric to rank by; None: the sweep's own objective.
        norm: The one norm to keep; None: all.
        where: Conditions such as ``clean/auroc>=0.9``, all of which must hold.
        top: The number of trials to keep at most; None: all.

    Raises:
        UserError: No sweep's folder, or see there.

    """
    by = by or SweepFolder.open(Path(path)).config().search.objective
    return ranking.best(ranking.of_folder(Path(path)), by, norm, where, top)
