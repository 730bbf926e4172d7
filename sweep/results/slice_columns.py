"""What a store says of the scored slices besides their labels, such as their site.

A driver writes it once into ``slices.parquet`` in the sweep's folder, a row for each slice that
trials or finalists are scored on, so that a question by site needs the folder alone. Of a sweep
that was begun by an earlier version the store is asked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweep.core.errors import UserError, WorkError, nearest, within
from sweep.core.files import replacing
from sweep.core.mirrors import fetched
from sweep.core.reading import readable, require_file
from sweep.results.ownership import inside
from sweep.results.sweep_file import asked
from sweep.store import Store
from sweep.store.bound import open_bound
from sweep.store.reader import TEXTS

FILE = "slices.parquet"
KEY = "key"  # the column of the slices' names, which no column of the user's has


def keep_columns(folder: Path, store: Store, splits: Sequence[str | int]) -> None:
    """Write the columns of the slices of some splits into a sweep's folder, unless they are there.

    Args:
        folder: The sweep's folder.
        store: The sweep's data.
        splits: Whose slices.

    """
    path = inside(folder, FILE)
    if path.exists():
        return
    rows = store.indices(splits)
    names = (*store.column_names, *TEXTS)
    table = pa.table(
        {
            KEY: pa.array(store.keys[rows].tolist()),
            **{name: _encoded(store.column(name)[rows].tolist()) for name in names},
        }
    )
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def column_of(folder: Path, name: str) -> dict[str, str]:
    """What a column says of each scored slice of a sweep.

    Args:
        folder: The sweep's folder.
        name: One that the store keeps, or ``scan``, ``patient``, ``split``, ``sequence``.

    Returns:
        By the name of the slice; empty texts where nothing is known.

    Raises:
        UserError: No such column; or neither a table in the folder nor the store.
        WorkError: The table is damaged.

    """
    try:
        return _of_table(fetched(inside(folder, FILE)), name)
    except FileNotFoundError:
        return _of_store(folder, name)


def column_names(folder: Path) -> tuple[str, ...]:
    """The columns that the user kept with the slices, sorted; none where nothing says them.

    Raises:
        WorkError: The table is damaged.

    """
    try:
        path = fetched(inside(folder, FILE))
        with _reading(path):
            require_file(path)
            names = pq.read_schema(path).names
        return tuple(sorted(set(names) - {KEY, *TEXTS}))
    except FileNotFoundError:
        pass
    try:
        return _store(folder).column_names
    except UserError:
        return ()


def values_at(known: Mapping[str, str], keys: Sequence[str], column: str) -> list[str]:
    """What a column says of some slices.

    Args:
        known: See ``column_of``.
        keys: (N,) the names of the slices.
        column: Its name.

    Raises:
        WorkError: It says nothing of a slice that predictions speak of.

    """
    lacking = [key for key in keys if key not in known]
    if lacking:
        raise WorkError(
            f"what says the {column} of slices lacks some that predictions speak of",
            f"{len(lacking)} of {len(keys)}, such as {lacking[0]!r}",
            f"remove {FILE} from the sweep's folder, and the store is asked",
        )
    return [known[key] for key in keys]


def _of_table(path: Path, name: str) -> dict[str, str]:
    with _reading(path):
        require_file(path)
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            if name in names and name != KEY:
                table = file.read([KEY, name], use_threads=False)
                pairs: Any = zip(table[KEY].to_pylist(), table[name].to_pylist(), strict=True)
                found = dict(pairs)
                if not all(isinstance(text, str) for pair in found.items() for text in pair):
                    raise ValueError("it has what is no text")
                return found
    known = [one for one in names if one != KEY]
    raise UserError(
        "the sweep's slices have no such column",
        f"{name!r}, and they have {', '.join(known)}",
        "keep a column of the manifest by `mrisweep ingest ... --columns`, for a new sweep; "
        f"{nearest(name, known)}",
    )


def _of_store(folder: Path, name: str) -> dict[str, str]:
    store = _store(folder)
    return dict(zip(store.keys.tolist(), store.column(name).tolist(), strict=True))


def _store(folder: Path) -> Store:
    data = asked(folder).compared["data"]
    try:
        return open_bound(data["store"], data.get("fingerprint"))
    except UserError as error:
        raise within(
            f"the columns of the slices are not known: the folder has no {FILE}, as an earlier "
            "version began the sweep, and the store cannot be asked",
            error,
        ) from None


def _reading(path: Path) -> Any:
    remedy = "remove the file, and the store is asked"
    return readable("the table of slices cannot be read", path, remedy, WorkError)


def _encoded(texts: Sequence[str]) -> pa.DictionaryArray:
    return pa.array(texts).dictionary_encode()
