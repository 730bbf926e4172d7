"""Presets: sweep files that ship, or that installed packages add, and are called by a name.

A preset is a sweep file like any other, ``presets/<name>.yaml``, whose first line is a comment that
says in a sentence what it is. What only the user can know, such as the path of the store, it leaves
out, to be given by ``--set``.
"""

from pathlib import Path

from sweep.core.errors import UserError, nearest
from sweep.core.plugins import added, load
from sweep.core.reading import read_text

GROUP = "mrisweep.presets"
"""Entry points of other packages: the name of a preset, and the ``Path`` of its file."""

_SHIPPED = {path.stem: path for path in sorted((Path(__file__).parent / "presets").glob("*.yaml"))}


def presets() -> tuple[str, ...]:
    """The names of all presets, those that ship first."""
    return (*_SHIPPED, *sorted(added(GROUP, _SHIPPED)))


def preset_file(name: str | Path) -> Path | None:
    """The file of a preset; None where no preset has this name.

    Raises:
        UserError: A package names something that is no path, or cannot be imported.

    """
    if str(name) in _SHIPPED:
        return _SHIPPED[str(name)]
    point = added(GROUP, _SHIPPED).get(str(name))
    if point is None:
        return None
    found = load(point)
    if not isinstance(found, Path):
        raise UserError(
            f"the entry point {point.name!r} of {GROUP} does not name the Path of a sweep file",
            f"{found!r} from {point.value}",
            "mend or uninstall that package",
        )
    return found


def preset_text(name: str) -> str:
    """What the file of a preset says.

    Raises:
        UserError: There is no such preset, or its file cannot be read.

    """
    path = preset_file(name)
    if path is None:
        raise UserError("there is no such preset", f"{name!r}", nearest(name, presets()))
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise UserError(
            "the file of a preset cannot be read",
            f"{name!r} ({error})",
            "mend or install again the package that it is of",
        ) from None


def summary_of(name: str) -> str:
    """What a preset is, in a sentence.

    Raises:
        UserError: See ``preset_text``.

    """
    first = preset_text(name).partition("\n")[0]
    return first.removeprefix("#").strip()
