"""Whether the settings of a search go together."""

from importlib.util import find_spec

from sweep.config.arms import ARM, check_arms
from sweep.config.search import TURNS, SearchSettings, require_equal_shares
from sweep.core.errors import UserError, nearest
from sweep.core.text import as_written
from sweep.metrics.table import OURS, metric_of

MOST_COMBINATIONS = 100_000  # of a grid; they are laid out in memory, and nobody runs more
INSTEAD = "set search.sampler to auto, tpe or random"


def check_search(search: SearchSettings) -> None:
    """Refuse a search that is not fair, or that its sampler cannot do.

    A sweep that was begun before there was a budget to choose stays what it is.

    Raises:
        UserError: What does not go together, and what would.

    """
    check_arms(search.arms, search.space)
    dimensions = search.dimensions()
    choices = [name for name, one in dimensions.items() if one.kind == "choice"]
    if search.arms and search.stratify != ARM:
        raise UserError(
            "search.stratify is set beside search.arms, which are the strata",
            f"{search.stratify!r}",
            "leave it out",
        )
    if search.stratify not in (None, "model.norm", *choices):
        raise UserError(
            "search.stratify does not name a choice of search.space",
            f"{search.stratify!r}",
            f"search it by {{choice: [...]}}, or set it to null; "
            f"{nearest(str(search.stratify), ('model.norm', *choices))}",
        )
    _check_grid(search)
    if search.budget != TURNS:
        _check_strata(search)
        _check_seed(search)
    _check_sampler(search)
    _check_start(search)
    _check_conditions(search)


def _check_conditions(search: SearchSettings) -> None:
    ours = {one.name for one in OURS}  # which lie in [0, 1]; those of packages may lie anywhere
    for condition in search.conditions():
        written = f"'{condition.metric} {condition.sign} {condition.bound:g}'"
        if condition.sign == "==":
            raise UserError(
                "search.subject_to asks for one exact value, which no trial will have",
                written,
                "ask for >= or <=",
            )
        metric = metric_of(condition.metric)
        if metric and metric.name in ours and not 0 <= condition.bound <= 1:
            raise UserError(
                "search.subject_to has a bound outside 0 to 1, where the metric lies",
                written,
                "give a share, such as 0.9 for 90 %",
            )


def _check_grid(search: SearchSettings) -> None:
    if search.sampler != "grid":
        return
    for name, dimension in search.dimensions().items():
        if dimension.kind != "choice":
            raise UserError(
                f"search.space.{name} is a range, and a grid has combinations of choices alone",
                as_written(search.space[name]),
                "list its values as {choice: [...]}, or set search.sampler to tpe or random",
            )
        if dimension.when:
            raise UserError(
                f"search.space.{name} is searched at times, and a grid tries every combination",
                as_written(search.space[name]),
                f"drop its `when`, or {INSTEAD}",
            )
    combinations = search.combinations()
    if combinations > MOST_COMBINATIONS:
        raise UserError(
            f"search.space has more than the {MOST_COMBINATIONS} combinations of a grid",
            combinations,
            "list fewer values, or set search.sampler to tpe or random",
        )
    if search.trials not in (None, combinations):
        raise UserError(
            "search.trials is not the number of combinations, each of which a grid tries once",
            f"{search.trials} for {combinations} combinations",
            f"leave it out or set it to {combinations}; list fewer values to try fewer",
        )
    for name, given in (("start", search.start), ("from", search.from_)):
        if given:
            raise UserError(
                f"search.{name} is set, and a grid tries its own combinations alone",
                as_written(given),
                f"leave it out, or {INSTEAD}",
            )


def _check_strata(search: SearchSettings) -> None:
    strata = search.strata()
    if len(set(map(str, strata))) != len(strata):
        raise UserError(
            f"two values of {search.stratify}, which are strata of their own, read alike",
            list(strata),
            "drop one, or set search.stratify to null",
        )
    dimension = search.dimensions().get(search.stratify or "")
    if dimension and dimension.when:
        raise UserError(
            f"search.space.{search.stratify} is searched at times, and its values are the strata",
            as_written(search.space[str(search.stratify)]),
            "drop its `when`, or set search.stratify to null",
        )
    otherwise = "set {}, or search.budget to joint if only the winner counts"
    require_equal_shares("search.trials", search.total, search.shares(), otherwise)
    if search.equal == "epochs" and (search.budget != "equal" or search.sampler == "grid"):
        raise UserError(
            "search.equal is epochs, which only strata that are searched by themselves have",
            f"budget {search.budget}, sampler {search.sampler}",
            "set search.budget to equal with another sampler, or search.equal to trials",
        )


def _check_seed(search: SearchSettings) -> None:
    if "seed" in search.space and search.sampler != "grid":
        raise UserError(
            "search.space has the seed, and a search would choose the luckiest",
            as_written(search.space["seed"]),
            "leave it out, or set search.sampler to grid, which tries every seed with everything",
        )


def _check_sampler(search: SearchSettings) -> None:
    if search.sampler != "cmaes":
        return
    free = search.free()
    if search.objectives:
        raise UserError(
            "search.objectives are two, and cmaes knows one", list(search.objectives), INSTEAD
        )
    for name, dimension in free.items():
        if dimension.kind == "choice" or dimension.when.keys() & free.keys():
            raise UserError(
                f"search.space.{name} is a choice or searched at times, and cmaes takes numbers",
                as_written(search.space[name]),
                INSTEAD,
            )
    if search.subject_to:
        raise UserError(
            "search.subject_to is set, and cmaes knows no conditions",
            list(search.subject_to),
            INSTEAD,
        )
    if find_spec("cmaes") is None:
        raise UserError(
            "search.sampler cmaes needs a package that is not installed",
            "no module 'cmaes'",
            f"pip install 'mrisweep[search]', or {INSTEAD}",
        )


def _check_start(search: SearchSettings) -> None:
    dimensions = search.dimensions()
    for number, given in enumerate(search.start):
        where = f"search.start[{number}]"
        for name, value in given.items():
            if name not in dimensions:
                raise UserError(
                    f"{where} has a setting that is not searched",
                    f"{name!r}",
                    nearest(name, dimensions),
                )
            if not dimensions[name].holds(value):
                raise UserError(
                    f"{where} has a value of {name} that search.space does not offer",
                    as_written(value),
                    f"take one of {as_written(search.space[name])}",
                )
    if search.start and search.budget == TURNS:
        raise UserError(
            "search.start is set in a sweep that was begun without", len(search.start), "drop it"
        )
    most = search.total // search.shares()
    number = len(search.start)
    if search.apart():
        name = str(search.stratify)
        number = max(
            sum(given.get(name, stratum) == stratum for given in search.start)
            for stratum in search.strata()
        )
    if number > most:
        raise UserError(
            "search.start has more configurations than a stratum has trials",
            f"{number} for {most}",
            "list fewer, or raise search.trials",
        )
