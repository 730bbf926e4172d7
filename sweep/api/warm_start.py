"""The trials of an earlier sweep that a new one may learn from."""

from collections.abc import Mapping
from typing import Any

from sweep.config.arms import ARM
from sweep.config.reading import by_dotted_name
from sweep.config.search import SearchSettings
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.objective import terms
from sweep.core.records import TrialRecord, diverged, is_missing
from sweep.core.text import SHOWN
from sweep.results.folder import SweepFolder
from sweep.search.fidelity import Fidelity
from sweep.search.study import Told

# Where data and weights lie; what they are is said by their fingerprints. The seed of a trial is
# luck, which the objective has in it anyhow; modes are scored when all is over. The objective is
# compared by itself, as two that are written in another order are the same.
# What was screened is looked at trial by trial.
ELSEWHERE = ("data.store", "model.weights", "seed", "stress.modes", "objective", "screen")
IGNORED = tuple(f"{name}." for name in ELSEWHERE)
YARDSTICK = ("data.", "stress.")


def told_by(config: SweepConfig) -> list[Told]:
    """What the sweep in ``search.from`` says to the samplers of this one.

    A trial counts if it could have been one of this sweep: what is searched here lies in its range,
    all else is as it is set here. Trials that run, and those whose worker died, do not count; nor
    do stopped ones where the two sweeps screen otherwise, as these have no scores in common.

    Args:
        config: The new sweep, bound to its data and levels.

    Raises:
        UserError: Not a sweep's folder, other data, another stress test or another objective, or
            no trial that counts.

    """
    folder = SweepFolder.open(str(config.search.from_))
    earlier = folder.config()
    _refuse_another_objective(folder, earlier.search, config.search)
    _refuse_another_yardstick(folder, earlier, config)
    records = [one for one in folder.trials() if one.best_epoch is not None or diverged(one)]
    told, misfits = [], []
    for record in records:
        if record.status == "running":
            continue
        params = _as_of(config, earlier, record)
        other = _differing(config, params, earlier, record)
        alike = _screening(earlier) == _screening(config)
        if not alike and record.status == "pruned":
            other.append("search.screen")
        if other:
            misfits += other
        else:
            told.append(_told(folder, config, record, params, alike))
    if not told:
        raise UserError(
            "no trial of search.from could be one of this sweep",
            f"{folder.path} with other {', '.join(list(dict.fromkeys(misfits))[:SHOWN])}"
            if misfits
            else f"{folder.path} without an ended trial",
            "leave search.from out, or search what that sweep searched",
        )
    return told


def _screening(config: SweepConfig) -> tuple[float, int] | None:
    """What decides the scores of a screening; which epochs are scored in full does not."""
    screen = config.search.screen
    return None if screen is None else (screen.patients, screen.levels)


def _told(
    folder: SweepFolder,
    config: SweepConfig,
    record: TrialRecord,
    params: dict[str, Any],
    alike: bool,
) -> Told:
    fidelity = Fidelity(config.search, config.train.epochs)
    reports = {
        epoch.epoch: config.search.values(fidelity(epoch.epoch, epoch.metrics))
        for epoch in (folder.epochs(record.trial) if alike else ())
    }
    return Told(
        name=f"{folder.place}/{record.trial}",
        params=params,
        reports={
            epoch: found for epoch, found in reports.items() if not any(map(is_missing, found))
        },
        pruned=record.status != "finished",
        metrics=record.metrics if record.best_epoch is not None else {},
    )


def _as_of(config: SweepConfig, earlier: SweepConfig, record: TrialRecord) -> dict[str, Any]:
    """The values that a trial has of what is searched here."""
    plain = earlier.trial(record.params).to_plain()
    params: dict[str, Any] = {}
    for name, dimension in config.search.dimensions().items():
        value = _arm_of(config, plain) if name == ARM else _setting(plain, name)
        if dimension.applies(params):
            params[name] = value
    return params


def _arm_of(config: SweepConfig, plain: Mapping[str, Any]) -> str | None:
    """The arm of which a trial could be, by the settings of the arm; None: of none."""
    for arm, settings in config.search.arms.items():
        own = config.trial({ARM: arm}).to_plain()
        if all(_setting(own, name) == _setting(plain, name) for name in settings):
            return arm
    return None


def _setting(plain: Mapping[str, Any], name: str) -> Any:
    value: Any = plain
    for part in name.split("."):
        value = value[part]
    return value


def _differing(
    config: SweepConfig, params: dict[str, Any], earlier: SweepConfig, record: TrialRecord
) -> list[str]:
    """The settings in which a trial is none of this sweep."""
    dimensions = config.search.dimensions()
    outside = [name for name, value in params.items() if not dimensions[name].holds(value)]
    if outside:
        return outside
    return _other(config.trial(params).to_plain(), earlier.trial(record.params).to_plain())


def _refuse_another_objective(
    folder: SweepFolder, then: SearchSettings, now: SearchSettings
) -> None:
    name = "objectives" if then.objectives or now.objectives else "objective"
    if set(then.maximised) == set(now.maximised):
        if terms(then.objective) == terms(now.objective):
            return
        name = "objective"
    of_then, of_now = (
        " and ".join(one.maximised) if name == "objectives" else one.objective
        for one in (then, now)
    )
    raise UserError(
        f"search.from is a sweep with another search.{name}, and its scores are not comparable",
        f"{of_then} in {folder.path}, {of_now} here",
        "set it as it is there, or leave search.from out",
    )


def _refuse_another_yardstick(
    folder: SweepFolder, earlier: SweepConfig, config: SweepConfig
) -> None:
    then, now = earlier.trial({}).to_plain(), config.trial({}).to_plain()
    searched = {
        name
        for search in (earlier.search, config.search)
        for settings in (search.space, *search.arms.values())
        for name in settings
    }
    differ = [
        name for name in _other(now, then) if name.startswith(YARDSTICK) and name not in searched
    ]
    if differ:
        raise UserError(
            "search.from is a sweep whose scores are not comparable with those of this one",
            f"another {', '.join(differ[:SHOWN])} in {folder.path}",
            "set them as they are there, or leave search.from out",
        )


def _other(one: Mapping[str, Any], another: Mapping[str, Any]) -> list[str]:
    left, right = dict(by_dotted_name(one)), dict(by_dotted_name(another))
    return [
        name
        for name in {**left, **right}
        if left.get(name) != right.get(name) and not f"{name}.".startswith(IGNORED)
    ]
