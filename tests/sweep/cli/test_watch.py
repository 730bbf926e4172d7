"""``mrisweep watch`` as a person meets it, in another process than the one that drives."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.results.choice_file import FILE as CHOICE
from sweep.results.folder import SweepFolder
from tests.support.bare import add_trial, bare_sweep


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sweep of two trials, whose second one is under way."""
    folder = bare_sweep(tmp_path / "sweep", trials=2)
    add_trial(folder, 0, 10, "finished", 0.7)
    add_trial(folder, 1, 2, value=0.8)
    return folder


def end(folder: SweepFolder) -> None:
    add_trial(folder, 1, 10, "finished", 0.8)
    (folder.path / CHOICE).write_text("{}")


def start(folder: SweepFolder, *options: str, out: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweep", "watch", str(folder.path), "--every", "0.05"]
    return subprocess.Popen([*command, *options], stdout=out, stderr=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell's background ignores SIGINT, and so would what is started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_in_a_log_it_follows_the_sweep_to_its_end(folder: SweepFolder) -> None:
    process = start(folder)
    assert process.stdout
    with folder.lock():
        first = process.stdout.readline()
        if first.startswith("interrupted: no process drives it"):  # it was faster
            first = process.stdout.readline()
        assert first.startswith("running  |  1 of 2 ended (1 finished), 1 running, best trial-000")
        end(folder)
        rest = [process.stdout.readline() for _ in range(2)]
        assert rest[0].startswith(
            "trial-0001 group    finished 10 epochs, best robust/auroc_cvar 0."
        )
        assert rest[1].startswith(
            "finishing: all trials have ended, what follows them is at work  |  2 of"
        )
        os.kill(process.pid, 0)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("finished; its table: mrisweep best ")


def test_ctrl_c_ends_it_and_not_the_sweep(folder: SweepFolder) -> None:
    with start(folder, "--json") as process:
        assert process.stdout
        found = json.loads(process.stdout.readline())
        assert (found["state"], found["driven"]) == ("interrupted", False)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


def test_on_a_terminal_it_is_drawn_over_itself(folder: SweepFolder) -> None:
    ours, theirs = pty.openpty()
    process = start(folder, out=theirs)
    os.close(theirs)
    drawn = b""
    while drawn.count(b"\x1b[J") < 3:
        drawn += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    os.close(ours)
    screens = drawn.decode().split("\x1b[J")
    assert screens[1].startswith("knees  ")
    height = screens[1].count("\n")
    assert screens[1].endswith(f"\x1b[{height}F")
    assert process.returncode == 130


def test_once(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(folder.path), "--once"]) == 0
    text = capsys.readouterr().out
    assert "no process drives it\ngo on     mrisweep resume " in text
    assert "1 of 2 ended (1 finished), 1 interrupted" in text
    assert main(["watch", str(folder.path), "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sweep"] == "knees"
    assert found["trials"]["ended"] == 1
    assert found["best"]["metric"] == "robust/auroc_cvar"


def test_what_cannot_be_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(tmp_path / "none")]) == 2
    assert "no such folder of a sweep" in capsys.readouterr().err
    for pause in ("0", "inf", "nan", "1e10"):
        assert main(["watch", str(tmp_path), "--every", pause]) == 2
        assert "--every is not above 0 and at most a day" in capsys.readouterr().err


def test_neither_ray_nor_torch_is_needed(folder: SweepFolder) -> None:
    script = (
        "import sys; from sweep.cli import main\n"
        f"main(['watch', {str(folder.path)!r}, '--once'])\n"
        "print(sorted({'ray', 'torch', 'mlflow', 'optuna', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("[]\n")
