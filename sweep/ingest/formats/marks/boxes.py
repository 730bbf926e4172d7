"""Boxes around findings, in a table: a row for each, as fastMRI+ and others have them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweep.core.errors import UserError, nearest, refuse, require_known
from sweep.ingest.formats.cells import Paths, measured, numbered
from sweep.ingest.formats.labels import SEPARATOR, named_in
from sweep.ingest.formats.sheet import Line, read_sheet

FILE, SLICE, LABEL = "file", "slice", "label"
X, Y, WIDTH, HEIGHT, X2, Y2 = "x", "y", "width", "height", "x2", "y2"
ROLES = (FILE, SLICE, LABEL, X, Y, WIDTH, HEIGHT, X2, Y2)


@dataclass(frozen=True)
class Box:
    """One box.

    Attributes:
        line: Of its table; 0 = it stands in none.
        file: The file, as the rows of images name it.
        slice: The slice that it is on, see ``Marking.counted``; None of a picture.
        corner: x and y of its left upper corner, in pixels from the left upper corner of the
            image: x counts columns, y rows.
        size: Width and height in pixels; None of a point.
        labels: What it is around.

    """

    line: int
    file: str
    slice: int | None
    corner: tuple[float, float]
    size: tuple[float, float] | None
    labels: frozenset[str]

    def within(self, shape: tuple[int, int]) -> float | None:
        """The part of it in an image, in pixels; of a point in it 0.

        Args:
            shape: (H, W) of the image.

        Returns:
            None: It lies outside.

        """
        across, down = (
            _inside(start, length, end)
            for start, length, end in zip(
                self.corner, self.size or (0.0, 0.0), (shape[1], shape[0]), strict=True
            )
        )
        return None if across is None or down is None else across * down


def _inside(start: float, length: float, end: int) -> float | None:
    """How much of a stretch lies between 0 and an end; None = nothing, not so much as a point."""
    if start >= end or start + length < 0 or (length and start + length == 0):
        return None
    return min(start + length, end) - max(start, 0)


@dataclass(frozen=True)
class BoxTable:
    """A table of boxes, and what its columns are called.

    Attributes:
        path: CSV, Excel or Parquet.
        names: The column for a role, where it has not the name of the role: ``{"x": "x_min"}``.

    Raises:
        UserError: A role that is none.

    """

    path: Path
    names: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        require_known("--box-column", list(self.names), ROLES)

    def column(self, role: str) -> str:
        """The name of the column for a role."""
        return self.names.get(role, role)

    def to_plain(self) -> dict[str, object]:
        """What it is, as JSON can say it."""
        names = {"box_columns": dict(self.names)} if self.names else {}
        return {"boxes": str(self.path), **names}


def read_boxes(
    table: BoxTable, paths: Paths, *, slices: bool, separator: str = SEPARATOR, areas: bool = False
) -> list[Box]:
    """Read a table of boxes.

    Its columns are ``file``, ``slice``, ``x``, ``y``, ``width``, ``height`` and ``label``. Instead
    of ``width`` and ``height`` there may be the other corner, ``x2`` and ``y2``; with neither, a
    row is a point.

    Args:
        table: The table.
        paths: Reads the paths of files.
        slices: Files hold several slices, and each box is on one; otherwise a column ``slice`` is
            not used.
        separator: What stands between the names in a cell of ``label``.
        areas: The areas of the boxes matter, which points have not.

    Raises:
        UserError: See ``read_sheet``; a missing column; points whose areas matter; a row without a
            file, a slice or a label; a cell that is no number; a box of less than no width.

    """
    path = table.path
    header, lines, _ = read_sheet(path, "table of boxes", [*map(table.column, ROLES)])
    by_size, by_corner = (
        all(table.column(role) in header for role in roles) for roles in ((WIDTH, HEIGHT), (X2, Y2))
    )
    required = [FILE, *([SLICE] if slices else []), X, Y, LABEL]
    asked = [role for role in (WIDTH, HEIGHT, X2, Y2) if role in table.names]
    refuse(
        f"the table of boxes {path} does not have all of the columns "
        f"{', '.join(map(table.column, required))}",
        [
            f"no {table.column(role)!r} ({nearest(table.column(role), header)})"
            for role in dict.fromkeys((*required, *asked))
            if table.column(role) not in header
        ],
        "name them in the first line, or say which columns they are: --box-column x=x_min",
    )
    if areas and not (by_size or by_corner):
        raise UserError(
            "points have no area, and there is a least one",
            f"{path} without the columns {table.column(WIDTH)!r} and {table.column(HEIGHT)!r}",
            "name these columns by --box-column, or leave --least-area out",
        )
    places = {name: place for place, name in enumerate(header)}
    sides = (WIDTH, HEIGHT) if by_size else (X2, Y2) if by_corner else None
    boxes = [_box(line, places, table, paths, slices, separator, sides) for line in lines]
    _check(boxes, slices, path)
    return boxes


def _box(
    line: Line,
    places: Mapping[str, int],
    table: BoxTable,
    paths: Paths,
    slices: bool,
    separator: str,
    sides: tuple[str, str] | None,
) -> Box:
    where = f"{table.path}, row {line.number}"

    def cell(role: str) -> str:
        return line.cells[places[table.column(role)]].strip()

    x, y = (measured(role, cell(role), where) for role in (X, Y))
    size = None
    if sides is not None:
        first, second = (measured(role, cell(role), where) for role in sides)
        size = (first, second) if sides[0] == WIDTH else (first - x, second - y)
    return Box(
        line=line.number,
        file=paths(cell(FILE)),
        slice=numbered(SLICE, cell(SLICE), where) if slices else None,
        corner=(x, y),
        size=size,
        labels=named_in(cell(LABEL), separator),
    )


def _check(boxes: Sequence[Box], slices: bool, path: Path) -> None:
    def check(breach: str, broken: Iterable[Box], remedy: str) -> None:
        refuse(f"boxes of {path} {breach}", [f"row {one.line}" for one in broken], remedy)

    check("name no file", (one for one in boxes if not one.file), "fill the column 'file'")
    check("have no label", (one for one in boxes if not one.labels), "fill the column 'label'")
    if slices:
        check(
            "are on no slice",
            (one for one in boxes if one.slice is None),
            "fill the column 'slice', or remove the rows: what is said of a whole volume belongs "
            "into the manifest",
        )
    check(
        "have a side of less than 0 pixels",
        (one for one in boxes if one.size and min(one.size) < 0),
        "correct them: x and y are those of the left upper corner, which x2 and y2 lie below and "
        "to the right of",
    )
