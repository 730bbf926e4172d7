"""Temporary files: whose they are, and when nobody's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mrimodels
from sweep.core.files import is_left, replacing
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
