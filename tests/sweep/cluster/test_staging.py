"""The store on every node: found, or copied once, whole or not at all."""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sweep.cluster import staging as staging_module
from sweep.cluster.staging import Chunk, Staging, serving, staged
from sweep.config.sweep import ClusterSettings
from sweep.core.errors import UserError, WorkError
from sweep.core.owner import TRUST
from sweep.store import Store
from tests.support.stores import change_pixels, make_store

STEP = 5000  # bytes of a chunk, so that a tiny store has several


class Counted:
    """A store's bytes in chunks, and how many were taken."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.taken = 0

    def __call__(self) -> Iterator[Chunk]:
        for start in range(0, len(self.content), STEP):
            chunk = np.frombuffer(self.content[start : start + STEP], np.uint8)
            self.taken += chunk.nbytes
            yield chunk


def copied(store: Store, folder: Path, source: Callable[[], Iterator[Chunk]]) -> Store:
    return staged(folder, store.fingerprint, store.path.stat().st_size, source)


def names(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


def test_the_copy_is_the_store_and_is_made_once(store: Store, tmp_path: Path) -> None:
    source = Counted(store.path)
    for _ in range(3):
        copy = copied(store, tmp_path / "deep" / "stage", source)
        assert copy.path.parent == tmp_path / "deep" / "stage"
        assert copy.path.read_bytes() == store.path.read_bytes()
        assert copy.fingerprint == store.fingerprint
    assert source.taken == store.path.stat().st_size
    assert names(copy.path.parent) == {".h5"}


def test_workers_that_come_meanwhile_wait_and_open_the_same_file(
    store: Store, tmp_path: Path
) -> None:
    source, opened = Counted(store.path), []
    others = [
        threading.Thread(target=lambda: opened.append(copied(store, tmp_path, source)))
        for _ in range(3)
    ]

    def slow() -> Iterator[Chunk]:
        for number, chunk in enumerate(source()):
            if number == 1:
                for other in others:
                    other.start()
                others[0].join(0.2)
            assert not opened
            assert ".h5" not in names(tmp_path), "no name before it is whole"
            yield chunk

    opened_first = copied(store, tmp_path, slow)
    for other in others:
        other.join()
    assert [one.path for one in opened] == [opened_first.path] * 3
    assert source.taken == store.path.stat().st_size


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from sweep.cluster.staging import staged
def chunks():
    yield np.frombuffer(Path(sys.argv[2]).read_bytes()[:7000], np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)
staged(Path(sys.argv[1]), sys.argv[3], 7000, chunks)
"""


@pytest.mark.slow
def test_after_a_kill_in_the_middle_the_next_one_starts_over(store: Store, tmp_path: Path) -> None:
    arguments = [str(tmp_path), str(store.path), store.fingerprint]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == {".part", ".lock"}
    copy = copied(store, tmp_path, Counted(store.path))
    assert copy.path.read_bytes() == store.path.read_bytes()
    assert names(tmp_path) == {".h5"}


def test_an_exception_in_the_middle_leaves_no_store(store: Store, tmp_path: Path) -> None:
    def breaks_off() -> Iterator[Chunk]:
        yield next(Counted(store.path)())
        raise OSError("the driver's node is gone")

    with pytest.raises(OSError, match="is gone"):
        copied(store, tmp_path, breaks_off)
    assert not names(tmp_path)
    assert copied(store, tmp_path, Counted(store.path)).fingerprint == store.fingerprint


@pytest.mark.parametrize("spoil", [lambda path: make_store(path, patients=6), None])
def test_what_is_not_the_store_never_gets_its_name(
    store: Store, tmp_path: Path, spoil: Callable[[Path], Store] | None
) -> None:
    wrong = tmp_path / "wrong.h5"
    if spoil:
        spoil(wrong)
    else:
        wrong.write_bytes(store.path.read_bytes()[:-4000])
    with pytest.raises(WorkError, match=rf"is not the store, with fingerprint {store.fingerprint}"):
        copied(store, tmp_path / "stage", Counted(wrong))
    assert ".h5" not in names(tmp_path / "stage")


def test_a_disk_without_room_is_refused_before_a_byte_is_sent(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(staging_module.shutil, "disk_usage", lambda path: usage(9, 9, 1000))
    source = Counted(store.path)
    with pytest.raises(
        WorkError, match=r"no room for a copy of 0\.00 GB; .* set cluster\.stage to a"
    ):
        copied(store, tmp_path, source)
    assert source.taken == 0


class FromFile(Staging):
    """Its server is a file at hand."""

    def chunks(self) -> Iterator[Chunk]:
        return Counted(Path(str(self.server)))()


def from_file(store: Store, path: Path, folder: Path | None) -> FromFile:
    return FromFile(path, store.fingerprint, store.path.stat().st_size, folder, str(store.path))


def test_a_store_that_the_node_sees_is_mapped_where_it_is(store: Store) -> None:
    assert from_file(store, store.path, None).open().path == store.path


@pytest.mark.parametrize("there", ["nothing", "another store"])
def test_a_node_that_does_not_see_it_copies_it_to_its_temporary_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    path = tmp_path / "store.h5"
    if there == "another store":
        make_store(path, patients=6)
    opened = from_file(store, path, None).open()
    folder = tmp_path / "tmp" / f"mrisweep-stores-{os.geteuid()}"
    assert opened.path == folder / f"{store.fingerprint}.h5"
    assert folder.stat().st_mode & 0o777 == 0o700, "nobody else puts a copy there"
    assert opened.fingerprint == store.fingerprint


def test_a_stage_that_is_asked_for_is_used_though_the_path_is_seen(
    store: Store, tmp_path: Path
) -> None:
    opened = from_file(store, store.path, tmp_path).open()
    assert opened.path == tmp_path / f"{store.fingerprint}.h5"


def test_a_folder_that_cannot_be_written_is_explained(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match=r"could not be copied to .*file.*set cluster\.stage"):
        from_file(store, store.path, tmp_path / "file").open()


def test_alone_on_a_machine_nobody_serves(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with serving(store, ClusterSettings()) as staging:
        assert staging.server is None
        assert staging.open().path == store.path
        gone = dataclasses.replace(staging, path=store.path / "gone")
        with pytest.raises(WorkError, match=r"could not be copied .*the store is gone"):
            gone.open()


def test_a_copy_that_was_changed_in_place_is_not_taken(store: Store, tmp_path: Path) -> None:
    copy = copied(store, tmp_path, Counted(store.path))
    change_pixels(copy.path)
    with pytest.raises(WorkError, match=r"is not the store, .* \(slice '.*' is not what was writ"):
        copied(store, tmp_path, Counted(store.path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["the folder", "the copy"])
def test_what_another_user_has_put_there_is_not_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    copy = copied(store, tmp_path / "stage", Counted(store.path))
    given = {"the folder": copy.path.parent, "the copy": copy.path}[what]
    os.chown(given, 54321, -1)
    with pytest.raises(WorkError, match=rf"another user, .*{given} on .*, which is of 54"):
        copied(store, tmp_path / "stage", Counted(store.path))
    monkeypatch.setenv(TRUST, "54321")
    assert copied(store, tmp_path / "stage", Counted(store.path)).path == copy.path


def test_a_link_is_no_copy(store: Store, tmp_path: Path) -> None:
    link = tmp_path / f"{store.fingerprint}.h5"
    link.symlink_to(store.path)
    source = Counted(store.path)
    assert copied(store, tmp_path, source).path == link
    assert not link.is_symlink()
    assert source.taken == store.path.stat().st_size


def test_a_stage_is_an_absolute_path() -> None:
    with pytest.raises(
        UserError, match=r"stage cannot take this value; received 'scratch'; give an absolute path"
    ):
        ClusterSettings(stage="scratch")
