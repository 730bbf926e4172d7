"""Text for people: tables, sizes, durations, long lists, outlines of what JSON can say."""

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def fitting(rows: Sequence[Sequence[str]], needless: Sequence[int], width: int | None) -> list[int]:
    """The columns of a table that a line of so many characters has room for.

    Args:
        rows: All rows, the header among them, as many cells each.
        needless: The columns that may be left out, in this order.
        width: Characters in a line; None: any number.

    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    kept = list(range(len(widths)))
    for number in needless:
        if width is None or sum(widths[one] + 2 for one in kept) - 2 <= width:
            break
        kept.remove(number)
    return kept


def fitted(
    rows: Sequence[Sequence[str]], needless: Sequence[str], width: int | None
) -> list[list[str]]:
    """The rows of a table, its header the first, without the columns that have no room.

    Args:
        rows: All rows, as many cells each.
        needless: The columns that may be left out, by their names in the header, in this order.
        width: Characters in a line; None: any number.

    """
    places = [
        place
        for name in dict.fromkeys(needless)
        for place, own in enumerate(rows[0])
        if own == name  # two settings may have one short name
    ]
    kept = fitting(rows, places, width)
    return [[row[number] for number in kept] for row in rows]


def fitted_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], needless: Sequence[str], width: int | None
) -> str:
    """A ruled table without the columns that have no room, which are named below it.

    Args:
        header: The names of the columns.
        rows: As many cells each.
        needless: See ``fitted``.
        width: See there.

    """
    head, *body = fitted([header, *rows], needless, width)
    lines = [ruled_table(head, body), wrapped(no_room(header, head), width)]
    return "\n".join(filter(None, lines))


def no_room(header: Iterable[str], shown: Iterable[str]) -> str:
    """Which columns of a table are left out on a terminal, in a sentence; empty of none."""
    kept = set(shown)
    names = ", ".join(dict.fromkeys(name for name in header if name not in kept))
    return names and (
        f"left out, as the terminal is too narrow: {names}; a file, a pipe and --json get them."
    )


def wrapped(text: str, width: int | None, indent: str = "") -> str:
    """A text in lines of so many characters, broken between words alone.

    Args:
        text: One line.
        width: Characters in a line; None: any number.
        indent: What every line but the first begins with.

    """
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(
        text,
        max(width, len(indent) + 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def one_line(said: object) -> str:
    """What some libraries say in several lines; marks that a terminal acts on give way to a ?."""
    return ACTED_ON.sub("?", " ".join(str(said).split()))


def shortened(text: str, most: int) -> str:
    """A text of no more than so many characters, its end left out where it has more."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def as_written(value: object, quoted: bool = True) -> str:
    """A value as a sweep file has it: a list in brackets, null, true; of a long one the beginning.

    Args:
        value: The value.
        quoted: Whether texts are in quotes.

    """
    return shortened(_as_written(value, quoted), MOST_OF_A_VALUE)


def _as_written(value: object, quoted: bool) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(_as_written(item, quoted) for item in value)}]"
        case Mapping():
            parts = (f"{key}: {_as_written(item, quoted)}" for key, item in value.items())
            return "{" + ", ".join(parts) + "}"
        case float() if value.is_integer() and abs(value) < EXACT:  # written as 1, most likely
            return str(int(value))
        case date():
            return value.isoformat()
    return repr(value) if quoted else str(value)


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


def span(seconds: float) -> str:
    """A duration that is roughly known, with its unit: ``40 s``, ``4 min``, ``2 h 10 min``."""
    return " ".join(_parts_of(seconds))


def between(low: float, high: float) -> str:
    """Two ends of what a duration may be, such as ``3 and 6 min``; the unit once if it is one."""
    first, last = _parts_of(low), _parts_of(high)
    same = len(first) == len(last) == 2 and first[1] == last[1]
    return f"{first[0] if same else ' '.join(first)} and {' '.join(last)}"


def _parts_of(seconds: float) -> tuple[str, ...]:
    """Numbers and units: as many digits as an estimate has."""
    if seconds < 99.5:
        rounded = round(seconds) if seconds < 20 else 5 * round(seconds / 5)
        return str(max(1, rounded)), "s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return str(minutes), "min"
    if seconds < 2 * DAY_S:
        hours, rest = divmod(5 * round(minutes / 5), 60)
        return (str(hours), "h", str(rest), "min") if rest else (str(hours), "h")
    return f"{seconds / DAY_S:.1f}", "days"


def counted(kinds: Sequence[tuple[str, int]]) -> str:
    """Kinds with the number of slices of each; of a long list the first ten."""
    rest = kinds[SHOWN:]
    more = (
        f", {len(rest)} more ({number_of(sum(count for _, count in rest), 'slice')})"
        if rest
        else ""
    )
    return (
        ", ".join(f"{kind} ({number_of(count, 'slice')})" for kind, count in kinds[:SHOWN]) + more
    )


def listed(names: Sequence[str]) -> str:
    """Names in a line; of a long list the first ten."""
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


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
        return listed([_in_a_line(part) for part in value]) or "none"
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
