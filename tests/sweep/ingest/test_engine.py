"""Restarts, crashes and races of an ingest, with real processes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sweep.core.errors import UserError, WorkError
from sweep.ingest import engine, partial
from sweep.ingest.engine import ingest
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.ingest.plan import Plan, Skipped
from sweep.ingest.workers import HERE, work
from sweep.inspect.summary import summarize
from sweep.store import Store
from sweep.store.splits import SplitAssigner, equal_folds
from sweep.store.writer import StoreWriter
from tests.support.data import ROOT

pytestmark = pytest.mark.slow

PICTURES = 24
# The command's own work with its progress on stdout, so that a test can kill it at a known moment.
CHILD = """
import os, signal, sys
from pathlib import Path
from sweep.ingest import engine
from sweep.ingest.images import plan_images
from sweep.ingest.making import Making
from sweep.store.splits import SplitAssigner
from sweep.store.writer import StoreWriter

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def main(folder, out, workers, moment):
    if moment == "finish":
        StoreWriter.finish = die
    elif moment == "rename":
        engine.refuse_existing = lambda path: path.exists() or PUBLISHING and die()
        finish = StoreWriter.finish
        StoreWriter.finish = lambda self, text: (finish(self, text), PUBLISHING.append(1))
    plan = plan_images(Path(folder) / "m.csv", Path(folder), Making(SplitAssigner()))
    engine.ingest(
        plan, Path(out), workers=int(workers), progress=lambda n, of: print(n, flush=True)
    )

PUBLISHING = []
if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    lines = ["file,label,patient"]
    for number in range(PICTURES):
        name = f"{number:02}.png"
        Image.fromarray(generator.integers(0, 255, (64, 48), np.uint8)).save(folder / name)
        lines.append(f"{name},{'xy'[number % 2]},p{number // 2}")
    (folder / "m.csv").write_text("\n".join(lines))
    (folder / "child.py").write_text(CHILD)
    return folder


def plan_of(folder: Path, folds: int = 5) -> Plan:
    return plan_images(folder / "m.csv", folder, Making(SplitAssigner(equal_folds(folds))))


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of the store when nothing disturbs."""
    out = tmp_path_factory.mktemp("whole") / "s.h5"
    ingest(plan_of(pictures), out)
    return out.read_bytes()


def start(pictures: Path, out: Path, workers: int = 2, moment: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(pictures / "child.py"), str(pictures), str(out), str(workers), moment],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_after(child: subprocess.Popen[str], slices: int) -> None:
    assert child.stdout is not None
    for _ in range(slices):
        assert child.stdout.readline()
    child.kill()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL


def finish(pictures: Path, out: Path) -> int:
    """Let it end undisturbed; how many slices it found from before."""
    report = ingest(plan_of(pictures), out)
    assert list(out.parent.iterdir()) == [out]
    return report.found


def test_without_a_worker_nothing_begins(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no worker .*; received 0"):
        ingest(plan_of(pictures), tmp_path / "s.h5", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_processes_write_the_same_file_as_one(pictures: Path, whole: bytes, tmp_path: Path) -> None:
    with start(pictures, tmp_path / "s.h5", workers=3) as child:
        child.communicate()
    assert child.returncode == 0
    assert (tmp_path / "s.h5").read_bytes() == whole
    assert list(tmp_path.iterdir()) == [tmp_path / "s.h5"]


@pytest.mark.parametrize("slices", [0, *random.Random(0).sample(range(1, PICTURES), 9)])
def test_killed_after_some_slices_it_goes_on_and_ends_with_the_same_file(
    pictures: Path, whole: bytes, tmp_path: Path, slices: int
) -> None:
    out = tmp_path / "s.h5"
    kill_after(start(pictures, out), slices)
    assert not out.exists()
    assert finish(pictures, out) >= min(slices, 1)
    assert out.read_bytes() == whole


@pytest.mark.parametrize("moment", ["finish", "rename"])
def test_killed_while_the_store_is_published(
    pictures: Path, whole: bytes, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "s.h5"
    with start(pictures, out, workers=1, moment=moment) as child:
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert not out.exists()
    assert finish(pictures, out) == PICTURES
    assert out.read_bytes() == whole


@pytest.mark.parametrize("part", ["head", "middle", "end", "all"])
def test_a_draft_that_was_damaged_meanwhile_comes_to_the_same_file(
    pictures: Path, whole: bytes, tmp_path: Path, part: str
) -> None:
    out = tmp_path / "s.h5"
    kill_after(start(pictures, out), PICTURES // 2)
    draft = out.with_name("s.h5.partial") / "draft.h5"
    content = bytearray(draft.read_bytes())
    start_of = {"head": 0, "middle": len(content) // 2, "end": len(content) - 3000, "all": 0}[part]
    end = len(content) if part == "all" else start_of + 3000
    content[start_of:end] = bytes(one ^ 0x55 for one in content[start_of:end])
    draft.write_bytes(content)
    assert (finish(pictures, out) == 0) == (part == "all")
    assert out.read_bytes() == whole


def test_a_folder_whose_name_is_no_text_makes_a_store_that_opens(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"pati\xe9nts")
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = "".join(f"{number}.png,{'xy'[number % 2]},p{number}\n" for number in range(4))
    (folder / "m.csv").write_text(f"file,label,patient\n{rows}")
    store = ingest(plan_of(folder, folds=2), tmp_path / "s.h5").store
    assert store.source["images"] == f"{tmp_path}/pati?nts"
    assert len(store) == 4


def test_killed_again_and_again(pictures: Path, whole: bytes, tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    for slices in (3, 2, 4):
        kill_after(start(pictures, out), slices)
    finish(pictures, out)
    assert out.read_bytes() == whole


def interrupted(pictures: Path, out: Path, after: int) -> Path:
    """Stop an ingest as Ctrl-C does; the folder that it leaves."""

    def stop(done: int, total: int) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(plan_of(pictures), out, progress=stop)
    return out.with_name("s.h5.partial")


def test_what_is_found_is_not_read_again(pictures: Path, whole: bytes, tmp_path: Path) -> None:
    folder = shutil.copytree(pictures, tmp_path / "copy")
    out = tmp_path / "out" / "s.h5"
    interrupted(folder, out, after=10)
    changed = Image.fromarray(np.full((64, 48), 7, np.uint8) + np.eye(64, 48, dtype=np.uint8))
    untouched = os.stat(folder / "03.png")
    assert ingest(plan_of(folder), out).found == 10
    # The same bytes as from the pictures' own folder but for the path in `source`.
    assert Store.open(out).images[3].tobytes() in whole
    out.unlink()
    interrupted(folder, out, after=10)
    changed.save(folder / "03.png")
    assert os.stat(folder / "03.png").st_mtime_ns != untouched.st_mtime_ns
    report = ingest(plan_of(folder), out)
    assert report.found == 9
    np.testing.assert_array_equal(report.store.images[3], np.asarray(changed))


def test_what_the_disk_lost_is_read_again(pictures: Path, whole: bytes, tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    folder = interrupted(pictures, out, after=10)
    with StoreWriter.open(folder / "draft.h5") as draft:
        draft.write(4, np.zeros((64, 48), np.float32), None, "")
    assert finish(pictures, out) == 9
    assert out.read_bytes() == whole


def test_a_torn_line_of_the_journal_is_no_line(
    pictures: Path, whole: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "s.h5"
    journal = interrupted(pictures, out, after=10) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert finish(pictures, out) == 9
    assert out.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\0" * 40 + b"\n", b"[]\n", b'{"item": "x"}\n'])
def test_a_damaged_journal_is_said_to_be(pictures: Path, tmp_path: Path, damage: bytes) -> None:
    out = tmp_path / "s.h5"
    journal = interrupted(pictures, out, after=10) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + damage)
    with pytest.raises(UserError, match=r"is damaged; .*journal\.jsonl .*remove .*s\.h5\.partial"):
        ingest(plan_of(pictures), out)


def test_other_settings_do_not_go_on_and_cost_nothing(
    pictures: Path, whole: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "s.h5"
    interrupted(pictures, out, after=10)
    for plan, pixels in ((plan_of(pictures, folds=3), "float32"), (plan_of(pictures), "float16")):
        with pytest.raises(
            UserError, match=r"begun with other settings.*; received .*s\.h5\.partial;"
        ):
            ingest(plan, out, pixels=pixels)
    assert finish(pictures, out) == 10
    assert out.read_bytes() == whole


def test_two_at_a_time_are_refused(pictures: Path, whole: bytes, tmp_path: Path) -> None:
    out, inside, go_on = tmp_path / "s.h5", threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        inside.set()
        go_on.wait()

    first = threading.Thread(target=lambda: ingest(plan_of(pictures), out, progress=wait))
    first.start()
    inside.wait()
    try:
        with pytest.raises(UserError, match=r"another process .*; received .*s\.h5\.partial;"):
            ingest(plan_of(pictures), out)
    finally:
        go_on.set()
        first.join()
    assert out.read_bytes() == whole


def test_a_store_too_large_for_the_disk_is_refused_before_it_begins(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=24 * 64 * 48 * 4 - 1)
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        UserError, match=r"24 slices that take 0\.000295 GB, and 0\.000295 GB free in"
    ):
        ingest(plan_of(pictures), tmp_path / "out" / "s.h5")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test replaces is replaced for the work as well."""
    monkeypatch.setattr(engine, "work", lambda job, tasks, *_: work(job, tasks, HERE))


@pytest.mark.usefixtures("in_this_process")
def test_a_full_disk_keeps_what_was_done(
    pictures: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, write = tmp_path / "s.h5", os.pwrite
    calls = iter(range(10**6))

    def failing(descriptor: int, data: memoryview, offset: int) -> int:
        if next(calls) > 60:
            raise OSError(28, "No space left on device")
        return write(descriptor, data, offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing)
        with pytest.raises(WorkError, match=r"No space left.*goes on where it stopped"):
            ingest(plan_of(pictures), out)
    assert finish(pictures, out) > 0
    assert out.read_bytes() == whole


def test_a_folder_that_cannot_be_made_is_named(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match=r"cannot be made; received .*s\.h5\.partial .*; choose another place"
    ):
        ingest(plan_of(pictures), tmp_path / "file" / "s.h5")


@pytest.mark.usefixtures("in_this_process")
def test_the_write_may_take_less_than_it_was_given(
    pictures: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:100], at))
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, at: read(fd, [buffers[0][:70]], at))
    ingest(plan_of(pictures), tmp_path / "s.h5")
    assert (tmp_path / "s.h5").read_bytes() == whole


def spoiled(pictures: Path, folder: Path, *names: str) -> Path:
    shutil.copytree(pictures, folder)
    for name in names:
        path = folder / name
        path.write_bytes(path.read_bytes()[:200])  # the header says the size, the pixels are gone
    return folder


def test_items_that_fail_leave_no_hole(pictures: Path, tmp_path: Path) -> None:
    bad = ("00.png", "07.png", "08.png", "23.png")
    report = ingest(plan_of(spoiled(pictures, tmp_path / "bad", *bad)), tmp_path / "s.h5")
    assert tuple(one.name for one in report.skipped) == bad
    good = [number for number in range(PICTURES) if f"{number:02}.png" not in bad]
    assert [key.split("/")[1] for key in report.store.keys] == [f"{n:02}.png" for n in good]
    for row, number in enumerate(good):
        with Image.open(pictures / f"{number:02}.png") as picture:
            np.testing.assert_array_equal(report.store.images[row], np.asarray(picture))
    assert len(report.store.columns["digest"]) == len(good)
    assert [one["name"] for one in report.store.source["skipped"]] == list(bad)
    assert os.stat(report.store.path).st_size < 60_000 + len(good) * 64 * 48 * 4


def test_a_repaired_file_is_taken_on_the_next_run(pictures: Path, tmp_path: Path) -> None:
    folder, out = spoiled(pictures, tmp_path / "bad", "07.png"), tmp_path / "s.h5"
    with pytest.raises(UserError, match=r"--strict leaves no file out; received 07\.png"):
        ingest(plan_of(folder), out, strict=True)
    assert not out.exists()
    shutil.copy(pictures / "07.png", folder)
    report = ingest(plan_of(folder), out, strict=True)
    assert report.found == 7
    assert len(report.store) == PICTURES


def test_the_split_of_the_others_does_not_depend_on_a_file_that_fails(
    pictures: Path, tmp_path: Path
) -> None:
    good = ingest(plan_of(pictures), tmp_path / "good.h5").store
    bad = ingest(
        plan_of(spoiled(pictures, tmp_path / "bad", "00.png", "01.png")), tmp_path / "bad.h5"
    ).store
    assert bad.splits.tolist() == good.splits[2:].tolist()


def test_the_journal_holds_one_line_for_each_item(pictures: Path, tmp_path: Path) -> None:
    folder = interrupted(pictures, tmp_path / "s.h5", after=10)
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [line.get("item") for line in lines] == [None, *(f"{n:02}.png" for n in range(10))]


def test_float16_holds_eleven_bits(pictures: Path, tmp_path: Path) -> None:
    exact = ingest(plan_of(pictures), tmp_path / "a.h5").store
    half = ingest(plan_of(pictures), tmp_path / "b.h5", pixels="float16").store
    rows = np.arange(PICTURES)
    assert half.images.dtype == np.float16
    np.testing.assert_allclose(half.read(rows), exact.read(rows), rtol=2**-11)
    assert half.fingerprint != exact.fingerprint


@pytest.mark.parametrize("count", [10, 11, 541])
def test_of_many_files_left_out_it_says_where_all_are_listed(
    pictures: Path, tmp_path: Path, count: int
) -> None:
    skipped = tuple(Skipped(f"{number}.png", "cut") for number in range(count))
    report = ingest(replace(plan_of(pictures), skipped=skipped), tmp_path / "s.h5")
    last = list(report.remarks())[-1]
    assert ("`mrisweep data show --json` lists all" in last) == (count > 10)
    assert len(summarize(report.store).as_json()["source"]["skipped"]) == count
