"""Why a trial came to no end of its own: what happened, in one sentence, and whether it may again.

What a trial's own settings bring about, such as an error in a network, comes back however often it
is tried. What its surroundings do to it, such as a lost node or a full disk, says nothing of the
trial: it is tried again, now or by the next ``resume``.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self, get_args

from sweep.core.errors import UserError, WorkError, refused, told

Kind = Literal["raised", "gpu_memory", "memory", "died", "hung", "surroundings"]
# What may go well another time.
AGAIN: tuple[Kind, ...] = ("memory", "died", "hung", "surroundings")
MEMORY: tuple[Kind, ...] = ("memory", "gpu_memory")
KIND, REASON = "failure_kind", "failure"  # in a result that a worker gives its driver

_CPU_MEMORY = ("can't allocate memory", "not enough memory")  # of torch, of a plain RuntimeError
_NODE_LOST = ("node has died", "node was terminated", "node was preempted")  # of Ray's messages
_NODE_MEMORY = ("low on memory", "OutOfMemory")


class Failure(NamedTuple):
    """What ended a trial.

    Attributes:
        kind: What happened: its code ``raised``, the memory of its GPU (``gpu_memory``) or of its
            node (``memory``) was used up, its worker ``died`` or ``hung``, or its
            ``surroundings``, such as disk and data, failed.
        reason: What is wrong; what was received; what to do.

    """

    kind: Kind
    reason: str

    @property
    def may_go_well(self) -> bool:
        """Whether the same trial may go well another time."""
        return self.kind in AGAIN

    def to_result(self) -> dict[str, str]:
        """As a worker tells its driver."""
        return {KIND: self.kind, REASON: self.reason}

    @classmethod
    def of_result(cls, result: Mapping[str, Any] | None) -> Self | None:
        """Back from ``to_result``; None where a trial reported an epoch."""
        told = result or {}
        kind: Any = told.get(KIND)
        return cls(kind, told[REASON]) if kind in get_args(Kind) else None


def failure_of(error: Exception) -> Failure:
    """What an error that a trial met says of it."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for its name
        return Failure(
            "gpu_memory",
            f"the memory of the GPU was used up; received {told(error)}; lower train.batch_size or "
            "model.width, raise cluster.trial.gpu, or set cluster.smaller_batch",
        )
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text for sign in _CPU_MEMORY):
        return _out_of_memory(told(error))
    if isinstance(error, WorkError):
        return Failure("surroundings", text)
    if isinstance(error, UserError):
        return Failure("raised", text)
    if isinstance(error, OSError):
        wrong, received, remedy = refused(error)
        return Failure("surroundings", f"{wrong}; received {received}; {remedy}")
    return Failure(
        "raised",
        f"the trial raised an error; received {told(error)}; correct what it names, or leave such "
        "settings out of the search",
    )


def failure_of_worker(message: str, hung_minutes: float | None = None) -> Failure:
    """What the end of a trial's worker says of it.

    Args:
        message: What Ray says of it.
        hung_minutes: How long it had done nothing, if it was ended for that; None: it was not.

    """
    if hung_minutes is not None:
        return Failure(
            "hung",
            f"its worker hung; received no step and no score in {hung_minutes:g} min; look at its "
            "node, or raise cluster.hang_minutes where a step takes as long",
        )
    if any(sign in message for sign in _NODE_MEMORY):
        return _out_of_memory("its worker, which Ray ended as the node ran low on memory")
    if any(sign in message for sign in _NODE_LOST):
        return Failure("died", "its node was lost; received no more of it; look at that node")
    return Failure(
        "died",
        "its worker died; received no word of why, as when the system kills a process; look at "
        "the memory of its node",
    )


def _out_of_memory(received: str) -> Failure:
    return Failure(
        "memory",
        f"the memory of its node was used up; received {received}; lower cluster.concurrent, "
        "train.batch_size or cluster.evaluator_cache_gb, or raise cluster.trial.cpu so that fewer "
        "run at a time",
    )
