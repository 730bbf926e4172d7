"""Arms of a search: settings that are compared as one, such as a norm with an augmentation."""

from collections.abc import Mapping
from typing import Any

from sweep.core.errors import UserError
from sweep.core.text import as_written

ARM = "arm"  # the name by which the trial's arm stands beside what was searched
RULE = "by:"  # before a score: not an arm, but whichever is the best by it


def check_arms(arms: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]) -> None:
    """Refuse arms that could not be told apart, or that the search would overrule.

    Args:
        arms: By name, the settings of each by dotted name.
        space: What is searched beside.

    Raises:
        UserError: Which arm is at fault, and why.

    """
    if ARM in space:
        raise UserError(
            f"search.space has {ARM!r}, which is no setting",
            as_written(space[ARM]),
            "name the arms in search.arms",
        )
    if len(arms) == 1:
        raise UserError("search.arms has one arm, which is compared with nothing", list(arms), TWO)
    for name, settings in arms.items():
        if not name or set(name) - ALLOWED or not name[0].isalnum() or name.startswith("trial-"):
            raise UserError(
                "search.arms has a name that an arm cannot have",
                f"{name!r}",
                "take letters, digits, - _ and +, a letter first",
            )
        for setting in settings:
            clash = next((one for one in space if _overlap(one, setting)), None)
            if clash is not None:
                raise UserError(
                    f"search.arms.{name} sets what search.space searches",
                    f"{setting!r}, and {clash!r} in search.space",
                    "leave it out of one of them",
                )
    told: dict[str, str] = {}
    for name, settings in arms.items():
        same = told.setdefault(repr(sorted(settings.items(), key=lambda one: one[0])), name)
        if same != name:
            raise UserError("two arms are the same", f"{same!r} and {name!r}", "drop one")


def without_arm(params: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Searched values by dotted name, in which the settings of the arm stand for its name.

    Raises:
        UserError: An arm that there is not.

    """
    if ARM not in params:
        return dict(params)
    name = params[ARM]
    if name not in arms:
        raise UserError("there is no such arm", f"{name!r}", f"take one of {', '.join(arms)}")
    rest = {setting: value for setting, value in params.items() if setting != ARM}
    return {**arms[name], **rest}


def group_of(params: Mapping[str, Any], norm: str) -> str:
    """What a trial is compared as: its arm, or else its norm."""
    return str(params.get(ARM, norm))


TWO = "name two or more, or search model.norm in search.space"
ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+")


def _overlap(one: str, another: str) -> bool:
    return f"{one}.".startswith(f"{another}.") or f"{another}.".startswith(f"{one}.")
