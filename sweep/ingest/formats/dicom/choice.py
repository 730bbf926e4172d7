"""Which slices of a folder or file are taken: DICOM keyword = value, as the user states it."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydicom.datadict import dictionary_keyword, keyword_dict, tag_for_keyword

from sweep.core.errors import UserError
from sweep.ingest.formats.dicom.facts import PRIVATE

CLOSE = 1e-4  # relative difference up to which two numbers are the same
NEAR_ZERO = 1e-6


@dataclass(frozen=True)
class Choice:
    """What a slice has to be.

    Attributes:
        wanted: Each keyword with its values, one of which the slice has to have.

    """

    wanted: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def keywords(self) -> tuple[str, ...]:
        """What has to be known of a slice."""
        return tuple(keyword for keyword, _ in self.wanted)

    def takes(self, facts: Mapping[str, str]) -> bool:
        """Whether a slice is taken, of which this is known; what is unknown is not wanted."""
        return all(
            any(is_value(facts.get(keyword, ""), value) for value in values)
            for keyword, values in self.wanted
        )

    def __str__(self) -> str:
        return " ".join(f"{keyword}={value}" for keyword, values in self.wanted for value in values)


ALL = Choice()


def choice_of(texts: Sequence[str]) -> Choice:
    """Read ``EchoTime=80 ImageType=M``; a keyword named twice takes slices with either value.

    Raises:
        UserError: No ``=``, no value, or a name that is no keyword of DICOM.

    """
    wanted: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise UserError(
                "--take cannot be read",
                repr(text),
                "give a keyword of DICOM and a value, such as EchoTime=80",
            )
        keyword = _keyword(name.strip())
        wanted[keyword] = (*wanted.get(keyword, ()), value.strip())
    return Choice(tuple(wanted.items()))


def is_value(value: str, wanted: str) -> bool:
    r"""Whether a value is the wanted one.

    Args:
        value: As ``facts_of`` gives it; parts are separated by a backslash.
        wanted: All parts (``ORIGINAL\PRIMARY\M``), or one of them (``M``); numbers are compared as
            numbers, texts in any case, and ``*`` stands for anything.

    """
    parts, wishes = value.split("\\"), wanted.split("\\")
    if len(wishes) == 1:
        return any(_is_part(part, wanted) for part in parts)
    return len(parts) == len(wishes) and all(map(_is_part, parts, wishes))


def _is_part(part: str, wanted: str) -> bool:
    part, wanted = part.strip().casefold(), wanted.strip().casefold()
    if not part or part == wanted:
        return bool(part)
    try:
        return math.isclose(float(part), float(wanted), rel_tol=CLOSE, abs_tol=NEAR_ZERO)
    except ValueError:
        return fnmatchcase(part, wanted)


def _keyword(name: str) -> str:
    if PRIVATE.fullmatch(name):
        return name.upper()
    tag = tag_for_keyword(name)
    if tag is None:
        close = difflib.get_close_matches(name, keyword_dict, n=1, cutoff=0.6)
        raise UserError(
            "--take names no keyword of DICOM",
            repr(name),
            f"did you mean {close[0]!r}?"
            if close
            else "give one such as EchoTime, ImageType or SeriesDescription, or a tag such as "
            "0043,102F",
        )
    return dictionary_keyword(tag)
