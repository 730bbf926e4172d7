"""What sweeps that are ranked together were set to, where that is not the same."""

from collections.abc import Mapping, Sequence
from typing import Final

from sweep.core.text import shortened

# By the names of the sweep file, without what is searched: the sections that decide a score.
SECTIONS: Final = ("data.", "stress.", "train.", "model.", "seed", "search.objective")
# What decides whether scores may be compared, beside the stress test; and what only says where.
COMPARED: Final = ("data.fingerprint", "data.validation", "data.signal", "data.scan_draws")
NOWHERE: Final = ("data.store", "data.test", "stress.batch_size")
MOST, LONGEST = 6, 40  # settings that are named, and characters of a value
SEARCHED: Final = "searched or not set"

Texts = Mapping[str, str]  # dotted name -> a value as text


def unlike(settings: Mapping[str, Texts]) -> list[str]:
    """The dotted names of what differs, those first that decide whether scores may be compared.

    Args:
        settings: By the name of a sweep, what it was set to.

    """
    names = sorted({name for of in settings.values() for name in of})
    wanted = [one for one in names if one.startswith(SECTIONS) and one not in NOWHERE]
    differing = [one for one in wanted if len({of.get(one) for of in settings.values()}) > 1]
    return sorted(differing, key=lambda one: (not forbids(one), one != "train.epochs", one))


def forbids(name: str) -> bool:
    """Whether scores of sweeps that differ in a setting may not be compared."""
    return name in COMPARED or name.startswith("stress.")


def unlike_text(names: Sequence[str], settings: Mapping[str, Texts]) -> str:
    """What differs, each with its values: ``train.epochs: 6 (a), 12 (b and c)``."""
    said = [f"{name}: {_values(name, settings)}" for name in names[:MOST]]
    if more := names[MOST:]:
        said.append(f"and {len(more)} more: {', '.join(more)}")
    return "; ".join(said)


def _values(name: str, settings: Mapping[str, Texts]) -> str:
    of: dict[str, list[str]] = {}
    for sweep, texts in settings.items():
        of.setdefault(shortened(texts.get(name, SEARCHED), LONGEST), []).append(sweep)
    return ", ".join(f"{value} ({' and '.join(sweeps)})" for value, sweeps in of.items())
