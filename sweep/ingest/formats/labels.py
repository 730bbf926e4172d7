"""Names of labels as people write them: several in a cell, in columns of their own, spelt twice."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sweep.core.errors import UserError
from sweep.core.text import SHOWN, number_of

SEPARATOR = "|"
OTHERS = (";", ",")  # what people put between names instead, and within some names
SHOWN_BY = frozenset({"1", "1.0", "true", "yes", "y", "x", "positive", "pos"})
NOT_SHOWN_BY = frozenset({"", "0", "0.0", "false", "no", "n", "negative", "neg"})


def named_in(cell: str, separator: str) -> frozenset[str]:
    """The names in a cell, with what stands between two of them."""
    return frozenset(name for one in cell.split(separator) if (name := _spaced(one)))


def shown_by(cells: Mapping[str, str], where: str) -> frozenset[str]:
    """The names of the columns whose cells say that their label is shown.

    Args:
        cells: By the name of the column; 1 or 0, true or false, yes or no, and the like.
        where: How to name the row in messages.

    Raises:
        UserError: A cell says something else, such as -1 for what is not certain.

    """
    said = {name: cell.strip().lower() for name, cell in cells.items()}
    for name, cell in said.items():
        if cell not in SHOWN_BY | NOT_SHOWN_BY:
            raise UserError(
                "a cell of a column of labels says neither that the label is shown nor that it is "
                "not",
                f"{cells[name]!r} for {name!r} in {where}",
                "write 1 or 0; leave out rows of which it is not known",
            )
    return frozenset(name for name, cell in said.items() if cell in SHOWN_BY)


def refuse_joined(names: Counter[str], separator: str) -> None:
    """Refuse what seem to be several names in one, with another mark between them.

    Args:
        names: How many rows have each name.
        separator: What stands between names.

    Raises:
        UserError: A semicolon in a name; or a comma, where a part of the name is a name by itself.

    """
    for name in names:
        for mark in OTHERS:
            parts = [_spaced(part) for part in name.split(mark)]
            alone = any(part in names for part in parts)
            if mark != separator and len(parts) > 1 and (mark == ";" or alone):
                raise UserError(
                    f"a label seems to be {len(parts)} labels with {mark!r} between them",
                    f"{name!r} in {number_of(names[name], 'row')}",
                    f"pass --label-separator '{mark}' if it is, or else --label-separator "
                    f"'{separator}'",
                )


def spellings(names: Counter[str]) -> dict[str, str]:
    """One spelling for each label: of those that differ in case or white space, the most frequent.

    Args:
        names: How many rows have each spelling.

    Returns:
        The spelling to take, for each.

    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_spaced(name).casefold(), []).append(name)
    return {
        name: max(sorted(group), key=lambda one: names[one])
        for group in alike.values()
        for name in group
    }


def spelling_notes(names: Counter[str], taken: Mapping[str, str]) -> Iterator[str]:
    """Say which spellings count as another."""
    settled = [
        f"{name!r} ({number_of(names[name], 'row')}) as {one!r}"
        for name, one in sorted(taken.items())
        if name != one
    ]
    if settled:
        more = f", and {len(settled) - SHOWN} more" if len(settled) > SHOWN else ""
        yield (
            "Labels that differ from another in case or white space only count as it: "
            f"{', '.join(settled[:SHOWN])}{more}."
        )


def label_names(
    shown: Sequence[Collection[str]], where: str, marked: bool = False
) -> tuple[str, ...]:
    """All labels that occur, sorted.

    Args:
        shown: The labels of each row or slice.
        where: What they are of, for messages.
        marked: Masks or boxes could have given labels, too.

    Raises:
        UserError: None has a label.

    """
    names = sorted(frozenset[str]().union(*shown))
    if not names and marked:
        raise UserError(
            "no slice has a label, neither by the manifest nor by a mask or box",
            f"{where} with {number_of(len(shown), 'slice')}",
            "see that the masks and boxes are those of the images, or give a smaller --least-area",
        )
    if not names:
        raise UserError(
            "no row of the manifest names a finding",
            f"{where} with an empty column 'label'",
            "fill the column where there is a finding",
        )
    return tuple(names)


def gone_note(before: Iterable[Collection[str]], names: Collection[str]) -> Iterator[str]:
    """Say which labels were there before files were left out, and are not any more."""
    gone = sorted(frozenset[str]().union(*before).difference(names))
    if gone:
        yield (
            f"Labels of files that were all left out, and which the store does not have: "
            f"{', '.join(gone)}."
        )


def _spaced(name: str) -> str:
    """With single spaces, none around, and composed letters, as two programs write one name."""
    return " ".join(unicodedata.normalize("NFC", name).split())
