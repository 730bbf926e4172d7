"""The table of metrics: what each is called, and what may be done with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from sweep.core.errors import UserError
from sweep.core.plugins import added, load
from sweep.core.records import SCORE_COLUMNS
from sweep.metrics.functions import Probability, Truth, Values, Weights, auroc, balanced_accuracy

GROUP = "mrisweep.metrics"
SUMMARIES = ("cvar", "mean", "worst")


@dataclass(frozen=True)
class Metric:
    """One row: a function of one label in one cell, and its properties.

    Attributes:
        name: The word in ``clean/<name>``, ``robust/<name>_cvar``, ``stress/<artifact>/<name>``.
        function: The probability (N,), the truth (N,) and weights (R, N) or None give (R,).
        higher_is_better: Whether a larger value is the better one.
        unit: What is counted, and resampled as a whole: ``slice``, or ``patient``, whose
            probability is the greatest of the patient's slices.
        has_interval: Whether a bootstrap over patients says how sure it is.
        may_be_objective: Whether a sweep may search by it; then higher is better.

    Raises:
        ValueError: A name that is no identifier or is a column's, or an objective of which less
            is better.

    """

    name: str
    function: Callable[[Probability, Truth, Weights | None], Values]
    higher_is_better: bool = True
    unit: Literal["slice", "patient"] = "slice"
    has_interval: bool = True
    may_be_objective: bool = True

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

    @property
    def clean(self) -> str:
        """The name of its value on clean images."""
        return f"clean/{self.name}"

    def robust(self, summary: str) -> str:
        """The name of its summary over the cells: ``mean``, ``worst``, ``cvar``."""
        return f"robust/{self.name}_{summary}"

    def names(self) -> tuple[str, ...]:
        """The names of its summaries, those of the stressed cells first."""
        return (*map(self.robust, SUMMARIES), self.clean)

    def stress(self, artifact: str) -> str:
        """The name of its severity curve under an artifact."""
        return f"stress/{artifact}/{self.name}"


OURS = (Metric("auroc", auroc), Metric("balanced_accuracy", balanced_accuracy))


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
        name for metric in metrics().values() if metric.may_be_objective for name in metric.names()
    )


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


def sign(summary: str) -> int:
    """1 where more of it is better, -1 where less is."""
    metric = metric_of(summary)
    return 1 if metric is None or metric.higher_is_better else -1
