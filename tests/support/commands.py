"""Commands on a sweep's folder, in this process, as far as they get without a cluster."""

import contextlib
import hashlib
import io
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sweep.api import finalists, run
from sweep.cli import main
from sweep.cluster.packing import Plan
from sweep.stats import checkpoint

LONGEST_S = 120  # a command that takes longer is stuck; the slowest takes a second


class Answer(NamedTuple):
    """What a command said."""

    status: int
    out: str
    err: str


def ask(*arguments: object) -> Answer:
    """Run a command; it fails with what the command raises, and after two minutes of nothing."""
    out, err = io.StringIO(), io.StringIO()

    def stuck(*_: object) -> None:
        raise TimeoutError(f"stuck: {arguments}")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(LONGEST_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(one) for one in arguments])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return Answer(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def without_a_cluster() -> Iterator[None]:
    """While inside, `resume` and `finalists` do all but train, and few patients are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "LEAST", 2)
        for module, trains in ((run, "run_trials"), (finalists, "run_finalists")):
            patch.setattr(module, "session", lambda *_: nullcontext())
            patch.setattr(module, trains, lambda *_: None)
        patch.setattr(run, "wait_for_room", lambda *_, **__: Plan((), 1, ()))
        yield


def commands(folder: Path, store: Path, out: Path) -> dict[str, tuple[object, ...]]:
    """Every command that reads a sweep's folder, with arguments, by a short name."""
    found = sorted((folder / "checkpoints").rglob("epoch-*.pt"))
    checkpoint_file = found[0] if found else folder / "checkpoints" / "trial-0000" / "epoch-0001.pt"
    on_store = (checkpoint_file, "--data", store)
    return {
        "best": ("best", folder),
        "json": ("best", folder, "--json"),
        "failed": ("best", folder, "--failed"),
        "best finalists": ("best", folder, "--finalists"),
        "compare trials": ("compare", folder, "trial-0000", "trial-0001"),
        "compare norms": ("compare", folder, "batch", "group"),
        "report": ("report", folder, "--out", out / "report.html", "--force"),
        "check": ("check", folder / "sweep.yaml"),
        "sync": ("sync", folder),
        "finalists": ("finalists", folder),
        "resume": ("resume", folder),
        "stress": ("stress", *on_store, "--artifacts", "rician", "--levels", 1, "--split", 2),
        "predict": ("predict", *on_store, "--out", out / "predictions.parquet", "--force"),
    }


# Which commands read which files.
READERS: dict[str, tuple[str, ...]] = {
    "trials/*.json": ("best", "json", "failed", "compare trials", "sync", "finalists", "resume"),
    "sweep.yaml": ("best", "compare trials", "check", "sync", "finalists", "resume", "predict"),
    "sweep.json": ("best", "report"),
    "levels.json": ("best",),
    "used.json": ("resume",),
    "choice.json": ("best", "json", "resume"),
    "summary.parquet": ("best", "json"),
    "optuna.journal": ("resume",),
    "log.jsonl": ("sync",),
    "test_access.jsonl": ("best finalists", "finalists", "stress", "sync"),
    "results/*/*.parquet": ("compare trials", "sync", "resume"),
    "results/*/modes/*.parquet": ("sync",),
    "predictions/*/*.parquet": ("compare trials", "resume"),
    "predictions/*/modes/*.parquet": ("report",),
    "finalists/plan.json": ("best finalists", "compare norms", "sync", "finalists", "resume"),
    "finalists/differences.json": ("sync", "report"),
    "finalists/trial-*.json": ("best finalists", "compare norms", "sync", "finalists"),
    "finalists/*/predictions/*": ("compare norms",),
    "finalists/*/results/*": ("report", "sync"),
    "checkpoints/*/*.pt": ("stress", "predict", "resume", "sync"),
    "finalists/*/*.pt": ("finalists", "sync"),
    "tune/*/*": ("best", "resume", "sync"),
}


def contents(folder: Path) -> dict[str, str]:
    """A digest of every file below a folder, by its path there; where links lead is not."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def quiet(answer: Answer, of: Any) -> None:
    """Fail unless a command ended as commands do: done, or with a sentence or a few."""
    assert answer.status in (0, 1, 2), of
    said = answer.out + answer.err
    assert "Traceback" not in said, of
    said.encode("utf-8")  # what a terminal would be given
    assert "\x1b" not in said, of
    if answer.status:
        assert answer.err.startswith(("mrisweep: ", "note: ")) or "\nmrisweep: " in answer.err, of
        assert max(map(len, answer.err.splitlines())) < 3000, of
