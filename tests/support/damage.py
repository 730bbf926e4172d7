"""Files damaged in every way that one can think of, by byte and by field, drawn from a seed."""

import copy
import io
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

Damage = tuple[str, bytes]
DEEP = 3000

# What may stand in the place of a value; each is written by JSON and YAML as it is.
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 10**30, 1e308, float("nan"), float("-inf"), 0.5),
    *(
        "",
        "x",
        "../../victim",
        "/etc/passwd",
        "..",
        "a\x1b[31mb",
        "\ud800",
        "trial-0001",
        "9" * 400,
    ),
    *([], {}, [[]], [1, "a", None], {"a": {"b": []}}, {"": 1}),
)


def damaged(file: Path, rng: random.Random) -> Damage:
    """What was done to a file, and what it holds then.

    Args:
        file: A file of a sweep's folder, or a store.
        rng: Where the damage is drawn from.

    """
    content = file.read_bytes()
    fields = FIELDS.get(file.suffix)
    if fields is not None and rng.random() < 0.7:
        return fields(content, rng)
    return _bytes(content, rng)


def _bytes(content: bytes, rng: random.Random) -> Damage:
    at = rng.randrange(len(content) + 1)
    some = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    name, made = rng.choice(
        [
            ("cut", content[:at]),
            ("empty", b""),
            ("overwritten", content[:at] + some + content[at + len(some) :]),
            ("inserted", content[:at] + some + content[at:]),
            ("removed", content[:at] + content[at + len(some) :]),
            ("zeros", content[:at] + bytes(len(content) - at)),
            ("doubled", content + content),
            ("brackets", b"[" * 100_000),
            ("braces", b'{"a":' * 100_000),
            ("not UTF-8", b"\xff\xfe" + content),
            ("null", b"null"),
            ("list", b"[]"),
            ("number", b"1" * 5000),
            ("noise", bytes(rng.randrange(256) for _ in range(500))),
        ]
    )
    return f"{name} at {at}", made


def _json(content: bytes, rng: random.Random) -> Damage:
    plain = json.loads(content)
    what, changed = _changed(plain, rng)
    return what, json.dumps(changed).encode()


def _lines(content: bytes, rng: random.Random) -> Damage:
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    way = rng.randrange(5)
    if way == 0:
        return f"line {at} is gone", b"".join(lines[:at] + lines[at + 1 :])
    if way == 1:
        return f"cut after line {at}", b"".join(lines[:at])
    if way == 2:
        return f"line {at} is there twice", b"".join(lines[: at + 1] + lines[at:])
    if way == 3:
        return f"line {at} is torn", b"".join([*lines[:at], lines[at][: len(lines[at]) // 2]])
    what, changed = _changed(json.loads(lines[at]), rng)
    lines[at] = json.dumps(changed).encode() + b"\n"
    return f"line {at}, {what}", b"".join(lines)


def _yaml(content: bytes, rng: random.Random) -> Damage:
    if rng.random() < 0.1:
        return "deep", b"name: " + b"[" * DEEP + b"]" * DEEP
    what, changed = _changed(yaml.safe_load(content), rng)
    return what, yaml.safe_dump(changed, sort_keys=False).encode()


def _table(content: bytes, rng: random.Random) -> Damage:
    table = pq.read_table(pa.BufferReader(content))
    at = rng.randrange(table.num_columns)
    name = table.column_names[at]
    odd = [None, 0, -1, 0.5, True, "../../victim", b"\xff", [1], {"a": 1}]
    value = rng.choice(odd)
    column = pa.array([value] * len(table))
    ways: list[Callable[[], tuple[str, pa.Table]]] = [
        lambda: (f"no column {name}", table.remove_column(at)),
        lambda: (f"{name} is {value!r}", table.set_column(at, name, column)),
        lambda: (f"{name} has another name", _renamed(table, at, "odd")),
        lambda: (f"{name} is there twice", table.append_column(name, table.column(at))),
        lambda: ("no rows", table.slice(0, 0)),
        lambda: ("fewer rows", table.slice(0, rng.randrange(1, len(table)))),
        lambda: ("no columns", table.select([])),
    ]
    what, made = rng.choice(ways)()
    sink = io.BytesIO()
    pq.write_table(made, sink)
    return what, sink.getvalue()


def _renamed(table: pa.Table, at: int, name: str) -> pa.Table:
    names = list(table.column_names)
    names[at] = name
    return table.rename_columns(names)


def _checkpoint(content: bytes, rng: random.Random) -> Damage:
    plain = torch.load(io.BytesIO(content), weights_only=True)
    state = plain["state"]
    part = rng.choice(["spec", "meta", "meta", "state", "all"])
    if part == "state":
        name = rng.choice(list(state))
        odd = [
            *(
                None,
                3,
                "x",
                state[name].double(),
                state[name].reshape(-1)[:0],
                state[name].to_sparse(),
            ),
            *(torch.zeros(state[name].shape, device="meta"), torch.zeros(()), state[name][None]),
        ]
        what, state[name] = f"state of {name}", rng.choice(odd)
    elif part == "all":
        what, plain = _changed(plain | {"state": {}}, rng)
    else:
        what, plain[part] = _changed(plain[part], rng)
        what = f"{part}: {what}"
    sink = io.BytesIO()
    torch.save(plain, sink)
    return what, sink.getvalue()


def _store(content: bytes, rng: random.Random) -> Damage:
    """A store in which something lies elsewhere, is of another kind, or is gone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            what = _change_store(file, rng)
        return what, path.read_bytes()


def _change_store(file: h5py.File, rng: random.Random) -> str:
    if rng.random() < 0.4:
        name = rng.choice(list(file.attrs))
        odd = [
            1,
            0.5,
            "",
            "x",
            "[]",
            "[" * 5000,
            b"\xff",
            ["a"],
            ["a", "a"],
            [1, 2],
            ["a", "\x1b[m"],
        ]
        del file.attrs[name]
        if rng.random() < 0.8:
            file.attrs[name] = value = rng.choice(odd)
            return f"attribute {name} is {value!r:.40}"
        return f"no attribute {name}"
    name = rng.choice(list(file))
    values = file[name][...]
    del file[name]
    way = rng.randrange(7)
    if way == 0:
        return f"no dataset {name}"
    if way == 1:
        file[name] = h5py.ExternalLink("/etc/hostname.h5", "/x")
    elif way == 2:
        file[name] = h5py.SoftLink(rng.choice([f"/{name}", "/labels", "/nowhere"]))
    elif way == 3:
        outside = [("/etc/passwd", 0, max(values.nbytes, 1))]
        file.create_dataset(name, values.shape, values.dtype, external=outside)
    elif way == 4:
        layout = h5py.VirtualLayout(values.shape or (1,), values.dtype)
        file.create_virtual_dataset(name, layout)
    elif way == 5:
        file[name] = values[:1] if values.shape else np.zeros((2, 2))
    else:
        file[name] = rng.choice([np.zeros(5), np.array(["x"] * 5, "S3"), np.zeros((0, 2)), 3])
    return f"dataset {name} in way {way}"


FIELDS: dict[str, Callable[[bytes, random.Random], Damage]] = {
    ".json": _json,
    ".jsonl": _lines,
    ".journal": _lines,
    ".yaml": _yaml,
    ".parquet": _table,
    ".pt": _checkpoint,
    ".h5": _store,
}


def _changed(plain: Any, rng: random.Random) -> tuple[str, Any]:
    """Plain data with one value that is odd, gone, or more than was asked for."""
    made = copy.deepcopy(plain)
    places = list(_places(made))
    if not places:
        return "odd as a whole", rng.choice(ODD)
    where, node, key = places[rng.randrange(len(places))]
    way = rng.random()
    if way < 0.15:
        del node[key]
        return f"{where} is gone", made
    if way < 0.25 and isinstance(node, dict):
        node["odd"] = rng.choice(ODD)
        return f"{where} has an odd neighbour", made
    value = rng.choice(ODD)
    node[key] = value
    return f"{where} is {value!r:.60}", made


def _places(node: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(node, dict):
        items = list(node.items())
    else:
        items = list(enumerate(node)) if isinstance(node, list) else []
    for key, value in items:
        yield f"{where}/{key}", node, key
        yield from _places(value, f"{where}/{key}")
