"""A folder of another user answers questions, and is neither written to nor are its modules run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml

from sweep.core.owner import TRUST
from sweep.results import summary
from sweep.results.folder import SweepFolder
from sweep.store import Store
from tests.support.commands import ask, commands, contents

STRANGER, NOBODY = 54321, 65534
READING = ("best", "json", "best finalists", "compare trials", "compare norms", "stress", "predict")
WRITING = ("sync", "finalists", "resume")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def give_away(path: Path, user: int = STRANGER) -> None:
    """Make somebody else the owner of a file, or of all of a folder."""
    for one in (path, *path.rglob("*")):
        os.chown(one, user, -1)


@as_root
def test_a_folder_of_another_user_is_read_and_stays_as_it_is(
    folder: SweepFolder, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "LEAST", 1)  # a cache would be written of two trials, too
    give_away(folder.path)
    before, out = contents(folder.path), tmp_path / "out"
    known = commands(folder.path, store.path, out)
    for name in (*READING, "report"):
        answer = ask(*known[name])
        assert answer.status == 0, (name, answer.err)
    assert (out / "report.html").exists()
    assert contents(folder.path) == before


@as_root
@pytest.mark.parametrize("given", [".", "sweep.yaml"])
def test_what_would_write_into_it_says_how_to_take_it_over(
    folder: SweepFolder, store: Store, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(folder.path / given, STRANGER, -1)
    before, known = contents(folder.path), commands(folder.path, store.path, tmp_path / "out")
    for name in (*WRITING, "report"):
        arguments = known[name] if name != "report" else ("report", folder.path)
        answer = ask(*arguments)
        assert answer.status == 2, name
        assert "is another user's, and the command would write into it" in answer.err
        assert f", which is of {STRANGER}; " in answer.err
        assert "take it over by a copy" in answer.err
        assert f"`cp -r {folder.path} COPY`" in answer.err
        assert contents(folder.path) == before, name
    shutil.copytree(folder.path, tmp_path / "copy")
    assert ask("sync", tmp_path / "copy").status == 0
    monkeypatch.setenv(TRUST, f"anna, {STRANGER}")
    assert ask("sync", folder.path).status == 0


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module in the current folder that leaves a trace when it is imported."""
    monkeypatch.chdir(tmp_path)
    trace = tmp_path / "imported"
    (tmp_path / "networks_of_a_stranger.py").write_text(
        f"open({str(trace)!r}, 'w').close()\ndef make(n_outputs): raise RuntimeError('it ran')\n"
    )
    return trace


PLACE = "networks_of_a_stranger:make"


@as_root
def test_code_that_a_strangers_settings_name_is_not_run(
    folder: SweepFolder, store: Store, own_code: Path, tmp_path: Path
) -> None:
    file = folder.path / "sweep.yaml"
    plain = yaml.safe_load(file.read_text())
    plain["model"] = {"arch": PLACE}
    file.write_text(yaml.safe_dump(plain))
    give_away(folder.path)
    known = commands(folder.path, store.path, tmp_path / "out")
    assert ask(*known["best"]).status == 0, "it needs no network"
    for arguments in (known["compare trials"], known["report"], known["check"]):
        answer = ask(*arguments)
        assert answer.status == 2
        assert f"the network {PLACE!r} is code that another user's file names; r" in answer.err
        assert "copy the file once you have looked at that code, or set MRISWEEP" in answer.err
        assert not own_code.exists()
    give_away(folder.path, os.geteuid())
    assert ask(*known["check"]).status == 2
    assert own_code.exists(), "the code of one's own settings is run"


@as_root
def test_a_dataset_that_a_strangers_sweep_file_names_is_not_made(
    folder: SweepFolder, own_code: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yaml"
    shutil.copy(folder.path / "sweep.yaml", file)
    give_away(file)
    sets = ("--set", f"data.dataset={PLACE}", "--set", f"data.store={tmp_path / 'new.h5'}")
    for command in (("check", file), ("run", file, "--out", tmp_path / "run")):
        answer = ask(*command, *sets)
        assert answer.status == 2
        assert f"the dataset {PLACE!r} is code that another user's file names; r" in answer.err
    assert not own_code.exists()
    assert not (tmp_path / "run").exists()


@as_root
def test_code_that_a_strangers_checkpoint_names_is_not_run(
    folder: SweepFolder, store: Store, own_code: Path, tmp_path: Path
) -> None:
    file = min((folder.path / "checkpoints").rglob("epoch-*.pt"))
    content = torch.load(file, weights_only=True)
    content["spec"] = {"arch": PLACE, "norm": "batch", "n_outputs": 2}
    torch.save(content, file)
    give_away(file)
    for name in ("stress", "predict"):
        answer = ask(*commands(folder.path, store.path, tmp_path / "out")[name])
        assert answer.status == 2
        assert "is code that another user's file names" in answer.err
    assert not own_code.exists()


@contextmanager
def as_nobody() -> Iterator[None]:
    """While inside, permissions count, which root has all of."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@as_root
def test_a_folder_that_cannot_be_written_to_answers_questions(
    folder: SweepFolder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "LEAST", 1)
    with tempfile.TemporaryDirectory() as open_to_all:  # where nobody else may look in is pytest's
        place = Path(open_to_all)
        place.chmod(0o755)
        shutil.copytree(folder.path, place / "sweep")
        shutil.copy(store.path, place / "store.h5")
        config = folder.config().replace({"data.store": str(place / "store.h5")})
        SweepFolder(place / "sweep").write_config(config)
        before = contents(place)
        known = commands(place / "sweep", place / "store.h5", place / "out")
        with as_nobody():
            for name in ("best", "json", "best finalists", "compare trials", "stress"):
                answer = ask(*known[name])
                assert answer.status == 0, (name, answer.err)
            for name in WRITING:
                answer = ask(*known[name])
                assert answer.status == 2
                assert "the sweep's folder cannot be written to; received" in answer.err
            answer = ask("report", place / "sweep")
            assert "the output's folder cannot be written; received" in answer.err
        assert contents(place) == before
