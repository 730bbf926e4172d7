"""What a user can set for the search: how configurations are chosen and weak ones stopped."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sweep.config.arms import ARM
from sweep.config.base import Settings, require
from sweep.config.limits import LimitSettings
from sweep.config.screen import ScreenSettings
from sweep.config.space import Dimension, in_order
from sweep.core.conditions import Condition
from sweep.core.errors import UserError, require_known
from sweep.core.objective import mean_of, terms, value_of
from sweep.metrics import objectives

TRIALS, MOST_TRIALS = 20, 100_000  # each is held in memory, and nobody runs more
EPOCHS = "train.epochs"  # the setting that says how long a trial may train
START = 4  # Sobol points of each stratum, before anything is learnt from
OBJECTIVE = "robust/auroc_cvar"
STRATIFY = "model.norm"
TURNS = "turns"  # how sweeps were begun before there was a budget to choose

GRACE, TOPK_GRACE = 1 / 4, 1 / 8  # of the epochs, before any trial is stopped
KEEP = 2  # trials of a stratum that topk lets go on
HALVING = ("asha", "hyperband", "pasha")  # schedulers whose rungs lie further and further apart

LEARNERS = ("tpe", "gp", "cmaes", "nsga2")  # samplers that learn from trials that have ended

Scheduler = Literal["auto", "asha", "hyperband", "median", "topk", "pasha", "none"]
Sampler = Literal["auto", "tpe", "gp", "cmaes", "nsga2", "sobol", "random", "grid"]


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Settings):
    """How configurations are chosen.

    Attributes:
        trials: How many in all; null: 20, or the next number that the strata divide, of a grid
            all combinations, which it never has more or less of, and 1 where nothing is searched.
            When to change it: ``best`` remarks that a norm has few trials, or that a best value
            lies at the end of its range.
        space: Dotted setting -> ``{kind: values}``: ``choice``, ``uniform``, ``log``, ``int`` or
            ``int_log``, see docs/search.md.
        arms: What is compared where a norm alone does not say it: a name -> settings by dotted
            name, such as a norm with an augmentation. Arms are the strata; none: there are none.
            When to change it: norms are compared together with something else, such as an
            augmentation.
        sampler: ``gp`` (Gaussian process), ``tpe``, ``cmaes``, ``nsga2`` learn from what was told;
            ``sobol`` and ``random`` do not; ``grid`` tries every combination of choices once, in an
            order that follows from the seed. ``auto``: see ``method``. When to change it: another
            one is to be compared (docs/search.md has figures of all), or every combination of a
            grid is wanted.
        scheduler: How weak trials are stopped early, each among its stratum: ``asha``,
            ``hyperband``, ``median``, ``topk``, ``pasha``, see docs/search.md#early-stopping;
            ``none`` lets each run to its end. ``auto``: ``topk``, but where the search is to learn
            from trials that have ended ``asha`` (as ``tpe`` does, or with conditions, an earlier
            sweep or equal epochs) or ``none`` (for the other samplers, and for a grid). When to
            change it: trials are cheap and all are to run to their end (``none``), or a scheduler
            of the literature is wanted.
        objective: The score to maximise, on the validation patients: a metric, or a weighted sum
            such as ``0.7 clean/auroc + 0.3 robust/auroc_cvar``. It decides the best epoch of a
            trial, and ranks trials. ``auto``: ``robust/auroc_cvar``, or the mean of two objectives.
            When to change it: clean images are to count as well, or the worst cell alone.
        objectives: Two metrics to maximise together, neither at the cost of the other; the
            ``objective`` is then a sum of both. When to change it: it is not known how much of the
            one is worth how much of the other.
        stop_by: What of two objectives weak trials are told by: ``pareto``, the rank of their pair
            (see docs/search.md#two-objectives), or the ``objective``.
        subject_to: Conditions such as ``clean/auroc >= 0.9`` on the best epoch of a trial; the
            sampler looks for the best objective among trials that meet all of them. When to change
            it: a model below some clean score is of no use, however robust it is.
        stratify: A searched choice whose values are the strata: each competes for epochs with its
            like only, and has its budget; null: there are none. When to change it: groups other
            than norms are compared.
        budget: ``equal``: each stratum is searched by itself, with the same number of trials, the
            first of which are the same for all; ``joint``: one search, whose sampler chooses the
            stratum, too, for those who want the winner and compare nothing; ``turns``: one search
            whose strata take turns, as sweeps of earlier versions began, to resume these. When to
            change it: only the winner matters, and no norm is compared (``joint``).
        equal: Of the strata the ``trials`` are equal in number, or, where weak ones are stopped,
            their ``epochs``, as far as whole trials allow. When to change it: norms differ so much
            in how long they train that equal trials are unfair.
        start: Configurations to begin with, in each stratum that they do not exclude; what one
            leaves out comes from a Sobol point. When to change it: you have configurations that
            must be among those tried.
        from_: Folder of an earlier sweep with the same data, stress test and objective, whose
            trials the sampler learns from as if they were of this one. When to change it: an
            earlier sweep with the same data and stress test has already learnt something.
        grace_epochs: No trial is stopped before this epoch; null: a quarter of the epochs that a
            trial has at most, rounded up, or with ``topk`` an eighth. When to change it: norms
            begin unequally fast, and are compared before they can be told apart.
        reduction: The best 1 / ``reduction`` of a rung go on, and the next is that much later. When
            to change it: more trials should be stopped earlier (3 or 4).
        keep: How many of a stratum ``topk`` lets go on; null: 2. When to change it: more of each
            norm should run to their end.
        screen: On what early epochs are scored; null: every epoch on everything. When to change it:
            epochs are few or validation is small, so that scoring all in full costs little
            (``null``).
        limits: What all trials may use together, see docs/search.md#limits.

    """

    trials: int | None = None
    space: dict[str, Any] = field(default_factory=dict)
    arms: dict[str, dict[str, Any]] = field(default_factory=dict)
    sampler: Sampler = "auto"
    scheduler: Scheduler = "auto"
    objective: str = "auto"
    objectives: tuple[str, ...] = ()
    stop_by: Literal["pareto", "objective"] = "pareto"
    subject_to: tuple[str, ...] = ()
    stratify: str | None = STRATIFY
    budget: Literal["equal", "joint", "turns"] = "equal"
    equal: Literal["trials", "epochs"] = "trials"
    start: tuple[dict[str, Any], ...] = ()
    from_: str | None = None
    grace_epochs: int | None = None
    reduction: float = 2.0
    keep: int | None = None
    screen: ScreenSettings | None = field(default_factory=ScreenSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)

    def __post_init__(self) -> None:
        trials = self.trials
        rule = f"1 to {MOST_TRIALS:,}"
        require(trials is None or 1 <= trials <= MOST_TRIALS, "trials", rule, trials)
        grace = self.grace_epochs
        require(grace is None or grace >= 1, "grace_epochs", "1 or more", grace)
        require(self.keep is None or self.keep >= 1, "keep", "1 or more", self.keep)
        require(self.reduction > 1, "reduction", "a number above 1", self.reduction)
        if self.arms and self.stratify == STRATIFY:
            object.__setattr__(self, "stratify", ARM)
        self._settle_objective()
        self._settle_scheduler()
        require_known("subject_to", [one.metric for one in self.conditions()], objectives())

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``limits`` and ``arms`` where there are none.

        So the record of a sweep that has none is what it was before there were any.
        """
        plain = super().to_plain()
        if self.limits == LimitSettings():
            del plain["limits"]
        if not self.arms:
            del plain["arms"]
        return plain

    def _settle_objective(self) -> None:
        two = self.objectives
        require_known("objectives", two, objectives())
        if two and (len(two) != 2 or two[0] == two[1]):
            raise UserError(
                "objectives are not two different metrics",
                list(two),
                "name two, such as [clean/auroc, robust/auroc_mean], or set objective to one",
            )
        if self.objective == "auto":
            object.__setattr__(self, "objective", mean_of(two) if two else OBJECTIVE)
        summed = terms(self.objective)
        require_known("objective", tuple(summed), objectives())
        if two and summed.keys() != set(two):
            raise UserError(
                "objective, which decides the best epoch of a trial, is no sum of both objectives",
                f"{self.objective!r} with {list(two)}",
                f"leave it out for their mean, {mean_of(two)!r}, or give other weights",
            )
        require(min(summed.values()) > 0, "objective", "weights above 0", self.objective)

    def _settle_scheduler(self) -> None:
        if self.scheduler != "auto":
            return
        learns = self.from_ is not None or bool(self.subject_to) or self.equal == "epochs"
        chosen = "topk"
        if self.sampler == "tpe" or (self.sampler == "auto" and learns):
            chosen = "asha"
        elif self.sampler in (*LEARNERS, "grid"):
            chosen = "none"
        object.__setattr__(self, "scheduler", chosen)

    @property
    def maximised(self) -> tuple[str, ...]:
        """What is maximised: the two objectives, or the one."""
        return self.objectives or (self.objective,)

    def values(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """What is maximised, of the metrics of an epoch; NaN for what is missing."""
        return tuple(value_of(metrics, name) for name in self.maximised)

    def compared(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """What early stopping compares, of the metrics of an epoch; NaN for what is missing."""
        if self.stop_by == "objective":
            return (value_of(metrics, self.objective),)
        return self.values(metrics)

    @property
    def total(self) -> int:
        """How many trials: as set, or the default, or the combinations of the grid."""
        if self.trials is not None:
            return self.trials
        if self.sampler == "grid":
            return self.combinations()
        if not self.space and not self.arms:
            return 1
        return math.ceil(TRIALS / self.shares()) * self.shares()

    def dimensions(self) -> dict[str, Dimension]:
        """The arms and the search space, read; none stands before those that it depends on."""
        arms = {ARM: Dimension("choice", tuple(self.arms))} if self.arms else {}
        read = {name: Dimension.parse(name, written) for name, written in self.space.items()}
        return in_order({**arms, **read})

    def strata(self) -> tuple[Any, ...]:
        """The values that trials are compared within; empty where nothing is stratified."""
        dimension = self.dimensions().get(self.stratify or "")
        return dimension.values if dimension and dimension.kind == "choice" else ()

    def apart(self) -> bool:
        """Whether each stratum is searched by itself."""
        return self.budget == "equal" and bool(self.strata())

    def free(self) -> dict[str, Dimension]:
        """The dimensions that are drawn, and not dealt out as strata."""
        dimensions = self.dimensions()
        if self.apart():
            dimensions.pop(str(self.stratify))
        return dimensions

    def shares(self) -> int:
        """How many parts of an equal number of trials the total has to have."""
        return len(self.strata()) if self.apart() and self.equal == "trials" else 1

    def screening(self, epochs: int) -> ScreenSettings | None:
        """``screen`` with the epochs that are scored in full, where ``epochs`` are set."""
        return self.screen and self.screen.resolved(self.rungs(epochs), self.most_epochs(epochs))

    def conditions(self) -> tuple[Condition, ...]:
        """``subject_to``, read."""
        return tuple(Condition.parse(text, "subject_to") for text in self.subject_to)

    def method(self) -> str:
        """The sampler, that of ``auto`` as well.

        A Gaussian process reads finished trials alone and every dimension of each, so ``auto`` is
        ``gp`` where no trial is stopped early and none lacks a dimension that another of its
        stratum has, and else ``tpe``; ``sobol`` with ``topk``, where none has ended before all have
        begun.
        """
        if self.sampler != "auto":
            return self.sampler
        if self.scheduler == "topk":
            return "sobol"
        free = self.free()
        varying = any(one.when.keys() & free.keys() for one in free.values())
        return "tpe" if self.scheduler != "none" or varying else "gp"

    def most_epochs(self, epochs: int) -> int:
        """The epochs that a trial has at most, where ``epochs`` are set and may be searched."""
        dimension = self.dimensions().get(EPOCHS)
        if dimension is None:
            return epochs
        offered = [*dimension.values, *([epochs] if dimension.when else [])]
        return int(max(offered))

    def grace(self, epochs: int) -> int:
        """The first epoch at which a trial may be stopped, of ``epochs`` as set."""
        if self.grace_epochs is not None:
            return self.grace_epochs
        share = TOPK_GRACE if self.scheduler == "topk" else GRACE
        return math.ceil(share * self.most_epochs(epochs))

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs at which trials are compared, ascending, all below the last.

        Args:
            epochs: As set; where they are searched, the longest trial decides, so that all are
                compared at the same epochs.

        """
        last, rung = self.most_epochs(epochs), float(self.grace(epochs))
        if self.scheduler == "topk":
            return (self.grace(epochs),) if rung < last else ()
        if self.scheduler not in HALVING:
            return ()
        rungs = []
        while math.ceil(rung) < last:
            rungs.append(math.ceil(rung))
            rung = self.grace(epochs) * self.reduction ** len(rungs)
        return tuple(dict.fromkeys(rungs))

    def waits_after(self, epochs: int) -> int | None:
        """The epoch after which a trial waits for others; None: none does."""
        rungs = self.rungs(epochs) if self.scheduler == "topk" else ()
        return rungs[0] if rungs else None

    def kept(self) -> int:
        """How many of a stratum ``topk`` lets go on."""
        return KEEP if self.keep is None else self.keep

    def described(self) -> str:
        """Which sampler has how many trials for what, in words."""
        strata = ", ".join(map(str, self.strata()))
        if not strata:
            return self.method()
        if self.budget == "joint":
            return f"{self.method()}, which chooses among {strata}"
        if self.shares() == 1:
            return f"{self.method()}, equal {self.equal} for {strata}"
        return f"{self.method()}, {self.total // self.shares()} for each of {strata}"

    def extended(self, more: int) -> "SearchSettings":
        """The search with more trials.

        Raises:
            UserError: A grid, which has no more, or a number that the strata do not divide.

        """
        if self.sampler == "grid":
            raise UserError(
                "a grid has no trials beyond its combinations, each of which is tried once",
                f"{more} more than {self.total}",
                "resume without more trials, or start a new sweep on other values",
            )
        require_equal_shares("the trials to add", more, self.shares(), "add {}")
        return replace(self, trials=self.total + more)

    def combinations(self) -> int:
        """How many a grid has."""
        return math.prod(len(one.values) for one in self.dimensions().values())


def require_equal_shares(what: str, number: int, shares: int, remedy: str) -> None:
    """Raise ``UserError`` unless ``shares`` divides ``number``.

    Args:
        what: What is shared out, for the message.
        number: How many.
        shares: For how many strata.
        remedy: What to do, with ``{}`` in the place of the nearest that they divide.

    """
    below = number // shares * shares
    if number != below:
        nearest = " or ".join(str(one) for one in (below, below + shares) if one)
        raise UserError(
            f"{what} cannot be dealt equally to {shares} strata, so that none gets more",
            number,
            remedy.format(nearest),
        )


def stratum_of(settings: SearchSettings, params: Mapping[str, Any]) -> str:
    """The name of the stratum of a configuration; ``None`` as text where nothing is stratified."""
    return str(params.get(settings.stratify or ""))


def epochs_of(params: Mapping[str, Any], epochs: int) -> int:
    """The epochs that a trial with these searched values may have, of ``epochs`` as set."""
    return int(params.get(EPOCHS, epochs))
