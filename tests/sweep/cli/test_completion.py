"""Completion as a shell does it: bash runs the script, with what a user has typed so far."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sweep.cli import main
from sweep.cli.completion import SHELLS

ASKED = """
source completion.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_mrisweep 2> errors
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """With the script, some files and a folder."""
    assert main(["completion", "bash"]) == 0
    (tmp_path / "completion.bash").write_text(capsys.readouterr().out)
    for name in ("brain.h5", "first.yaml", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "done").mkdir()
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("che", {"check"}),
        ("data sh", {"show"}),
        ("run first.yaml --print", {"--print-config"}),
        ("calibrate brain.h5 --signal ", {"images", "kspace"}),
        ("completion ", {"bash", "zsh", "tcsh", "fish"}),
        ("check ", {"first.yaml", "done"}),
        ("data show ", {"brain.h5", "done"}),
        ("stress model.pt --data ", {"brain.h5", "done"}),
        ("resume ", {"done"}),
        ("stress ", {"brain.h5", "first.yaml", "notes.txt", "done", "completion.bash", "errors"}),
        ("settings train.label", {"train.label_smoothing"}),
        ("best done --norm batch", {"batch", "batch_renorm"}),
        ("stress model.pt --artifacts motion hold", {"holdout"}),
    ],
)
def test_bash_offers(folder: Path, typed: str, offered: set[str]) -> None:
    words = ["mrisweep", *typed.split(" ")]
    done = subprocess.run(
        ["bash", "-c", ASKED, "bash", *words], cwd=folder, capture_output=True, text=True
    )
    assert set(done.stdout.split("\n")[:-1]) == offered
    # Outside of a line that is being typed bash has no options of it to change.
    said = (folder / "errors").read_text()
    assert not [line for line in said.splitlines() if "compopt" not in line]


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_every_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "mrisweep" in text
    assert "train.label_smoothing" in text
    if shutil.which(shell) and shell != "tcsh":  # which cannot read without running
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_another_shell_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "cmd"]) == 2
    assert "choose from" in capsys.readouterr().err
