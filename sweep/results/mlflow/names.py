"""The names of tags, metrics and parameters in MLflow, and values as MLflow has them and back."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sweep.core.records import Basis, Cell

BEST: Final = "best/"  # metrics of a trial at its best epoch
INTERVAL: Final = "interval/"  # then the name of the metric, then one of:
ENDS: Final = ("/low", "/high")
EPOCH: Final = "epoch"
SEPARATOR: Final = ", "
CHOICE: Final = "choice/"  # what choosing the best is worth; of a norm, its name first
DIFFERENCE: Final = "difference/"  # then the place, the pair and the score
HYPERVOLUME: Final = "pareto/hypervolume"  # of all trials; of a norm, its name behind it
FORM: Final = 2  # of what runs are told; another number where more or other is told of the same
LONGEST_PARAM: Final = 6000  # characters of a parameter that MLflow takes
RUN_STATUS: Final = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "pruned": "FINISHED",  # stopped early by design; the tag `status` tells it apart
    "failed": "FAILED",
}


class Tag:
    """The names of the tags."""

    ROLE = "role"
    SWEEP = "sweep_id"
    TRIAL = "trial"
    FINALIST = "finalist"
    GROUP = "group"  # what a finalist is compared as: its arm, or else its norm
    NORM = "norm"
    ARCH = "arch"
    SEED = "seed"
    STATUS = "status"
    ERROR = "error"
    FAILURE = "failure"
    FOLDER = "folder"
    OBJECTIVE = "objective"
    OBJECTIVES = "objectives"
    PARETO = "pareto"
    MODE = "mode"
    COLLAPSED = "collapsed"
    MODEL = "model"  # why a trial has none, where it is to have one
    FORMAT = "format"  # of a logged model: its graph, or a pickle
    BASIS = "intervals"  # what they rest on, as JSON
    DATA = "data_fingerprint"
    CODE = "code_version"
    SEARCHED = "searched"  # which of the parameters were searched; all, where a run has no such tag
    TRIALS = "trials"  # of a sweep, how many have ended, of how many
    BEST_TRIAL = "best_trial"
    BEST_NORM = "best_norm"
    TOLD = "told"  # a digest of all that the run was told; without it there may be more to tell
    ACCESS = "test_access"  # when test slices were looked at, in words
    PARENT = "mlflow.parentRunId"
    NAME = "mlflow.runName"
    NOTE = "mlflow.note.content"  # the description that a page shows
    SOURCE = "mlflow.source.name"
    SOURCE_TYPE = "mlflow.source.type"
    COMMIT = "mlflow.source.git.commit"
    CONTEXT = "mlflow.data.context"  # of data: what they were used for
    TABLES = "mlflow.loggedArtifacts"  # which artifacts its pages show as tables


class Role:
    """The values of the tag ``role``."""

    SWEEP = "sweep"
    TRIAL = "trial"
    MODE = "mode"
    FINALIST = "finalist"


def digest(*told: Any) -> str:
    """What a run that was told all of this is known by, so that it is not told again."""
    plain = json.dumps([FORM, *told], sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def metric_part(text: str) -> str:
    """A text as a part of a metric's name, which has no + such as an arm may have."""
    return text.replace("+", " and ")


def basis_tag(basis: Basis | None) -> dict[str, str]:
    """What intervals rest on, as a tag; none where nothing is known."""
    return {} if basis is None else {Tag.BASIS: json.dumps(asdict(basis))}


def from_basis_tag(text: str | None) -> Basis | None:
    """Back from ``basis_tag``."""
    return None if text is None else Basis(**json.loads(text))


def cells_text(cells: Sequence[Cell]) -> str:
    """Cells as a tag: ``motion 5, spike 3``."""
    return ", ".join(f"{cell.artifact} {cell.level}" for cell in cells) or "none"


def from_cells_text(text: str | None) -> tuple[Cell, ...] | None:
    """Back from ``cells_text``; None where there is no such tag."""
    if text is None:
        return None
    pairs = [] if text == "none" else [item.rsplit(" ", 1) for item in text.split(", ")]
    return tuple(Cell(artifact, int(level)) for artifact, level in pairs)


def below(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    """The values whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def param_text(value: Any) -> str:
    """A parameter as MLflow's text: JSON, but a text stands for itself."""
    return value if isinstance(value, str) else json.dumps(value)


def from_param_text(text: str) -> Any:
    """Back from ``param_text``."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
