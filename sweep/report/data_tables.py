"""The data of a report as one Parquet table for each of its tables and figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweep.report.document import Figure, Pictures, Report, Row, Table
from sweep.results import tables


def data_of(report: Report) -> Iterator[tuple[str, list[Row]]]:
    """Name and rows of everything that has data."""
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Table | Figure | Pictures) and block.data:
                yield block.name, list(block.data)


def write_data(folder: Path, report: Report) -> None:
    """Write a Parquet file for each, into a folder.

    Args:
        folder: It is made.
        report: The report.

    """
    for name, rows in data_of(report):
        columns = {key: [_plain(row.get(key)) for row in rows] for row in rows for key in row}
        table = {key: _of_one_type(values) for key, values in columns.items()}
        tables.write_rows(
            folder / f"{name}.parquet",
            [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)],
        )


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _of_one_type(values: list[Any]) -> list[Any]:
    """A column as Arrow takes it: of numbers and words, words."""
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and len(kinds) > 1:
        return [None if value is None else str(value) for value in values]
    return values
