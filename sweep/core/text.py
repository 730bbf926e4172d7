"""Text in columns, counts, and outlines of what JSON can say."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from sweep.core.problems import SHOWN


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """A line for each row.

    Args:
        rows: with as many cells each.
        left: columns that start at one place; the others end at one.

    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def counted(kinds: Sequence[tuple[str, int]]) -> str:
    """Kinds with the number of slices of each; of a long list the first ten."""
    rest = kinds[SHOWN:]
    more = f", {len(rest)} more ({sum(count for _, count in rest)} slices)" if rest else ""
    return ", ".join(f"{kind} ({count} slices)" for kind, count in kinds[:SHOWN]) + more


def outlined(values: Mapping[str, object], indent: str = "  ") -> Iterator[str]:
    """A line for each value, below its name if it has parts; of a long list the first ten."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from outlined(value, f"{indent}  ")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            yield f"{indent}{name}: {len(value) or 'none'}"
            yield from (f"{indent}  {_in_a_line(one)}" for one in islice(value, SHOWN))
            if len(value) > SHOWN:
                yield f"{indent}  and {len(value) - SHOWN} more"
        else:
            yield f"{indent}{name}: {_in_a_line(value)}"


def _in_a_line(value: object) -> str:
    if isinstance(value, Mapping):
        return ": ".join(_in_a_line(part) for part in value.values())
    if isinstance(value, list):
        more = [f"and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        return ", ".join([*map(_in_a_line, value[:SHOWN]), *more]) or "none"
    return "none" if value is None else str(value)
