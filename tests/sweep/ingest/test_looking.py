"""Looking at files: damage costs the damaged file alone, whatever it does to its reader."""

import errno
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from sweep.core.errors import UserError, WorkError
from sweep.ingest.looking import Look, look

# A module of its own, as every worker imports it.
QUESTION = """
import os, signal
from sweep.core.errors import UnusableError

def ask(thing):
    if thing == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    while thing == "loop":
        pass
    if thing == "huge":
        from sweep.core.heap import machine_memory
        return len(bytearray(int(0.6 * machine_memory())))
    if thing == "unusable":
        raise UnusableError("it is no picture", "that", "give another")
    if thing == "bug":
        raise TypeError("of a library")
    if thing.startswith("errno "):
        number = int(thing.split()[1])
        raise OSError(number, os.strerror(number), thing)
    return thing.upper()
"""


@pytest.fixture
def question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "odd_question.py").write_text(QUESTION)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.reload(importlib.import_module("odd_question"))


THINGS = ["a", "crash", "b", "unusable", "c", "loop", "huge", "d", "bug", "errno 13", "e"]


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (2, 1), (1, 4), (2, 100)])
def test_each_kind_of_damage_costs_that_thing_alone(
    question: ModuleType, workers: int, at_once: int
) -> None:
    seen: list[tuple[int, int]] = []
    found = look(
        Look(question.ask, computing_s=1),
        THINGS,
        workers=workers,
        at_once=at_once,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert found.found == [(one, one.upper()) for one in "abcde"]
    reasons = dict(found.skipped)
    assert list(reasons) == ["crash", "unusable", "loop", "huge", "bug", "errno 13"]
    assert "more memory than one process may have here; received huge" in reasons["huge"]
    assert "ended twice" in reasons["crash"]
    assert reasons["unusable"] == "it is no picture; received that; give another"
    assert "does not end" in reasons["loop"]
    assert "received bug (TypeError: of a library)" in reasons["bug"]
    assert "Permission denied" in reasons["errno 13"]
    assert seen[-1] == (len(THINGS), len(THINGS))
    assert seen == sorted(seen)


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ESTALE, errno.ENOSPC])
def test_a_disk_that_fails_is_no_fault_of_a_file(question: ModuleType, number: int) -> None:
    with pytest.raises(WorkError, match=r"as a file was read; received errno .* then run the same"):
        look(Look(question.ask), ["a", f"errno {number}", "b"])


def test_without_a_worker_nothing_begins(question: ModuleType) -> None:
    with pytest.raises(UserError, match=r"no worker .*; received 0"):
        look(Look(question.ask), ["a"], workers=0)


def test_of_nothing_nothing_is_seen(question: ModuleType) -> None:
    assert look(Look(question.ask), []).found == []
