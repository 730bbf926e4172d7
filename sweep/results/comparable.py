"""Whether scores of two sweeps may be compared: the same slices, cells and pixels."""

from sweep.config.levels import reached, shift_of
from sweep.config.sweep import SweepConfig
from sweep.core.errors import UserError
from sweep.core.records import CLEAN, Cell


def refuse_incomparable(one: SweepConfig, other: SweepConfig) -> None:
    """Refuse two sweeps whose scores differ by more than their models.

    Raises:
        UserError: Other data, validation splits, signal, cells, knob values, options or draws.

    """
    settings = {
        "data.fingerprint": (one.data.fingerprint, other.data.fingerprint),
        "data.validation": (sorted(map(str, v.data.validation)) for v in (one, other)),
        "data.signal": (one.data.signal, other.data.signal),
        "data.scan_draws": (one.data.scan_draws, other.data.scan_draws),
        "stress.seed": (one.stress.seed, other.stress.seed),
    }
    for name, pair in settings.items():
        first, second = pair
        if first != second:
            _refuse(name, f"{first!r} and {second!r}")
    cells = [_cells(config) for config in (one, other)]
    if unlike := sorted(cells[0] ^ cells[1]):
        _refuse("one of their cells", f"{_named(unlike[0])} in one of them alone")
    for cell in sorted(cells[0]):
        if shift_of(one.stress, cell) != shift_of(other.stress, cell):
            _refuse(f"what {_named(cell)} means", "other knob values or options")


def _cells(config: SweepConfig) -> set[Cell]:
    stress = config.stress
    return {CLEAN} | {
        Cell(artifact, level)
        for artifact in stress.artifacts
        for level in reached(stress, artifact, stress.levels)
    }


def _named(cell: Cell) -> str:
    return f"{cell.artifact} {cell.level}"


def _refuse(what: str, received: str) -> None:
    raise UserError(
        f"two sweeps are compared on the same data and stress test only, and {what} differs",
        received,
        "run one of them again with the other's settings",
    )
