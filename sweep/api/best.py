"""``best`` for scripts: from a path, without saying where the rows come from."""

from collections.abc import Sequence
from pathlib import Path

from sweep.config.search import SearchSettings
from sweep.results import advice, ranking
from sweep.results.folder import SweepFolder
from sweep.results.ranking import Ranked
from sweep.results.savings import savings

DEFAULT = SearchSettings().objective  # where nothing says what the sweep's own one was


def best(
    path: str | Path,
    by: str | None = None,
    norm: str | None = None,
    where: Sequence[str] = (),
    top: int | None = None,
    mode: str | None = None,
) -> list[Ranked]:
    """The ranked configurations of a sweep's folder, see ``sweep.results.ranking.best``.

    Args:
        path: The sweep's folder.
        by: The metric to rank by; None: the sweep's own objective.
        norm: The one norm to keep; None: all.
        where: Conditions such as ``clean/auroc>=0.9``, all of which must hold.
        top: The number of rows to keep at most; None: all.
        mode: The one mode to keep, such as ``trained``; None: all.

    Raises:
        UserError: No sweep's folder, or see there.

    """
    ranked = ranking.of_folder(Path(path))
    return ranking.best(ranked, by or objective_of(Path(path)), norm, where, top, mode)


def remarks(path: str | Path) -> list[str]:
    """What a colleague would remark on the search in a sweep's folder, a line each.

    What early stopping saved, a best value near the end of its range, a norm that mostly diverged
    or has few trials, a winner at its first or last epoch.

    Raises:
        UserError: No sweep's folder.

    """
    folder = SweepFolder.open(Path(path))
    config, trials = folder.config(), folder.trials()
    saved = savings(config, trials, folder.last_reported)
    return [*([saved] if saved else []), *advice.remarks(config, trials)]


def objective_of(path: Path) -> str:
    """The objective of the sweep in a folder.

    Raises:
        UserError: No sweep's folder.

    """
    return SweepFolder.open(path).config().search.objective
