"""Failures: what they say, and whether the trial may go well another time."""

import errno
import os

import pytest
import torch

from sweep.core import pulse
from sweep.core.errors import UserError, WorkError
from sweep.core.failures import Failure, failure_of, failure_of_worker

THREE = ("it is so", "this", "do that")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("no head"), "raised", "ValueError: no head"),
        (UserError(*THREE), "raised", "it is so; received this; do that"),
        (WorkError(*THREE), "surroundings", "it is so; received this; do that"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "surroundings", "No space left"),
        (
            OSError(errno.ENOSPC, "No space left", "/d/x.pt"),
            "surroundings",
            "the disk is full; received /d/x.pt (No space left); make room",
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), "gpu_memory", "cluster.smaller_batch"),
        (MemoryError(), "memory", "cluster.concurrent"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory", "train.batch_size"),
    ],
)
def test_an_error_is_of_the_trial_or_of_its_surroundings(
    error: Exception, kind: str, words: str
) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert words in failure.reason
    assert failure.reason.count("; ") >= 2, "what is wrong; what was received; what to do"
    assert failure.may_go_well == (kind in ("memory", "surroundings"))
    assert Failure.of_result({"epoch": 1, **failure.to_result()}) == failure


@pytest.mark.parametrize(
    ("message", "hung", "kind", "words"),
    [
        ("The actor died unexpectedly", None, "died", "its worker died"),
        ("The actor is dead because its node has died.", None, "died", "its node was lost"),
        ("killed due to the node running low on memory", None, "memory", "low on memory"),
        ("The actor was killed by `ray.kill`", 10.0, "hung", "in 10 min"),
    ],
)
def test_the_end_of_a_worker_says_nothing_of_its_trial(
    message: str, hung: float | None, kind: str, words: str
) -> None:
    failure = failure_of_worker(message, hung)
    assert (failure.kind, failure.may_go_well) == (kind, True)
    assert words in failure.reason


def test_a_report_is_no_failure() -> None:
    assert Failure.of_result({"epoch": 3, "clean/auroc": 0.8}) is None
    assert Failure.of_result(None) is None


def test_signs_of_life_are_passed_on_now_and_then() -> None:
    told: list[pulse.At | None] = []
    pulse.pass_on(told.append)
    try:
        pulse.beat(pulse.At(1, 2, 3))
        for _ in range(1000):
            pulse.beat()
        assert told == [(1, 2, 3)], "the first at once, and no flood"
        assert pulse.silent_s() < 1
        pulse.pass_on(None)
        pulse.beat()
        assert len(told) == 1
    finally:
        pulse.pass_on(None)
