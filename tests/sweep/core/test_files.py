"""Temporary files: whose they are, and when nobody's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.core.errors import UserError, of_system
from sweep.core.files import is_left, replacing, write_text
from tests.support.sweeps import wait_until

WRITER = """
import sys, time
from pathlib import Path
from sweep.core.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    time.sleep(600)
"""


def temporaries(folder: Path) -> list[Path]:
    return list(folder.glob(".*.tmp"))


def test_a_file_is_left_once_its_writer_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "result.json")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as writer:
        wait_until(lambda: any(map(os.path.getsize, temporaries(tmp_path))))
        (held,) = temporaries(tmp_path)
        assert not is_left(held)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert is_left(held)
    assert not (tmp_path / "result.json").exists()


def test_a_file_of_another_host_or_version_is_left_after_an_hour(tmp_path: Path) -> None:
    for name in (".a.json.0a1b2c3d.tmp", ".a.json.00000000-1-0a1b2c3d.tmp"):
        path = tmp_path / name
        path.touch()
        assert not is_left(path)
        hour_ago = path.stat().st_mtime - 3700
        os.utime(path, (hour_ago, hour_ago))
        assert is_left(path)


@pytest.mark.parametrize("name", ["a.json", ".hidden", ".a.tmp", "a.0a1b2c3d.tmp", ".a.xyz.tmp"])
def test_a_file_of_anybody_else_is_never_taken_for_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    os.utime(path, (0, 0))
    assert not is_left(path)


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    """Nor what a link leads to that is none; a pipe stands for a device."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    for name in ("pipe", "link", "folder"):
        with pytest.raises(OSError, match=f"regular file|directory.*{name}") as raised:
            write_text(tmp_path / name, "new")
        assert type(of_system(raised.value)) is UserError
    spec = mrimodels.ModelSpec(arch="preact_resnet18", norm="group", width=4, n_outputs=2)
    with pytest.raises(mrimodels.ModelError, match="what is there is no regular file"):
        mrimodels.save(tmp_path / "pipe", mrimodels.build(spec, 0), spec)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_is_replaced_and_the_file_that_it_leads_to_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for name, place in (("link", "file"), ("lost", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / place)
        write_text(tmp_path / name, "new")
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_text() == "new"
    assert (tmp_path / "file").read_text() == "old"


def test_a_checkpoint_in_the_making_is_named_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(temporaries(tmp_path)))
    spec = mrimodels.ModelSpec(arch="preact_resnet18", norm="group", width=4, n_outputs=2)
    mrimodels.save(tmp_path / "epoch-0001.pt", mrimodels.build(spec, 0), spec)
    (name,) = seen
    assert not is_left(name)
    dead = tmp_path / name.name.replace(f"-{os.getpid()}-", "-4194303999-")
    assert is_left(dead)
    assert torch.is_tensor(next(mrimodels.load(tmp_path / "epoch-0001.pt")[0].parameters()))
