"""The section on how to do it again: commands, versions, the sweep file."""

import platform
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sweep.config.sweep import SweepConfig
from sweep.metrics import metric_for
from sweep.report.document import Code, Section, Table
from sweep.report.evidence import Evidence
from sweep.results.finalists import said_of_access

PACKAGES = ("mrisweep", "torch", "numpy", "ray", "optuna", "mlflow")


def reproduce_section(evidence: Evidence) -> Section:
    """Everything that the numbers depend on."""
    data = evidence.config.data
    rows = [
        ["sweep", evidence.folder.identity.sweep_id],
        ["code that began it", evidence.folder.identity.code_version],
        ["data", f"{Path(data.store).name}, fingerprint {data.fingerprint}"],
        *[[f"{name} that made this page", version(name)] for name in PACKAGES],
        ["Python that made this page", platform.python_version()],
    ]
    if access := said_of_access(evidence.folder):
        rows.append(["test patients", access])
    table = Table(
        "versions",
        "What the numbers come from",
        ["what", "which"],
        rows,
        [{"what": what, "which": which} for what, which in rows],
    )
    return Section(
        "again",
        "How to do it again",
        [
            Code(
                "Commands, in a folder with the sweep file below as sweep.yaml, and the store that "
                "it names",
                "\n".join(_commands(evidence)),
            ),
            table,
            Code("sweep.yaml", _without_places(evidence.config).to_yaml()),
        ],
    )


def _without_places(config: SweepConfig) -> SweepConfig:
    """The sweep with files by their names alone: where they lie says nothing to another reader."""
    changes: dict[str, Any] = {"data.store": Path(config.data.store).name}
    if config.finalists and config.finalists.external:
        changes["finalists.external"] = [
            {**one.to_plain(), "store": Path(one.store).name} for one in config.finalists.external
        ]
    return config.replace(changes)


def _commands(evidence: Evidence) -> Iterator[str]:
    name = shlex.quote(evidence.config.name)
    yield f"mrisweep run sweep.yaml --out {name}"
    yield f"mrisweep best {name}"
    others, reference = evidence.others, evidence.first.reference
    if others and reference:
        yield f"mrisweep compare {name} {shlex.quote(others[0])} {shlex.quote(reference)}"
    own = metric_for(evidence.config.search.objective)
    by = "" if own == evidence.metric else f" --metric {evidence.metric.name}"
    yield f"mrisweep report {name}{by}"
