"""The sweeps below a folder, and where each stands."""

import os
from collections.abc import Iterator
from pathlib import Path

from sweep.api.watch import standing
from sweep.core.errors import UserError, WorkError
from sweep.results.standing import Standing
from sweep.results.sweep_file import is_sweep


def sweeps_below(path: str | Path) -> Iterator[tuple[Path, Standing | UserError | WorkError]]:
    """Each sweep's folder at or below a folder, with where it stands, or why that is not known.

    Nothing is looked for inside of a sweep's folder, nor in hidden folders; links are not followed.

    Raises:
        UserError: There is no such folder.

    """
    top = Path(path)
    if not top.is_dir():
        raise UserError("there is no such folder", f"{str(path)!r}", "correct the path")
    for place, names, _ in os.walk(top):
        folder = Path(place)
        if is_sweep(folder):
            names.clear()
            try:
                yield folder, standing(folder)
            except (UserError, WorkError) as error:
                yield folder, error
        names[:] = sorted(name for name in names if not name.startswith("."))
