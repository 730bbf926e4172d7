"""Whether the settings of early stopping go together."""

from sweep.config.search import HALVING, LEARNERS, SearchSettings
from sweep.core.errors import UserError


def check_stopping(search: SearchSettings, epochs: int) -> None:
    """Refuse settings that mean nothing beside others, or with which no trial would be stopped.

    Where nothing is to be stopped, no setting of early stopping is refused: a sweep is to run
    without it by one setting.

    Args:
        search: The search.
        epochs: ``train.epochs`` as set.

    Raises:
        UserError: What does not go together, and what would.

    """
    _check_screen(search, epochs)
    if search.scheduler == "none":
        return
    _check_keep(search)
    _check_waiting(search)
    if search.scheduler not in HALVING and search.reduction != SearchSettings.reduction:
        raise UserError(
            f"search.reduction is set, and {search.scheduler} has no rungs that become fewer",
            search.reduction,
            f"leave it out, or set search.scheduler to one of {', '.join(HALVING)}",
        )
    most = search.most_epochs(epochs)
    if search.grace(epochs) > most:
        raise UserError(
            "search.grace_epochs is above the epochs of a trial, and no trial would be stopped",
            f"{search.grace_epochs} for {most} epochs",
            "lower it, set it to null for a quarter of them, or set search.scheduler to none",
        )
    if search.scheduler == "median" and search.screen is not None and search.screen.full:
        raise UserError(
            "search.screen.full is set, and median compares means over epochs, which are to have "
            "been scored alike",
            list(search.screen.full),
            "leave it out, set search.screen to null, or take another search.scheduler",
        )
    rungs = search.rungs(epochs)
    if search.scheduler == "pasha" and len(rungs) < 2:
        raise UserError(
            "search.scheduler is pasha, which compares the rankings of two rungs",
            f"the rungs {list(rungs)} for {most} epochs, by search.grace_epochs and reduction",
            "lower search.grace_epochs, train longer, or set search.scheduler to asha",
        )


def _check_screen(search: SearchSettings, epochs: int) -> None:
    named, most = (search.screen.full if search.screen else None) or (), search.most_epochs(epochs)
    if beyond := [epoch for epoch in named if epoch > most]:
        raise UserError(
            "search.screen.full has epochs that no trial comes to",
            f"{beyond} of {most} epochs",
            "lower them, or train longer",
        )


def _check_waiting(search: SearchSettings) -> None:
    """Refuse what needs trials that have ended while others are still to be drawn."""
    if search.scheduler != "topk":
        return
    if search.method() in LEARNERS:
        raise UserError(
            "search.sampler learns from trials that have ended, and with topk none has before all "
            "have begun",
            search.sampler,
            "set it to auto, sobol, random or grid, or search.scheduler to asha or none",
        )
    if search.from_ is not None:
        raise UserError(
            "search.from is set, and with topk no sampler learns from trials",
            search.from_,
            "leave it out, or set search.scheduler to auto, asha or none",
        )
    if search.equal == "epochs":
        raise UserError(
            "search.equal is epochs, and topk deals out all trials before it stops any",
            search.equal,
            "set it to trials, or search.scheduler to asha",
        )


def _check_keep(search: SearchSettings) -> None:
    if search.keep is None:
        return
    if search.scheduler != "topk":
        raise UserError(
            "search.keep is set, and topk alone keeps a number of trials",
            f"keep {search.keep} with the scheduler {search.scheduler}",
            "leave it out, or set search.scheduler to topk",
        )
    each = search.total // search.shares()
    if search.keep >= each:
        raise UserError(
            "search.keep is not below the trials of a stratum, and no trial would be stopped",
            f"{search.keep} of {each}",
            "lower it, or set search.scheduler to none",
        )
