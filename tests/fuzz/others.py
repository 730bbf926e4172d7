"""What is no image and damaged all the same: tables, trees without one, stores, unfinished ingests.

As ``harness.play`` does, each of these plays cases in an empty folder, and judges.
"""

import io
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from sweep.inspect.verify import damaged_slices, description_is_whole
from sweep.store import Store
from tests.fuzz.damages import damaged
from tests.fuzz.harness import Verdict, asked, judge_tree, picture_of, place_tree
from tests.fuzz.samples import Sample, unzipped, zipped
from tests.support.damage import damaged as damaged_field
from tests.support.kspace import make_kspace_store
from tests.support.pictures import store_of, texture

FILES = 6
HEAD = "file,slice,study_level,x,y,width,height,label"
RULE = """labels:
  tear: ["Meniscus Tear", "*ACL*"]
ignore: ["*Effusion*", artifact]
study_level: slice
"""


def rng_of(seed: str, family: str, number: int) -> random.Random:
    return random.Random(f"{seed}/{family}/{number}")


# Tables.


def cells() -> list[list[str]]:
    """A manifest of six pictures."""
    rows = [[f"{n}.png", "xy"[n % 2], f"p{n}", "ab"[n % 2], f"s{n % 3}"] for n in range(FILES)]
    return [["file", "label", "patient", "split", "site"], *rows]


def as_excel() -> bytes:
    book = openpyxl.Workbook()
    for row in cells():
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    entries = unzipped(stream.getvalue())
    entries["docProps/core.xml"] = b"<a/>"  # which says when it was made
    return zipped(entries)


def as_parquet() -> bytes:
    head, *rows = cells()
    columns = dict(zip(head, map(list, zip(*rows, strict=True)), strict=True))
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def as_text(mark: str, encoding: str) -> bytes:
    return "\n".join(mark.join(row) for row in cells()).encode(encoding)


@cache
def tables() -> Mapping[str, bytes]:
    """The damaged table by its kind; the suffix is that of its name."""
    names = [f"v{n}" for n in range(FILES)]
    findings = [f"{name},0,No,1,1,5,5,Meniscus Tear" for name in names[:4]]
    return {
        "manifest.csv": as_text(",", "utf-8"),
        "manifest semicolon.csv": as_text(";", "utf-8-sig"),
        "manifest tab.csv": as_text("\t", "utf-8"),
        "manifest UTF-16.csv": as_text(",", "utf-16"),
        "manifest.xlsx": as_excel(),
        "manifest.parquet": as_parquet(),
        "labels.csv": "\n".join([HEAD, *findings, f"{names[5]},0,Yes,,,,,artifact"]).encode(),
        "reviewed.csv": "\n".join(names).encode(),
        "patients.csv": "\n".join(
            [
                "file,patient,group",
                *(f"{name},{name},{'ab'[n % 2]}" for n, name in enumerate(names)),
            ]
        ).encode(),
        "rule.yaml": RULE.encode(),
    }


def play_tables(folder: Path, seed: str, numbers: Sequence[int], _: float | None) -> list[Verdict]:
    """Ingest six whole files by a damaged table."""
    write_sources(folder)
    verdicts = []
    for number in numbers:
        rng = rng_of(seed, "tables", number)
        kind = rng.choice(sorted(tables()))
        what, content = damaged(kind, tables()[kind], rng)
        one = Verdict(f"c{number:07}", f"table, {kind}", what, "refused")
        place = folder / one.case
        place.mkdir()
        out = place / "out"
        out.mkdir()
        answer = asked(command_of_table(folder, place, kind, content, out / "s.h5"))
        one.said = answer.said[-300:]
        if "Traceback" in answer.said or answer.status not in (0, 2):
            one.faults.append(f"status {answer.status}: {answer.said[-3000:]}")
        left = [path.name for path in out.iterdir()]
        if left != (["s.h5"] if answer.status == 0 else []):
            one.faults.append(f"left behind: {left}")
        if answer.status == 0:
            one.outcome = "same"
            one.faults += wrong_in(Store.open(out / "s.h5"))
        shutil.rmtree(place)
        verdicts.append(one)
    return verdicts


def write_sources(folder: Path) -> None:
    """Six pictures, and six volumes of fastMRI's layout."""
    (folder / "images").mkdir()
    (folder / "fastmri").mkdir()
    for number in range(FILES):
        Image.fromarray(picture_of(number)).save(folder / "images" / f"{number}.png")
        with h5py.File(folder / "fastmri" / f"v{number}.h5", "w") as file:
            file["reconstruction_rss"] = picture_of(number)[None].astype(np.float32)


def command_of_table(folder: Path, place: Path, kind: str, content: bytes, out: Path) -> list[str]:
    """Write the damaged table; the command that takes it."""
    path = place / f"t{Path(kind).suffix}"
    path.write_bytes(content)
    common = ["--workers", "1", "--out", str(out)]
    if kind.startswith("manifest"):
        return ["ingest", "images", str(path), "--images", str(folder / "images"), *common]
    given = {name: place / f"{name}" for name in ("labels.csv", "patients.csv", "rule.yaml")}
    for name, where in given.items():
        where.write_bytes(content if name == kind else tables()[name])
    reviewed = path if kind == "reviewed.csv" else place / "reviewed.csv"
    if reviewed != path:
        reviewed.write_bytes(tables()["reviewed.csv"])
    options = ["--labels", given["labels.csv"], "--reviewed", reviewed]
    options += ["--patients", given["patients.csv"], "--split-column", "group"]
    options += ["--rule", given["rule.yaml"]]
    return ["ingest", "fastmri", str(folder / "fastmri"), *map(str, options), *common]


def wrong_in(store: Store) -> list[str]:
    """Whether each slice has the pixels of the file that its key names."""
    faults = []
    if not description_is_whole(store) or damaged_slices(store):
        faults.append("the store does not agree with its digests")
    for row, key in enumerate(store.keys.tolist()):
        name = next((n for n in range(FILES) if f"/{n}.png" in key or f"/v{n}/" in key), None)
        if name is None or not np.array_equal(store.read([row])[0], picture_of(name)):
            faults.append(f"{key} has other pixels")
    return faults


# Stores.


@cache
def stores() -> Mapping[str, bytes]:
    """Of images, and with k-space."""
    with tempfile.TemporaryDirectory() as folder:
        images = [texture(number, 24) for number in range(8)]
        plain, measured = Path(folder) / "plain.h5", Path(folder) / "measured.h5"
        store_of(plain, images, list("aabbaabb"))
        make_kspace_store(measured, patients=6)
        return {"store": plain.read_bytes(), "store with k-space": measured.read_bytes()}


def play_stores(folder: Path, seed: str, numbers: Sequence[int], _: float | None) -> list[Verdict]:
    """Show and verify a damaged store: what is verified is what it was."""
    whole = {}
    for name, content in stores().items():
        path = folder / f"{name.replace(' ', '-')}.h5"
        path.write_bytes(content)
        whole[name] = Store.open(path)
    verdicts = []
    for number in numbers:
        rng = rng_of(seed, "stores", number)
        kind = rng.choice(sorted(stores()))
        path = folder / f"c{number:07}.h5"
        path.write_bytes(stores()[kind])
        by_part = rng.random() < 0.3
        what, content = (
            damaged_field(path, rng) if by_part else damaged("a.h5", stores()[kind], rng)
        )
        what = "HDF5 part of a store" if by_part else what
        path.write_bytes(content)
        one = Verdict(f"c{number:07}", kind, what, "refused")
        for options in ([], ["--verify", "--json"]):
            answer = asked(["data", "show", str(path), *options])
            one.said = answer.said[-300:]
            if "Traceback" in answer.said or answer.status not in (0, 1, 2):
                one.faults.append(f"status {answer.status}: {answer.said[-3000:]}")
            elif answer.status == 0 and options:
                one.outcome = "same"
                if other := differs(whole[kind], Store.open(path)):
                    one.faults.append(f"verified, and other than it was: {other}")
            elif answer.status and path.name not in answer.said:
                one.faults.append(f"the message does not name the store: {answer.said}")
        if path.read_bytes() != content:
            one.faults.append("the store was written to")
        path.unlink()
        verdicts.append(one)
    return verdicts


def differs(first: Store, second: Store) -> str:
    """In what two stores say other things."""
    for name in ("label_names", "task", "source", "fingerprint", "frame"):
        if getattr(first, name) != getattr(second, name):
            return f"{name}: {getattr(first, name)} and {getattr(second, name)}"
    if set(first.columns) != set(second.columns):
        return f"columns {sorted(set(first.columns) ^ set(second.columns))}"
    for name, values in first.columns.items():
        if name == "perceptual_hash":  # another library may round a bit of it
            continue
        if not np.array_equal(values.view(np.uint8), second.columns[name].view(np.uint8)):
            return f"values of {name}"
    if first.frame is not None:
        for row in range(len(first)):
            if not np.array_equal(first.kspace(row), second.kspace(row)):
                return f"k-space {row}"
    return ""


# Unfinished ingests.

KILLED = """
import os, signal, sys
from sweep.cli import main
from sweep.store.writer import StoreWriter

StoreWriter.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    main(sys.argv[1:])
"""


def begun(folder: Path) -> tuple[list[str], bytes, dict[str, bytes]]:
    """The command, the store that it makes, and the files of what a kill leaves of it."""
    write_sources(folder)
    (folder / "m.csv").write_bytes(as_text(",", "utf-8"))
    out = folder / "out" / "s.h5"
    out.parent.mkdir()
    command = ["ingest", "images", str(folder / "m.csv"), "--images", str(folder / "images")]
    command += ["--workers", "1", "--out", str(out)]
    assert asked(command).status == 0
    whole = out.read_bytes()
    out.unlink()
    partial = out.with_name("s.h5.partial")
    subprocess.run([sys.executable, "-c", KILLED, *command], check=False, stderr=subprocess.DEVNULL)
    files = {path.name: path.read_bytes() for path in partial.iterdir()}
    shutil.rmtree(partial)
    assert set(files) == {"draft.h5", "journal.jsonl"}, files.keys()
    return command, whole, files


def play_partial(folder: Path, seed: str, numbers: Sequence[int], _: float | None) -> list[Verdict]:
    """Go on with a damaged unfinished ingest: it is refused, or comes to the same bytes."""
    command, whole, files = begun(folder)
    out = Path(command[-1])
    partial = out.with_name("s.h5.partial")
    verdicts = []
    for number in numbers:
        rng = rng_of(seed, "partial", number)
        name = rng.choice(sorted(files))
        what, content = damaged(name, files[name], rng)
        if name == "journal.jsonl":
            lines = files[name].splitlines(keepends=True)
            if rng.random() < 0.5:
                what, content = "lines gone", b"".join(lines[: rng.randrange(len(lines))])
            elif rng.random() < 0.3:
                rng.shuffle(lines)
                what, content = "lines in another order", b"".join(lines)
        one = Verdict(f"c{number:07}", f"unfinished, {name}", what, "refused")
        partial.mkdir()
        for other, bytes_of in files.items():
            (partial / other).write_bytes(content if other == name else bytes_of)
        answer = asked(command)
        one.said = answer.said[-300:]
        if "Traceback" in answer.said or answer.status not in (0, 1, 2):
            one.faults.append(f"status {answer.status}: {answer.said[-3000:]}")
        left = sorted(path.name for path in out.parent.iterdir())
        if answer.status == 0:
            one.outcome = "same"
            if left != [out.name]:
                one.faults.append(f"left behind: {left}")
            elif out.read_bytes() != whole:
                one.faults.append(
                    f"gone on with, the store has other bytes: {other_bytes(out, whole)}"
                )
        elif out.name in left:
            one.faults.append(f"refused, and a store is there: {answer.said[-500:]}")
        elif str(partial) not in answer.said and str(out) not in answer.said:
            one.faults.append(f"the message names no file: {answer.said[-500:]}")
        shutil.rmtree(out.parent)
        out.parent.mkdir()
        verdicts.append(one)
    return verdicts


def other_bytes(out: Path, whole: bytes) -> str:
    try:
        store = Store.open(out)
    except Exception as error:
        return f"it does not open: {error}"
    good = description_is_whole(store) and not damaged_slices(store)
    content = out.read_bytes()
    places = [n for n, (a, b) in enumerate(zip(content, whole, strict=False)) if a != b]
    return (
        f"verified: {good}; {len(places)} bytes from {places[:1]}, {len(content)} of {len(whole)}"
    )


# Trees.


def play_trees(
    folder: Path, seed: str, numbers: Sequence[int], samples: Mapping[str, Sequence[Sample]]
) -> list[Verdict]:
    """`ingest folder` and `manifest` of folders in which files are damaged."""
    rng = rng_of(seed, "trees", numbers[0])
    kind = rng.choice(["images", "volumes", "dicom"])
    cases = place_tree(folder, kind, seed, numbers, samples[kind])
    return judge_tree(folder, kind, cases)


Play = Callable[[Path, str, Sequence[int], float | None], list[Verdict]]
OTHERS: Mapping[str, Play] = {
    "tables": play_tables,
    "stores": play_stores,
    "partial": play_partial,
}
