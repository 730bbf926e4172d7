"""Some slices of a store as a store of its own, to try something out on."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.core.errors import UserError
from sweep.core.files import replacing
from sweep.core.keys import generator
from sweep.store.fingerprint import fingerprint
from sweep.store.layout import Form, PixelType, create
from sweep.store.reader import Store
from sweep.store.slices import Slice
from sweep.store.writer import StoreWriter


def chosen(store: Store, splits: Sequence[str | int], most: int) -> NDArray[np.intp]:
    """Some slices of each split, ascending; which, is drawn by their keys.

    Every combination of labels is taken in turn, and each patient of it in turn, so that few slices
    show all that there is.

    Args:
        store: The store.
        splits: The splits.
        most: How many slices of each at most.

    Raises:
        UserError: So few do not show every combination of labels that a split has.

    """
    rows = [_of_split(store, split, most) for split in dict.fromkeys(map(str, splits))]
    return np.sort(np.concatenate(rows))


def write_excerpt(store: Store, rows: NDArray[np.intp], path: Path) -> Store:
    """Write a store of some slices, with all that is known of them; one that is there is replaced.

    Args:
        store: Where they are from.
        rows: Their numbers.
        path: The new file.

    """
    slices = [_described(store, row) for row in rows.tolist()]
    source = {**store.source, "excerpt_of": store.fingerprint}
    height, width = store.images.shape[1:]
    pixels: PixelType = "float32" if store.images.dtype == np.float32 else "float16"
    form = Form((height, width), store.label_names, store.task, source, pixels, store.frame)
    with replacing(path) as temporary:
        create(temporary, slices, form)
        with StoreWriter.open(temporary) as draft:
            digests = [
                draft.write(
                    place,
                    store.read([row])[0],
                    store.kspace(row) if store.has_kspace else None,
                    slices[place].origin,
                )
                for place, row in enumerate(rows.tolist())
            ]
            draft.finish(fingerprint(slices, form, digests))
    return Store.open(path)


def _of_split(store: Store, split: str, most: int) -> NDArray[np.intp]:
    rows = store.indices([split])
    shuffled = generator("excerpt", split).permutation(rows)
    groups: dict[bytes, dict[str, list[int]]] = {}
    for row in shuffled.tolist():
        patients = groups.setdefault(store.labels[row].tobytes(), {})
        patients.setdefault(str(store.patients[row]), []).append(row)
    if most < len(groups):
        raise UserError(
            "so few slices do not show every combination of labels",
            f"{most}, where split {split!r} has {len(groups)} combinations",
            f"take {len(groups)} or more",
        )
    in_turn = _turns([_turns(list(patients.values())) for patients in groups.values()])
    return np.array(in_turn[:most], np.intp)


def _turns(lists: Sequence[Sequence[int]]) -> list[int]:
    """The first of each, then the second of each, and so on."""
    return [one for one in chain.from_iterable(zip_longest(*lists)) if one is not None]


def _described(store: Store, row: int) -> Slice:
    shown = store.labels[row].astype(bool).tolist()
    number = int(store.numbers[row])
    return Slice(
        key=str(store.keys[row]),
        patient=str(store.patients[row]),
        split=str(store.splits[row]),
        labels=frozenset(name for name, has in zip(store.label_names, shown, strict=True) if has),
        origin=f"slice {store.keys[row]} of {store.path}",
        sequence=str(store.sequences[row]),
        geometry=store.geometry(row),
        scan=str(store.scans[row]),
        number=None if number < 0 else number,
        columns={name: str(store.column(name)[row]) for name in store.column_names},
    )
