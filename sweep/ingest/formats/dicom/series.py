"""A DICOM series: the slices of one file, or of the files in a folder, in their order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.core.errors import UnusableError
from sweep.ingest.formats.dicom.choice import Choice
from sweep.ingest.formats.dicom.facts import NAMING, TELLING
from sweep.ingest.formats.dicom.file import RuledOut, is_other_dicom, read_header
from sweep.ingest.formats.dicom.header import Header
from sweep.ingest.formats.dicom.stack import (
    Placed,
    check_one,
    in_order,
    is_one,
    shown_values,
)


@dataclass(frozen=True)
class Series:
    """The slices of a volume.

    Attributes:
        headers: The headers of its files.
        slices: Along the normal (direction of a row x direction of a column) if every position is
            known, else by instance number, else by the files' names; frames of a file that say
            nothing stay in their order.
        ignored: Files in the folder that are not DICOM or have no pixels.
        remarks: What the user should know of it.

    """

    headers: tuple[Header, ...]
    slices: tuple[Placed, ...]
    ignored: int
    remarks: tuple[str, ...]


def read_series(path: Path, choice: Choice) -> Series:
    """Read the headers of a file, or of all files that lie in a folder.

    Raises:
        UnusableError: No image, or none that the choice takes; an unusable one; what is taken is no
            single stack, see ``check_one``.

    """
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    series = _series(path, files, choice, choice.keywords)
    if not is_one(series.slices):  # only then does it matter what else tells slices apart
        series = _series(path, files, choice, (*choice.keywords, *TELLING, *NAMING))
        check_one(series.slices, path)
    return series


def _series(path: Path, files: Sequence[Path], choice: Choice, names: Sequence[str]) -> Series:
    # What starts with a dot is an operating system's or an editor's own.
    found = {
        file: read_header(file, choice, names)
        for file in files
        if file == path or not file.name.startswith(".")
    }
    headers = [one for one in found.values() if isinstance(one, Header)]
    other = [one for one in found.values() if isinstance(one, RuledOut)]
    if not headers and not other:
        raise UnusableError(
            "there is no DICOM image with pixels",
            path,
            "name the file or folder of one series",
        )
    _check_lost(found)
    slices = [Placed(header, frame) for header in headers for frame in header.frames]
    taken = [one for one in slices if choice.takes(one.frame.facts)]
    if not taken:
        facts = [*(one.facts for one in other), *(one.frame.facts for one in slices)]
        raise UnusableError(
            "no slice is what --take asks for",
            f"{path} and {choice}, where the slices have {_values(choice, facts)}",
            "correct --take, or remove the rows of the volume",
        )
    used = {one.header.path for one in taken}
    remarks = {remark for header in headers if header.path in used for remark in header.remarks}
    if other or len(taken) < len(slices):
        remarks.add(f"Volumes with other slices, too, than --take {choice} asks for")
    return Series(
        headers=tuple(header for header in headers if header.path in used),
        slices=tuple(in_order(taken)),
        ignored=len(files) - len(headers) - len(other),
        remarks=tuple(sorted(remarks)),
    )


def _check_lost(found: Mapping[Path, object]) -> None:
    """Refuse what is named as the slices are and is none: without it the others would move up."""
    named = {_pattern(file) for file, one in found.items() if isinstance(one, Header | RuledOut)}
    for file, one in found.items():
        if one is None and _pattern(file) in named and not is_other_dicom(file):
            raise UnusableError(
                "a file is named as the DICOM slices beside it are, and is no image, nor says what "
                "else it is",
                file,
                "export it again, or remove it",
            )


def _pattern(file: Path) -> str:
    """The name with the same sign for every number; a name without one has none like it."""
    return re.sub(r"\d+", "0", file.name)


def _values(choice: Choice, facts: Sequence[Mapping[str, str]]) -> str:
    return "; ".join(
        f"{name} {shown_values({one.get(name, '') for one in facts})}" for name in choice.keywords
    )
