"""What the system refuses is one sentence with file, cause and remedy, whatever the command.

A limit on the size of files stands for a full disk: the system itself refuses, whoever asks.
"""

import errno
import os
import pty
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import sweep
from sweep.cli import main
from sweep.core.errors import UserError, WorkError, of_system
from sweep.store import Store
from tests.support.sweeps import settings

Command = Callable[[Path], list[str]]
LIMIT = 100  # bytes of a file


@pytest.fixture
def commands(
    sweep_folder: Path, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Command]:
    """Commands that write, by name, with where they are to write as what is open."""
    checkpoint = sweep.best(sweep_folder, top=1)[0].checkpoint
    file = tmp_path_factory.mktemp("file") / "sweep.yaml"
    file.write_text(yaml.safe_dump(settings(store)))
    data = str(store.path)
    return {
        "predict": lambda out: ["predict", checkpoint, "--data", data, "--out", str(out)],
        "phantom": lambda out: ["phantom", "--patients", "2", "--out", str(out)],
        "preview": lambda out: ["preview", data, "--artifacts", "bias", "--out", f"{out}.png"],
        "report": lambda out: ["report", str(sweep_folder), "--no-pictures", "--out", str(out)],
        "run": lambda out: ["run", str(file), "--out", str(out)],
    }


@contextmanager
def full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that is the last thing a command says."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    assert text.count("mrisweep: ") == 1
    sentence = text[text.index("mrisweep: ") :]
    assert sentence.count("\n") == 1
    assert "; received " in sentence
    return sentence


@pytest.mark.parametrize("name", ["predict", "phantom", "preview", "report", "run"])
def test_a_name_of_300_characters(
    name: str, commands: dict[str, Command], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(commands[name](tmp_path / ("x" * 300 + ".png"))) == 2
    assert "longer than the file system takes" in said(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["predict", "phantom", "preview", "report"])
def test_a_folder_that_takes_no_files(
    name: str, commands: dict[str, Command], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(commands[name](Path("/proc/self/there.png"))) in (1, 2)
    assert "received /proc/" in said(capsys).replace("'", "")


@pytest.mark.parametrize("name", ["predict", "phantom", "preview", "report"])
def test_a_disk_that_is_full(
    name: str, commands: dict[str, Command], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "there.png"
    with full_disk():
        assert main(commands[name](out)) == 1
    sentence = said(capsys)
    assert out.name in sentence
    assert "File too large" in sentence
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > LIMIT]
    assert not left, "nothing half written has a name"
    assert not list(tmp_path.rglob(".*.tmp"))
    assert main(commands[name](out if name != "phantom" else tmp_path / "again")) == 0


def test_file_cause_and_remedy_in_this_order() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "results/epoch-0001.parquet")
    told = of_system(full, "run `mrisweep resume DIR`")
    assert isinstance(told, WorkError)
    assert str(told) == (
        "the disk is full; received results/epoch-0001.parquet (No space left on device); "
        "make room, then run `mrisweep resume DIR`"
    )


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, UserError),
        (errno.ENAMETOOLONG, UserError),
        (errno.EROFS, WorkError),
        (errno.EACCES, WorkError),
        (errno.EDQUOT, WorkError),
        (errno.ESTALE, WorkError),
        (errno.ECONNRESET, WorkError),
        (None, WorkError),
    ],
)
def test_a_wrong_path_is_bad_input_unless_the_work_had_begun(
    number: int | None, kind: type[Exception]
) -> None:
    error = OSError("of no number") if number is None else OSError(number, "as it is", "there")
    assert type(of_system(error)) is kind
    assert type(of_system(error, "run it again")) is WorkError


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_terminal_that_was_closed_fails_nothing(stream: str, sweep_folder: Path) -> None:
    """Where the signal of that is ignored, as below `nohup`; a disk that fails says the same."""
    user, terminal = pty.openpty()
    os.close(user)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: terminal}
    with subprocess.Popen(
        [sys.executable, "-m", "sweep", "best", str(sweep_folder)],
        **streams,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        os.close(terminal)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert not out if stream == "stdout" else "trial" in out
    assert not err or "mrisweep:" not in err


def in_shell(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_fails_nothing(closed: str, sweep_folder: Path) -> None:
    found = in_shell(f"{sys.executable} -m sweep best {sweep_folder} {closed}")
    assert found.returncode == 0, found.stderr
    assert ("trial-0" in found.stdout) == (closed == "2>&-")
    refused = in_shell(f"{sys.executable} -m sweep best nowhere {closed}")
    assert refused.returncode == 2, refused.stderr
    assert not refused.stdout, "messages are not for those who read results"
    assert refused.stderr.startswith("mrisweep: ") == (closed == ">&-")


@pytest.mark.parametrize(
    ("encoding", "name", "shown"),
    [("ascii", "t\u00fc", r"t\xfc"), ("utf-8:strict", os.fsdecode(b"t\xfc"), r"t\udcfc")],
)
def test_what_an_encoding_does_not_have_is_an_escape(
    encoding: str, name: str, shown: str, sweep_folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / name
    shutil.copytree(sweep_folder, place)
    for command in ("best", "watch --once", "best nowhere"):
        found = in_shell(
            f"exec {sys.executable} -m sweep {command} {shlex.quote(str(place))}",
            PYTHONIOENCODING=encoding,
        )
        assert "Traceback" not in found.stderr
        assert found.returncode == (2 if "nowhere" in command else 0)
        if command == "best":
            assert shown in found.stdout


@pytest.mark.parametrize("command", ["report --no-pictures --force", "best"])
def test_what_is_no_regular_file_stays_what_it_is(
    command: str, sweep_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe stands for a device, which a rename would take the place of."""
    os.mkfifo(pipe := tmp_path / "table.csv")
    assert main([*command.split(), str(sweep_folder), "--out", str(pipe)]) == 2
    assert "the output is there, and is no regular file" in said(capsys)
    assert pipe.is_fifo()
