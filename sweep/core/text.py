"""Text for people: tables, sizes, durations, long lists, outlines of what JSON can say."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice

MISSING = "-"
MOST_OF_A_VALUE = 200  # characters
EXACT = 2**53  # above, a float is no count
SHOWN = 10  # of a long list
DAY_S = 24 * 3600
HIDDEN = "***"  # in the place of a password
# What stands before a password in an address, and what is one: in front of the host, where a server
# takes a name alone for one, too, and among the options behind the path.
_BEFORE_HOST = re.compile(r"(://[^\s/:@?]*):\S*@")
_FOR_HOST = re.compile(r"(https?://)[^\s/:@?]+@", re.IGNORECASE)
_OPTION = re.compile(
    r"((?:password|passwd|pwd|token|secret|api_?key)(?:=|%3d))[^\s&;'\"]+", re.IGNORECASE
)

# Marks that a terminal acts on instead of showing them, and halves of characters; tabs and ends of
# lines are none of them.
ACTED_ON = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

# The same with tabs and ends of lines: no name of a file should have any.
UNNAMEABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def table(rows: Sequence[Sequence[str]], left: Sequence[int] | None = (0,)) -> list[str]:
    """A line for each row, cells below each other.

    Args:
        rows: The rows, as many cells each.
        left: The columns that start at one place, the others end at one; None: all of them.

    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if left is None or column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def ruled_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of left-aligned columns with a rule below its header."""
    head, *lines = table([header, *rows], left=None)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join([head, "  ".join("-" * width for width in widths), *lines])


def one_line(said: object) -> str:
    """What some libraries say in several lines; marks that a terminal acts on give way to a ?."""
    return ACTED_ON.sub("?", " ".join(str(said).split()))


def shortened(text: str, most: int) -> str:
    """A text of no more than so many characters, its end left out where it has more."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def as_written(value: object) -> str:
    """A value that a user gave, as a sweep file would have it: a list in brackets, null, true.

    Texts are in quotes; of a long value there is the beginning.
    """
    return shortened(_as_written(value), MOST_OF_A_VALUE)


def _as_written(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(map(_as_written, value))}]"
        case Mapping():
            parts = (f"{key}: {_as_written(item)}" for key, item in value.items())
            return "{" + ", ".join(parts) + "}"
        case float() if value.is_integer() and abs(value) < EXACT:  # written as 1, most likely
            return str(int(value))
        case date():
            return value.isoformat()
    return repr(value)


def without_passwords(text: str) -> str:
    """A text with the passwords left out that stand in its addresses."""
    if "://" not in text:
        return text
    for secret, shown in (
        (_BEFORE_HOST, rf"\1:{HIDDEN}@"),
        (_FOR_HOST, rf"\1{HIDDEN}@"),
        (_OPTION, rf"\1{HIDDEN}"),
    ):
        text = secret.sub(shown, text)
    return text


def size_text(sizes: Sequence[float]) -> str:
    """Sizes as in 320 x 320."""
    return " x ".join(f"{size:g}" for size in sizes)


def number_of(count: int, thing: str) -> str:
    """As many things, such as 1 epoch or 3 epochs."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def bytes_text(count: float) -> str:
    """An amount of bytes in three digits, such as 12.3 MB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def clock(seconds: float) -> str:
    """A duration: ``m:ss`` or ``h:mm:ss``, of two days and more in days."""
    if seconds >= 2 * DAY_S:
        return f"{seconds / DAY_S:.1f} days"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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


def sentence(text: str) -> str:
    """A line as it stands in running text: a capital first, a full stop last."""
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV, with a column for every name that one of them has."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
