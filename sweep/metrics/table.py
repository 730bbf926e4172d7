"""The table of metrics: what each is called, and what may be done with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import MappingProxyType
from typing import Literal

from sweep.core.errors import UserError, require_known
from sweep.core.objective import leading
from sweep.core.plugins import added, load
from sweep.core.records import SCORE_COLUMNS
from sweep.metrics import functions
from sweep.metrics.functions import Scores, Truth, Values, Weights

GROUP = "mrisweep.metrics"
# Over the stressed cells, see ``sweep.metrics.robustness``; those behind want a value of chance.
SUMMARIES = ("cvar", "mean", "worst")
OF_CHANCE = ("retention", "area", "degradation")
LESS_IS_BETTER = ("degradation",)


@dataclass(frozen=True)
class Metric:
    """One row: a function of one label in one cell, and its properties.

    Attributes:
        name: The word in ``clean/<name>``, ``robust/<name>_cvar``, ``stress/<artifact>/<name>``.
        function: Scores (N,), the truth (N,) and weights (R, N) or None give (R,).
        higher_is_better: Whether a larger value is the better one.
        unit: What is counted, and resampled as a whole: ``slice`` or ``patient``. A patient shows a
            label if a slice does.
        has_interval: Whether a bootstrap over patients says how sure it is.
        may_be_objective: Whether a sweep may search by it; then higher is better.
        of: Which scores it gets: ``probability``; ``log_odds``, which do not saturate; ``margin``,
            log-odds less the label's operating point, see ``sweep.metrics.operating``.
        pooling: Of patients, what becomes of the scores of a patient's slices: ``max`` or ``mean``.
        chance: The value of a model that knows nothing, above which a part may be retained; None:
            it depends on the slices, and there is no retention.
        has_curve: Whether trackers are told of its course over levels.

    Raises:
        ValueError: A name that is no identifier or is a column's, an objective of which less is
            better, or margins of patients.

    """

    name: str
    function: Callable[[Scores, Truth, Weights | None], Values]
    higher_is_better: bool = True
    unit: Literal["slice", "patient"] = "slice"
    has_interval: bool = True
    may_be_objective: bool = True
    of: Literal["probability", "log_odds", "margin"] = field(default="probability", kw_only=True)
    pooling: Literal["max", "mean"] = field(default="max", kw_only=True)
    chance: float | None = field(default=None, kw_only=True)
    has_curve: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name in SCORE_COLUMNS:
            raise ValueError(
                "the name of a metric is not an identifier, or is one of "
                f"{', '.join(sorted(SCORE_COLUMNS))}; received {self.name!r}; choose another"
            )
        if self.may_be_objective and not self.higher_is_better:
            raise ValueError(
                "an objective is maximised, and less of this metric is better; received "
                f"{self.name!r}; set may_be_objective=False, or negate the metric"
            )
        if self.of == "margin" and self.unit == "patient":
            raise ValueError(
                "an operating point is one of slices, and this metric counts patients; received "
                f"{self.name!r}; let it take log_odds or probability"
            )

    @property
    def clean(self) -> str:
        """The name of its value on clean images."""
        return f"clean/{self.name}"

    def robust(self, summary: str) -> str:
        """The name of its summary over the cells, such as ``mean``."""
        return f"robust/{self.name}_{summary}"

    def names(self) -> tuple[str, ...]:
        """The names of its summaries, those of the stressed cells first."""
        derived = () if self.chance is None else OF_CHANCE
        return (*map(self.robust, (*SUMMARIES, *derived)), self.clean)

    def stress(self, artifact: str) -> str:
        """The name of its severity curve under an artifact."""
        return f"stress/{artifact}/{self.name}"


_LOG_ODDS = partial(Metric, of="log_odds")
_AT_THE_POINT = partial(Metric, of="margin")
_ERROR = partial(Metric, higher_is_better=False, may_be_objective=False, has_curve=False)
_OF_PATIENTS = partial(Metric, unit="patient", has_curve=False)
OURS = (
    _LOG_ODDS("auroc", functions.auroc, chance=0.5),
    _AT_THE_POINT("balanced_accuracy", functions.balanced_accuracy, chance=0.5),
    _AT_THE_POINT("sensitivity", functions.sensitivity, has_curve=False),
    _AT_THE_POINT("specificity", functions.specificity, has_curve=False),
    # Of this and of calibration a bootstrap costs as much as of all others together.
    _LOG_ODDS(
        "average_precision", functions.average_precision, has_interval=False, has_curve=False
    ),
    _ERROR("brier", functions.brier),
    _ERROR("ece", functions.ece, has_interval=False),
    _OF_PATIENTS("patient_auroc", functions.auroc, of="log_odds"),
    _OF_PATIENTS("patient_mean_auroc", functions.auroc, pooling="mean"),
)


@cache
def metrics() -> Mapping[str, Metric]:
    """All metrics by name: those above, then those that installed packages add.

    Raises:
        UserError: A package adds something that is no metric, or under a name that is taken.

    """
    table = {one.name: one for one in OURS}
    for name, point in added(GROUP, table).items():
        one = load(point)
        if not isinstance(one, Metric) or one.name != name:
            raise UserError(
                f"the entry point {name!r} of {GROUP} does not name a Metric of that name",
                f"{one!r} from {point.value}",
                "mend or uninstall that package",
            )
        table[name] = one
    return MappingProxyType(table)


def objectives() -> tuple[str, ...]:
    """What a sweep may be told to maximise."""
    return tuple(
        name
        for metric in metrics().values()
        if metric.may_be_objective
        for name in metric.names()
        if sign(name) > 0
    )


@cache
def metric_of(summary: str) -> Metric | None:
    """The metric that a summary such as ``robust/auroc_cvar`` or ``clean/auroc_tear`` is of.

    Returns:
        None for a name that is of no metric, such as ``train/loss``.

    """
    kind, _, rest = summary.partition("/")
    fitting = [
        metric
        for metric in metrics().values()
        if kind in ("clean", "robust") and f"{rest}_".startswith(f"{metric.name}_")
    ]
    return max(fitting, key=lambda metric: len(metric.name), default=None)


@cache
def sign(summary: str) -> int:
    """1 where more of it is better, -1 where less is."""
    metric = metric_of(summary)
    if metric is None:
        return 1
    if metric.higher_is_better:
        return -1 if summary in map(metric.robust, LESS_IS_BETTER) else 1
    return -1


def metric_for(objective: str, asked: str | None = None) -> Metric:
    """The metric by which a result is shown and compared.

    Args:
        objective: Of the sweep; the metric that it names first, where it names one, else AUROC.
        asked: The name of another one that the user asked for; None: none.

    Raises:
        UserError: There is no such metric.

    """
    if asked is not None:
        require_known("--metric", (asked,), metrics())
        return metrics()[asked]
    return metric_of(leading(objective)) or metrics()["auroc"]
