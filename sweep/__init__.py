"""mrisweep: sweeps of norm-variant MR image classifiers, stress-tested under MR artifacts.

``SweepConfig.from_yaml``, ``run`` and ``best`` are all that a script needs. The names are imported
when they are used, so that ``sweep.learn`` and ``sweep.store`` can be taken alone, on a machine
that has neither Ray nor MLflow.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.api.best import best
    from sweep.api.dataset import ingest_dataset
    from sweep.api.export import export
    from sweep.api.predict import predict
    from sweep.api.run import SweepResult, resume, run
    from sweep.config.sweep import SweepConfig
    from sweep.core.errors import UserError, WorkError
    from sweep.learn.fit import fit
    from sweep.results.flat import frame

_HOMES = {
    "SweepConfig": "sweep.config.sweep",
    "SweepResult": "sweep.api.run",
    "UserError": "sweep.core.errors",
    "WorkError": "sweep.core.errors",
    "best": "sweep.api.best",
    "export": "sweep.api.export",
    "fit": "sweep.learn.fit",
    "frame": "sweep.results.flat",
    "ingest_dataset": "sweep.api.dataset",
    "predict": "sweep.api.predict",
    "resume": "sweep.api.run",
    "run": "sweep.api.run",
}
__all__ = [
    "SweepConfig",
    "SweepResult",
    "UserError",
    "WorkError",
    "best",
    "export",
    "fit",
    "frame",
    "ingest_dataset",
    "predict",
    "resume",
    "run",
]


def __dir__() -> list[str]:
    """The names that a script sees, imported or not yet."""
    return sorted([*globals(), *__all__])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("mrisweep")
    if name not in _HOMES:
        raise AttributeError(f"module 'sweep' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
