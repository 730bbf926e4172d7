"""``best`` for scripts: from a path, without saying where the rows come from."""

from collections.abc import Sequence
from pathlib import Path

from sweep.config.search import SearchSettings
from sweep.core.errors import UserError
from sweep.results import advice, choice, ranking
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
    pareto: bool = False,
) -> list[Ranked]:
    """The ranked configurations of a sweep's folder, see ``sweep.results.ranking.best``.

    Args:
        path: The sweep's folder.
        by: The metric to rank by; None: the sweep's own objective. With ``pareto`` two metrics,
            ``A,B``; None: the sweep's own objectives.
        norm: The one norm to keep; None: all.
        where: Conditions such as ``clean/auroc>=0.9``, all of which must hold.
        top: The number of rows to keep at most; None: all.
        mode: The one mode to keep, such as ``trained``; None: all.
        pareto: Whether to keep the Pareto front of two objectives alone, sorted by the first.

    Raises:
        UserError: No sweep's folder, ``pareto`` without two metrics, or see there.

    """
    ranked = ranking.of_folder(Path(path))
    own = objective_of(Path(path)), objectives_of(Path(path))
    first, objectives = what_to_rank_by(by, *own, pareto)
    return ranking.best(ranked, first, norm, where, top, mode, objectives, pareto)


def hypervolumes(path: str | Path, by: str | None = None) -> dict[str | None, float]:
    """How much of the square from 0 to 1 of two objectives the trials of a sweep cover together.

    Args:
        path: The sweep's folder.
        by: Two metrics, ``A,B``; None: the sweep's own objectives.

    Returns:
        Of all trials under None, then of those of each norm under its name.

    Raises:
        UserError: No sweep's folder, or not two metrics.

    """
    own = objective_of(Path(path)), objectives_of(Path(path))
    _, objectives = what_to_rank_by(by, *own, pareto=True)
    return ranking.hypervolumes(ranking.of_folder(Path(path)), objectives)


def what_to_rank_by(
    by: str | None, objective: str, objectives: tuple[str, ...], pareto: bool
) -> tuple[str, tuple[str, ...]]:
    """What rows are sorted by, and the two metrics that their Pareto front is of, if any.

    Args:
        by: As asked.
        objective: The sweep's own.
        objectives: The sweep's own two; empty: it has one.
        pareto: Whether the front alone is asked for.

    Raises:
        UserError: A front of anything but two metrics.

    """
    if not pareto:
        return by or objective, objectives
    two = objectives if by is None else tuple(name.strip() for name in by.split(","))
    if len(set(two)) != 2 or len(two) != 2:
        raise UserError(
            "a Pareto front is of two different metrics",
            by or f"a sweep with the one objective {objective}",
            "name them, such as --by clean/auroc,robust/auroc_mean",
        )
    return two[0], two


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


def choice_line(path: Path, norm: str | None = None) -> str | None:
    """What the choice of the best is worth, see ``sweep.results.choice``.

    Args:
        path: The sweep's folder.
        norm: Within one norm; None: of all trials.

    Returns:
        One line; None before the sweep has ended, and of one that an earlier version ended.

    Raises:
        UserError: No sweep's folder.

    """
    found = choice.kept(SweepFolder.open(path))
    return None if found is None else choice.choice_text(found, norm)


def objective_of(path: Path) -> str:
    """The objective of the sweep in a folder.

    Raises:
        UserError: No sweep's folder.

    """
    return SweepFolder.open(path).config().search.objective


def objectives_of(path: Path) -> tuple[str, ...]:
    """The two objectives of the sweep in a folder; empty where it has one.

    Raises:
        UserError: No sweep's folder.

    """
    return SweepFolder.open(path).config().search.objectives
