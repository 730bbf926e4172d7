"""Whatever is wrong with a file of a sweep's folder or a store costs a sentence, and no more."""

import io
import os
import pickle
import random
import shutil
import zipfile
from pathlib import Path

import h5py
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.commands import READERS, ask, commands, contents, quiet
from tests.support.damage import damaged
from tests.support.stores import make_store

SEEDS = (7, pytest.param(8, marks=pytest.mark.long), pytest.param(9, marks=pytest.mark.long))
CHEAP = ("report", "check")  # these take a second or more, and are left to the long form


def outside(folder: SweepFolder, root: Path) -> dict[str, str]:
    """What no command may change."""
    inner = f"{folder.path.relative_to(root)}/"
    left_out = (inner, "out/", "work/")
    return {k: v for k, v in contents(root).items() if not k.startswith(left_out)}


def asked_of(folder: SweepFolder, pattern: str, store: Store, out: Path, every: bool) -> None:
    known = commands(folder.path, store.path, out)
    for name in READERS[pattern]:
        if every or name not in CHEAP:
            quiet(ask(*known[name]), (pattern, name))


@pytest.mark.parametrize("pattern", READERS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_file_costs_a_sentence(
    folder: SweepFolder, whole: Path, store: Store, tmp_path: Path, pattern: str, seed: int
) -> None:
    rng = random.Random(f"{seed} {pattern}")
    (tmp_path / "out").mkdir()
    before = outside(folder, tmp_path)
    every = seed != SEEDS[0]
    for _ in range(30 if every else 1):
        file = rng.choice(sorted(path for path in whole.glob(pattern) if path.is_file()))
        place = folder.path / file.relative_to(whole)
        what, content = damaged(file, rng)
        place.write_bytes(content)
        print(f"{place}: {what}")  # shown where the test fails
        asked_of(folder, pattern, store, tmp_path / "out", every)
        shutil.rmtree(folder.path)
        shutil.copytree(whole, folder.path)
    assert outside(folder, tmp_path) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_store_costs_a_sentence(
    folder: SweepFolder, store: Store, tmp_path: Path, seed: int
) -> None:
    rng, place = random.Random(f"{seed} store"), tmp_path / "store.h5"
    checkpoint = min((folder.path / "checkpoints").rglob("epoch-*.pt"))
    for _ in range(100 if seed != SEEDS[0] else 12):
        what, content = damaged(store.path, rng)
        place.write_bytes(content)
        print(what)
        for arguments in (
            ("data", "show", place, "--verify"),
            ("predict", checkpoint, "--data", place, "--out", tmp_path / "said.parquet", "--force"),
            ("stress", checkpoint, "--data", place, "--artifacts", "rician", "--levels", 1),
        ):
            quiet(ask(*arguments), what)


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


def planted(file: Path, bomb: bytes) -> bytes:
    """What a file holds that runs the bomb, where its format has a place for one that is loaded."""
    if file.suffix == ".pt":
        sink = io.BytesIO()
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(sink, "w") as made:
            for part in archive.namelist():
                content = bomb if part.endswith("data.pkl") else archive.read(part)
                made.writestr(part, content)
        return sink.getvalue()
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        name = table.column_names[0]
        said = {
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": bomb,
        }
        column = pa.array([bomb] * len(table), pa.binary())
        made = table.set_column(0, pa.field(name, pa.binary(), metadata=said), column)
        sink = io.BytesIO()
        pq.write_table(made.replace_schema_metadata({b"pandas": bomb, b"PANDAS": bomb}), sink)
        return sink.getvalue()
    if file.suffix == ".yaml":
        return f"!!python/object/apply:os.mkdir [{file}.ran]".encode()
    if file.suffix == ".h5":
        with h5py.File(file, "r+") as store:
            store.attrs["task"] = bomb.hex()
            store.attrs["source"] = bomb.hex()
        return file.read_bytes()
    return bomb


def test_nothing_in_a_folder_is_unpickled(
    folder: SweepFolder, whole: Path, store: Store, tmp_path: Path
) -> None:
    """A pickle in every file in turn, where its format has a place for one; none runs."""
    (tmp_path / "out").mkdir()
    ran = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(ran))
    pickle.loads(bomb)
    assert ran.is_dir(), "it is one"
    ran.rmdir()
    for pattern in READERS:
        for file in sorted(path for path in whole.glob(pattern) if path.is_file())[:2]:
            place = folder.path / file.relative_to(whole)
            place.write_bytes(planted(place, bomb))
            asked_of(folder, pattern, store, tmp_path / "out", every=False)
            assert not ran.exists(), place
            assert not list(folder.path.rglob("*.ran"))
            shutil.copy(file, place)
        shutil.rmtree(folder.path)
        shutil.copytree(whole, folder.path)


def test_nothing_in_a_store_is_unpickled(tmp_path: Path) -> None:
    store, ran = make_store(tmp_path / "store.h5", patients=4), tmp_path / "ran"
    planted(store.path, pickle.dumps(Bomb(ran)))
    answer = ask("data", "show", store.path)
    assert answer.status == 2
    assert not ran.exists()
