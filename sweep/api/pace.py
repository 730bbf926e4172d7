"""How long the epochs of a sweep take, and what its limits allow of them."""

from collections.abc import Iterator, Sequence

from sweep.config.sweep import SweepConfig
from sweep.results.usage import HOUR_S
from sweep.search.forecast import Forecast


class Pace:
    """How long the epochs of all trials take.

    Args:
        config: The sweep.
        concurrent: Trials at a time.
        train_s: Seconds of training of one epoch.
        evaluate_s: Seconds of stress-testing one epoch in full, one evaluator.
        screen_s: Seconds of screening one; None: none is.

    """

    def __init__(
        self,
        config: SweepConfig,
        concurrent: int,
        train_s: float,
        evaluate_s: float,
        screen_s: float | None,
    ) -> None:
        self.trials = min(concurrent, config.search.total)
        self.cluster = config.cluster
        self.train_s, self.evaluate_s, self.screen_s = train_s, evaluate_s, screen_s
        screening = config.search.screening(config.train.epochs)
        self.full = set((screening.full or ()) if screening else ())
        self.last = config.search.most_epochs(config.train.epochs)

    @property
    def gpus(self) -> float:
        """The shares of GPUs that are held."""
        pool = self.cluster.evaluators * self.cluster.evaluator.gpu
        return pool + self.trials * self.cluster.trial.gpu

    def scoring(self, epoch: int) -> float:
        """Seconds of scoring one epoch by its number, one evaluator.

        With the last epoch of a trial its best one, which was screened, is scored in full, too.
        """
        if self.screen_s is None or epoch in self.full:
            return self.evaluate_s
        return 2 * self.evaluate_s if epoch == self.last else self.screen_s

    def seconds(self, reached: Sequence[float]) -> float:
        """Wall-clock seconds, where so many trials come to epochs 1, 2, ..."""
        training = sum(reached) * self.train_s / self.trials
        scoring = sum(count * self.scoring(at) for at, count in enumerate(reached, start=1))
        return max(training, scoring / self.cluster.evaluators)


def allowed(
    config: SweepConfig, expected: Forecast, expected_s: float, pace: Pace
) -> Iterator[str]:
    """What each limit allows, a line each, as epochs come at an even pace.

    Args:
        config: The sweep.
        expected: Its epochs.
        expected_s: Seconds that they take.
        pace: How long epochs take.

    """
    limits, total = config.search.limits, config.search.total
    hours = expected_s / HOUR_S
    uses = {"hours": hours, "gpu_hours": hours * pace.gpus, "epochs": expected.epochs}
    for name, whole in uses.items():
        limit = getattr(limits, name)
        if limit is None:
            continue
        if limit >= whole:
            yield f"search.limits.{name} {limit:g} is not expected to be reached"
        else:
            ended = expected.trials_within(limit / whole * expected.epochs)
            yield (
                f"search.limits.{name} {limit:g} allows about {ended:.0f} of {total} trials; about "
                f"{whole:.3g} for all"
            )
